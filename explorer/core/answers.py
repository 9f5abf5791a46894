r"""Finding the answer in a completion: the last box, then a stated phrase, and only then a guess.

The last `\boxed{...}` counts, because drafts are boxed too; boxes joined by no more than 'and' or
a comma are one answer. Invariant: text is hostile and may be a megabyte, so every step is one
left-to-right pass with bounded look-ahead; an unclosed box is no box.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BOXED = "boxed"
PHRASE = "phrase"
LAST_NUMBER = "last-number"
NONE = "none"

LONGEST_PHRASE = 400
"""Characters kept after 'the answer is'; what is longer is prose."""

MOST_JOINED = 12
"""Most neighbouring boxes that are read as one answer."""

_BOX_TOKEN = re.compile(r"\\{1,2}(?:boxed|fbox)(?![a-zA-Z])|\\.|[{}]", re.DOTALL)
_BLANK = re.compile(r"\s*")
_UNBRACED = re.compile(r"[ \t]{0,8}([^\s${}\\,;][^\s${}\\,;]{0,40})")
_BETWEEN_BOXES = re.compile(
    r"(?:\s|[-$,;.&+*|/]|\\[()\[\],;:! ]|\\q?quad|\\(?:text|mathrm|mbox)\{[^{}]{0,40}\}"
    r"|\b(?:and|or)\b|\bfor part\b|\([a-z]\)){0,40}",
    re.IGNORECASE,
)
_ANSWER_PHRASE = re.compile(
    r"""
      \#{4}[ \t]{0,8}
    | <answer>\s{0,20}
    | 答案(?:是|为|：|:){1,2}\s{0,8}
    | \b(?:final|correct)\s{1,4}(?:answer|result|choice|option)[*_]{0,3}\s{0,8}
        (?:\b(?:is|are|was|should\ be)\b|:|=)[ \t]{0,8}:?[*_]{0,3}\s{0,8}
    | \banswer[*_]{0,3}(?:[ ](?:to|for)\b[^\n.:?$]{0,80}?)?\s{0,8}
        (?:\b(?:is|are|was|should\ be|must\ be|equals)\b|:|=)[ \t]{0,8}:?[*_]{0,3}\s{0,8}
    | \b(?:final[ ])?answer[*_:]{0,4}[ \t]{0,8}\n\s{0,8}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = re.compile(r"\bthe final answer is:? {0,4}(\$[^$\n]{1,200}\$)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;](?=[\s*\"'”’)]|$)|[\r\n]|<\||</|\*\*|。")
_SENTENCE = re.compile(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z']{1,30}){2,60}[ ,]")
_SMALL_TALK = re.compile(r"(?:the |my )?(?:final |correct )?answer\b", re.IGNORECASE)
_OPTION = re.compile(r"\(?([A-Z])[.)](?=\s)")
_MATH = re.compile(
    r"\$\$(?P<a>[^$]{1,2000}?)\$\$|\$(?P<b>[^$\n]{1,400}?)\$"
    r"|\\\((?P<c>(?:[^\\]|\\[^()]){1,400}?)\\\)|\\\[(?P<d>(?:[^\\]|\\[^\[\]]){1,2000}?)\\\]"
)
_PROSE = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{4,}")
_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3}){1,8}(?!\d)|\d[\d]{0,4000})(?:[.,]\d{1,4000})?"
    r"(?:[ ]\d{1,9}/\d{1,9}|[ ]?/[ ]?\d{1,4000})?(?:[ ]?\\?%|[ ]?(?:percent|pct))?"
    r"|(?<![\w.])[-+−]?\.\d{1,4000}"
)
_BARE_WORD = re.compile(r"[^\W\d_]{1,60}")
_COMMAND_OR_TEXT = re.compile(
    r"\\(?:begin|end)\s?\{[^{}]{0,30}\}(?:\{[clr|]{0,20}\})?|\\[!,;:\\]|(?<=\d):(?=\d)"
    r"|(?<=\d) ?(?:percentage|percent|pct)\b"
    r"|\\(?:text|mathrm|mbox|textbf)\s?\{[^{}]{0,200}\}|\\[a-zA-Z]{1,30}"
)


class Answer(NamedTuple):
    """An answer and how it was found: 'boxed', 'phrase', 'last-number' (a guess) or 'none'."""

    text: str
    method: str


class _Box(NamedTuple):
    """Offsets: the command, the content's ends, and what follows the closing brace."""

    start: int
    inner: int
    stop: int
    end: int


def find_answer(text: str) -> Answer:
    """The answer that a completion gives, '' with 'none' if it gives none.

    A completion that is nothing but an answer counts as a phrase: it states it.
    """
    boxed, end = _last_box(text)
    if boxed:
        closing = _closing_statement(text, end)
        return Answer(closing, PHRASE) if closing else Answer(boxed, BOXED)
    stated = _stated(text) or _bare(text)
    if stated and "boxed" not in stated:
        return Answer(stated, PHRASE)
    guess = _guess(text)
    return Answer(guess, LAST_NUMBER) if guess else Answer("", NONE)


def last_box(text: str) -> str:
    r"""The content of the last `\boxed{}` or `\fbox{}`, '' if there is none.

    Boxes with nothing but connectives between them are one answer, joined by commas.
    """
    return _last_box(text)[0]


def _last_box(text: str) -> tuple[str, int]:
    boxes = _boxes(text)
    if not boxes:
        return "", 0
    joined = [boxes[-1]]
    for box in reversed(boxes[-MOST_JOINED:-1]):
        following = joined[-1].start
        if following - box.end > 80 or not _BETWEEN_BOXES.fullmatch(text, box.end, following):
            break
        joined.append(box)
    contents = dict.fromkeys(text[box.inner : box.stop].strip() for box in reversed(joined))
    return ", ".join(contents), boxes[-1].end


def _closing_statement(text: str, start: int) -> str:
    """What 'The final answer is $...$' says behind the last box: the one phrase that outranks it.

    Base models prompted in Minerva's style box an intermediate result and then close like this.
    """
    statements = list(_CLOSING.finditer(text, start))
    return _trim(statements[-1][1]) if statements else ""


def _boxes(text: str) -> list[_Box]:
    """Every outermost closed box, in order."""
    if "boxed" not in text and "fbox" not in text:
        return []
    opened: list[tuple[int, int]] = []  # (start of the box or -1 for a plain brace, content start)
    found: list[_Box] = []
    pending = -1
    pending_end = -1
    for token in _BOX_TOKEN.finditer(text):
        what = token[0]
        if what == "{":
            attached = pending >= 0 and not text[pending_end : token.start()].strip()
            opened.append((pending if attached else -1, token.end()))
            pending = -1
        elif what == "}":
            pending = -1
            if opened:
                start, inner = opened.pop()
                if start >= 0:
                    _close(text, found, _Box(start, inner, token.start(), token.end()))
        elif what.endswith(("boxed", "fbox")):
            pending, pending_end = token.start(), token.end()
            bare = _UNBRACED.match(text, token.end())
            if bare:
                stop = bare.start(1) + len(bare[1].rstrip(".)"))
                found.append(_Box(token.start(), bare.start(1), stop, bare.end()))
        else:
            pending = -1
    return [box for box in found if not _is_blank(text, box.inner, box.stop)]


def _close(text: str, found: list[_Box], box: _Box) -> None:
    """Add a closed box and drop those inside it; a box around nothing but a box is that box."""
    inside = None
    while found and found[-1].start > box.start:
        inside = found.pop()
    if (
        inside
        and _is_blank(text, box.inner, inside.start)
        and _is_blank(text, inside.end, box.stop)
    ):
        box = box._replace(inner=inside.inner, stop=inside.stop)
    found.append(box)


def _is_blank(text: str, start: int, end: int) -> bool:
    return _BLANK.fullmatch(text, start, end) is not None


def _stated(text: str) -> str:
    matches = list(_ANSWER_PHRASE.finditer(text))
    for match in reversed(matches[-20:]):
        answer = _trim(text[match.end() : match.end() + LONGEST_PHRASE])
        if answer and not _SMALL_TALK.match(answer):
            return answer
    return ""


def _trim(rest: str) -> str:
    """The answer at the start of what follows a phrase, without the rest of its sentence."""
    rest = rest.lstrip(" \t*_`\"'“:")
    option = _OPTION.match(rest)
    if option:
        return option[1]
    span = _MATH.match(rest)
    if span:
        tail = rest[span.end() : span.end() + 12].lstrip(" \\,")
        if not tail.startswith(("$", "and", "or", "%", "text", "(")):
            return _inside(span)
    end = _SENTENCE_END.search(rest)
    stated = (rest[: end.start()] if end else rest).strip(" \t*_`\"'”,")
    if _SENTENCE.match(stated):
        # 'Final answer: Jane started 3 hours ago' states a number in the middle of its prose.
        numbers = _NUMBER.findall(stated)
        return numbers[-1].strip() if numbers else stated
    return stated


def _bare(text: str) -> str:
    """The whole text, if it is one short line that reads as an answer and not as a sentence."""
    line = text.strip()
    if not line or len(line) > 400 or ("\n" in line and not line.startswith("\\begin")):
        return ""
    span = _MATH.fullmatch(line)
    if span:
        return _inside(span)
    if _BARE_WORD.fullmatch(line.rstrip(".")):
        return line.rstrip(".")
    without = _COMMAND_OR_TEXT.sub("", line)
    if re.search(r"[^\W\d_]{3,}|\$|[:;!?]|[^\W\d_]\s+[^\W\d_]", without):
        return ""
    return line.rstrip(".") if re.search(r"\w", line) else ""


def _guess(text: str) -> str:
    """The last number, or the last formula if that comes later or contains it."""
    formula = None
    for span in _MATH.finditer(text):
        if not _PROSE.search(_COMMAND_OR_TEXT.sub("", _inside(span))):
            formula = span
    number = None
    for one in _NUMBER.finditer(text):
        number = one
    if formula and (number is None or formula.end() >= number.end()):
        return _inside(formula)
    return number[0].strip() if number else ""


def _inside(span: re.Match[str]) -> str:
    return next(group for group in span.groups() if group is not None).strip()

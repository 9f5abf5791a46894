r"""Finding the program in a completion: the last fenced block that is one, else the text itself.

Thinking is no answer, so what stands in `<think>` is left out. Invariant: extraction knows no
problem, runs nothing, and what it returns is a run of lines of the completion, never edited.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final, NamedTuple

VERSION: Final = 1
"""Raise when another program comes out of the same text."""

FENCED = "fenced"
"""The last fenced block."""

EARLIER = "fenced-earlier"
"""A fenced block before the last, which only shows a use or an output."""

OPEN = "fence-open"
"""A block whose fence is not closed: the text ended, or a stop string cut it."""

BEFORE_FENCE = "before-fence"
"""Code that closes a fence which the prompt had opened."""

BARE = "bare"
"""A program without a fence, from its first line of code on."""

CONTINUATION = "continuation"
"""The rest of a function whose beginning stands in the prompt."""

NONE = "none"

LONGEST: Final = 200_000
_MOST_CUTS: Final = 40
_LONGEST_LINE: Final = 20_000
_MOST_BLOCKS: Final = 100

_THINKING: Final = ("</think>", "</thinking>", "</reasoning>")
_OPENED: Final = ("<think>", "<thinking>", "<reasoning>")
_SPECIAL: Final = re.compile(r"<\|[a-z_]{2,40}\|>|</s>|<eos>|<end_of_turn>")
_FENCE: Final = re.compile(r"^[ \t]{0,8}(?:```+|~~~+)[ \t]*([\w+#.-]{0,20})[^\n`]*$", re.MULTILINE)
_PYTHON: Final = ("python", "py", "python3", "py3", "python2", "sage")
_CODE_LINE: Final = re.compile(
    r"(?:from[ ]\S+[ ]import\b|import[ ]\w|def[ ]\w+[ ]*\(|class[ ]\w+[ ]*[:(]|async[ ]def[ ]|@\w)"
)
_STATEMENT: Final = re.compile(
    r"(?:return|for|while|if|try|with|raise|assert|yield|pass|print)\b|\w+[ ]*[-+*/]?=(?!=)"
)
_DEFINES: Final = re.compile(r"^(?:async[ ]+def|def|class)[ ]", re.MULTILINE)
_READS: Final = re.compile(r"\binput\s*\(|\bstdin\b")
_TOP_LEVEL_STAYS: Final = re.compile(r"(?:def|async|class|import|from|@|[)\]}]|\"\"\"|''')")


class Code(NamedTuple):
    """A program and how it was found; '' with 'none' where there is none."""

    text: str
    method: str


class _Block(NamedTuple):
    language: str
    text: str
    closed: bool


def find_code(text: str) -> Code:
    """The program that a completion gives."""
    text = _without_thinking(text[-LONGEST * 5 :]).replace("\r\n", "\n")
    special = _SPECIAL.search(text)
    if special and text[: special.start()].strip():
        text = text[: special.start()]
    fences = list(_FENCE.finditer(text))
    if fences and not fences[0][1]:
        before = text[: fences[0].start()]
        if before[:1] in (" ", "\t") or (len(fences) % 2 and _parses(before)):
            return _limited(before.rstrip("\n"), BEFORE_FENCE)
    code = _from_blocks(_blocks(text, fences)) if fences else _from_text(text)
    return _limited(*code)


def _limited(text: str, method: str) -> Code:
    if not text.strip() or len(text) > LONGEST:
        return Code("", NONE)
    return Code(text, method)


def _without_thinking(text: str) -> str:
    for closing in _THINKING:
        if closing in text:
            return text.rpartition(closing)[2]
    if text.lstrip().startswith(_OPENED):
        return ""  # it never stopped thinking
    return text


def _blocks(text: str, fences: list[re.Match[str]]) -> list[_Block]:
    """Fenced blocks in order; a fence that names a language opens one, so it closes none."""
    blocks = []
    opening: re.Match[str] | None = None
    for fence in fences:
        if opening is None:
            opening = fence
        elif not fence[1]:
            content = text[opening.end() + 1 : fence.start()].rstrip()
            blocks.append(_Block(opening[1].lower(), content, closed=True))
            opening = None
    if opening is not None:
        blocks.append(_Block(opening[1].lower(), text[opening.end() + 1 :].rstrip(), closed=False))
    return blocks


def _from_blocks(blocks: list[_Block]) -> tuple[str, str]:
    named = [block for block in blocks if block.language in _PYTHON]
    plain = (block for block in blocks[-_MOST_BLOCKS:] if not block.language)
    usable = named or [block for block in plain if _is_code(block.text)]
    if not usable:
        return "", NONE
    last = usable[-1]
    if not _is_answer(last):
        for block in reversed(usable[:-1]):
            if _is_answer(block):
                return block.text, EARLIER
    return last.text, FENCED if last.closed else OPEN


def _is_answer(block: _Block) -> bool:
    """Whether a block defines something or reads input, rather than only show a use."""
    return bool(_DEFINES.search(block.text) or _READS.search(block.text)) or block.text[:1] in " \t"


def _is_code(text: str) -> bool:
    return _parses(text) or bool(_CODE_LINE.match(text.lstrip()))


def _from_text(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first[:1] in (" ", "\t"):
        return _body(lines), CONTINUATION
    if _CODE_LINE.match(first):
        return _longest_program(lines), BARE
    start = next((n for n, line in enumerate(lines) if _CODE_LINE.match(line)), None)
    if _STATEMENT.match(first) and (start is None or _reads_as_code(lines)):
        return text, CONTINUATION if start is None and not _READS.search(text) else BARE
    if start is None:
        return "", NONE
    return _longest_program(lines[start:]), BARE


def _reads_as_code(lines: list[str]) -> bool:
    return _parses("\n".join(lines))


def _body(lines: list[str]) -> str:
    """The indented lines, and the helpers behind them, up to whatever else stands at the margin."""
    kept: list[str] = []
    for line in lines:
        at_margin = line[:1] not in (" ", "\t", "")
        if at_margin and not _TOP_LEVEL_STAYS.match(line) and not _inside_text(kept):
            break
        kept.append(line)
    return _shortened(kept, "def _():\n")


def _inside_text(lines: list[str]) -> bool:
    """Whether a triple-quoted text is open, whose lines may start at the margin."""
    text = "\n".join(lines)
    return text.count('"""') % 2 == 1 or text.count("'''") % 2 == 1


def _longest_program(lines: list[str]) -> str:
    return _shortened(lines, "")


def _shortened(lines: list[str], before: str) -> str:
    """The lines without an unfinished or talkative end; all of them if no part is a program."""
    whole = "\n".join(lines).rstrip()
    end = len(lines)
    for _ in range(_MOST_CUTS):
        text = "\n".join(lines[:end]).rstrip()
        if not text:
            break
        if _parses(before + text):
            return text
        end = _previous_top_level(lines, end, bool(before))
    return whole


def _previous_top_level(lines: list[str], end: int, is_body: bool) -> int:
    """Where the last piece at the margin starts; in a body, else, the last line."""
    for place in range(end - 1, 0, -1):
        if lines[place].strip() and lines[place][:1] not in (" ", "\t"):
            return place
    return end - 1 if is_body else 0


def _parses(text: str) -> bool:
    """Whether a text is Python; one that is made to be slow to parse is not."""
    if text.count("\\\n") > _LONGEST_LINE // 10 or max(map(len, text.split("\n"))) > _LONGEST_LINE:
        return False  # CPython takes minutes for `import a.a.a…` of a hundred thousand names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(ast.parse(text).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False

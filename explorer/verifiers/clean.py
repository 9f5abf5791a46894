r"""Spelling out an answer in one way: mark-up and units off, one form for each symbol.

Invariant: cleaning changes how an answer is written, never what it says; it knows no gold answer
and every pattern is linear in the text.
"""

from __future__ import annotations

import re

from explorer.core.answers import last_box
from explorer.verifiers.relations import as_union

_REPLACEMENTS = (
    (",\\!", ","), ("−", "-"), ("–", "-"),
    ("×", r"\times "), ("·", r"\cdot "), ("÷", "/"), ("π", r"\pi "),
    ("∞", r"\infty "), ("≤", r"\le "), ("≥", r"\ge "), ("≠", r"\ne "), ("∪", r"\cup "),
    ("∩", r"\cap "), ("∈", r"\in "), ("±", r"\pm "), ("θ", r"\theta "), ("½", r"\frac{1}{2}"),
    ("¼", r"\frac{1}{4}"), ("¾", r"\frac{3}{4}"), ("²", "^2"), ("³", "^3"), ("，", ","),
    ("（", "("), ("）", ")"), ("\u00a0", " "), ("€", ""), ("£", ""), ("¥", ""), ("°", r"^\circ"),
    (r"\dfrac", r"\frac"), (r"\tfrac", r"\frac"), (r"\cfrac", r"\frac"), (r"\left.", ""),
    (r"\right.", ""), (r"\%", "%"), (r"\$", ""), (r"\degree", r"^\circ"), (r"\!", ""),
    (r"\displaystyle", ""), (r"\textstyle", ""), (r"{,}", ","), (r"\lbrace", r"\{"),
    (r"\rbrace", r"\}"), (r"\leqslant", r"\le"), (r"\geqslant", r"\ge"), (r"\langle", "("),
    (r"\rangle", ")"),
    (r"\textrm", r"\text"), (r"\textnormal", r"\text"), (r"\mbox", r"\text"),
)  # fmt: skip
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])")
_SPACES = re.compile(r"(?<!\\)\\[,;:> ]|~|\\(?:q?quad|thinspace)(?![a-zA-Z])|(?<!\\)\\\n|\s+")
_JOINING_TEXT = re.compile(r"\\text\s?\{\s*,?\s*(?:and|or)\s*\}|,?\s+(?:and|or)\s+", re.IGNORECASE)
_OR = re.compile(r"(?<=\))\s*or\s*(?=\()")
_DEGREES = re.compile(r"\^\s?(?:\\circ(?![a-zA-Z])|\{\s?\\circ\s?\})|\\?\bdegrees?\b")
_DOLLARS = re.compile(r"\\[()\[\]]|\$")
_PERCENT = re.compile(r"\s?(?:\\text\s?\{\s*(?:percent|pct)\s*\}|\b(?:percentage|percent|pct)\b)")
_ATTACHED_PERCENT = re.compile(r"(?<=\d)(?:percentage|percent|pct)\b")
_UNIT_TEXT = re.compile(
    r"(?<=[\d})])\s*\\(?:text|mathrm)\s?\{\s*(?!and\b|or\b|e\}|i\}|d\})[a-zA-Z][^{}$\\]{0,60}\}"
    r"(?:\^\{?\d\}?)?(?=\s*$)"
)
_UNIT_WORDS = re.compile(
    r"(?P<number>[-+]?\s?\.?\d[\d,./]*(?: \d+/\d+)?%?)\s*"
    r"(?P<unit>(?:[a-zA-Z]{2,20}\.?(?:\^\{?\d\}?)?)(?:[ /](?:[a-zA-Z]{1,20})(?:\^\{?\d\}?)?){0,6})"
)
_THOUSANDS = re.compile(r"[^,;()\[\]]{0,3}[1-9]\d{0,2}(?:,\d{3})+(?![\d,])[^,;]*")
_NOT_A_UNIT = re.compile(
    r"\b(?:and|or|to|pi|mod|div|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|choose|times|plus|minus"
    r"|over|hundred|thousand|million|billion|dozen|percent|th|nd|rd|st|base|union|cup|cap|inf"
    r"|infty|infinity|xy|yz|ab|bc|abc|xyz)\b",
    re.IGNORECASE,
)
_REPEATS = re.compile(r"\d\.\.\.\s*$")
_STANDARD = tuple(
    (re.compile(rf"(?:\\text\s?\{{\s?)?(?:{pattern})(?:\s?\}})?", re.IGNORECASE), standard)
    for pattern, standard in (
        (
            r"\\varnothing|\\emptyset|\\\{\s?\\\}|\{\s?\}|∅|(?:the )?empty set"
            r"|no (?:real |such |integer )?solutions?(?: exists?)?",
            r"\emptyset",
        ),
        (r"all (?:the )?real numbers|\\mathbb\s?\{?R\}?|\\R|ℝ", r"(-\infty,\infty)"),
        (r"DNE|(?:the limit )?does not exist", r"\text{does not exist}"),
    )
)
"""Things that people say in several ways, and the one way in which they are compared."""

_SAID = re.compile(
    r"(?:\\text\s?\{\s?)?(?:so |thus |therefore,? )?(?:the )?(?:final |correct )?"
    r"(?:answer|option|choice) is:?(?:\s?\})?\s?(?=\S)",
    re.IGNORECASE,
)
KNOWN_UNITS = frozenset(
    """mm cm dm km ft in yd mi kg mg lb lbs oz mph kph kmh hr hrs sec secs min mins ms ml dl kw mw
    gb mb kb hz khz mhz pa kpa nm kj mol rad deg rpm sq cu yr yrs pct usd eur""".split()  # noqa: SIM905
)
"""Short words behind a number that are no product of variables."""

_LETTERED = re.compile(r"\\(?:text|textbf|mathbf|mathrm|textit|mathit|emph)\s?\{([^{}]*)\}")
_ASSIGNED = re.compile(
    r"\s*(?:[A-Za-z|∠△]|\\(?:angle|triangle|text|mathrm|overline|alpha|beta|theta|lambda|mu)"
    r"(?![a-z])|_\{?[A-Za-z0-9]{1,6}\}?|[{}():,\s]){1,40}=(?P<value>[^=<>]+)"
)


def clean(answer: str) -> str:
    """An answer without mark-up that carries no meaning, in one line."""
    text = last_box(answer) or answer
    for old, new in _REPLACEMENTS:
        text = text.replace(old, new)
    text = _DOLLARS.sub(" ", text) if not re.search(r"\\\\|\\begin", text) else _undollar(text)
    text = _SIZES.sub("", text)
    text = _SPACES.sub(" ", text).replace("{:}", ":")
    text = _SAID.sub("", text.strip())
    text = as_union(text) or text
    text = _PERCENT.sub("%", _ATTACHED_PERCENT.sub("%", text))
    text = _OR.sub(", ", _JOINING_TEXT.sub(", ", text))
    text = re.sub(r"(?:, ?){2,}", ", ", text)
    if _REPEATS.search(text):
        return text.strip().rstrip(",;:")
    text = text.strip().rstrip(".,;:").strip()
    for pattern, standard in _STANDARD:
        if pattern.fullmatch(text):
            return standard
    return _unwrapped(text)


def without_units(text: str) -> str:
    """A cleaned answer without units, currency signs or degrees behind its numbers."""
    parts = split_list(text)
    bare = [_without_unit(part) for part in parts]
    return text if bare == parts else ", ".join(bare)


def without_names(text: str) -> str:
    """`x = 5` as `5`, `AB = 4, CD = 5` as `4, 5`; an equation with work on its left stays.

    Groups between semicolons (`p=5,q=2; p=7,q=2`) are tuples.
    """
    groups = [_named_values(group) for group in split_list(text, ";")]
    if len(groups) > 1 and all(len(values) > 1 for values in groups):
        return ", ".join(f"({', '.join(values)})" for values in groups)
    bare = [value for values in groups for value in values]
    return ", ".join(bare) if "=" in text else text


def _named_values(text: str) -> list[str]:
    values = []
    for part in split_list(text, ","):
        match = _ASSIGNED.fullmatch(part)
        values.append(match["value"].strip() if match else part)
    return values


def _without_unit(text: str) -> str:
    text = _DEGREES.sub("", text)
    text = _UNIT_TEXT.sub("", text).strip()
    match = _UNIT_WORDS.fullmatch(text)
    if match and _are_units(match["unit"], text[match.end("number")] == " "):
        return match["number"].strip().rstrip(".,")
    return text.rstrip("\\").strip()


def _are_units(text: str, apart: bool) -> bool:
    """Whether the words behind a number say what it counts; `3yx` is a product, `3 cats` is not."""
    if _NOT_A_UNIT.search(text):
        return False
    words = re.findall(r"[A-Za-z]+", text)
    return all(
        word.lower() in KNOWN_UNITS
        or (len(word) > (2 if apart else 3) and re.search("[aeiou]", word, re.IGNORECASE))
        or (apart and place > 0)
        for place, word in enumerate(words)
    )


def _unwrapped(text: str) -> str:
    """`{1, 2}` as `1, 2`, where the first brace closes at the very end."""
    if not (text.startswith("{") and text.endswith("}")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:-1].strip() if place == len(text) - 1 else text
    return text


def split_list(text: str, separators: str = ",;") -> list[str]:
    """The parts between top-level separators, those of thousands left alone."""
    if _THOUSANDS.fullmatch(text):
        return [text]
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter in separators and depth <= 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [part for part in [*parts, text[start:].strip()] if part]


def as_words(text: str) -> str:
    r"""A textual answer as bare words: `\text{Evelyn}.` is `evelyn`; '' if it is not textual."""
    bare = _LETTERED.sub(r"\1", text)
    if re.search(r"[\\^_={}<>+*/\d]", bare):
        return ""
    words = re.findall(r"[^\W\d_]+", bare.casefold())
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words) if any(len(word) > 1 for word in words) else ""


def squeezed(text: str) -> str:
    """For string equality: no spaces, no text wrappers, sets of braces and case of letters kept."""
    # A space between two digits is kept: `2 1/2` is not `21/2`.
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", _LETTERED.sub(r"\1", text))


def _undollar(text: str) -> str:
    """As `_DOLLARS`, where a double backslash is a matrix row and `\\[` no display."""
    return text.replace("$", " ")

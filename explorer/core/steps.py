"""The steps of a worked solution: its calculations, and its sentences, with where they stand.

Two solutions that are worded differently but calculate the same take the same steps: a step's key
is its calculation without spaces, with one sign for each operation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_NUMBER: Final = r"\d(?:[\d,]*\d)?(?:\.\d+)?"
_OPERATOR: Final = r"(?:\s*(?:\\times|\\cdot|\\div|[-+*/×÷·−^=<>≤≥])\s*)"
_OPERAND: Final = rf"\(*[-−]?(?:\\d?frac\{{{_NUMBER}\}}\{{{_NUMBER}\}}|{_NUMBER}[a-z]?|[a-z]\b)\)*"
_STEP: Final = re.compile(
    # a lone letter stands alone: the last one of 'size = 5' is no variable
    rf"(?:(?=[\d(\\−-])|\b(?=[a-z]\b)){_OPERAND}(?:{_OPERATOR}{_OPERAND})*"
)
_FRACTION: Final = re.compile(rf"\\d?frac\{{({_NUMBER})\}}\{{({_NUMBER})\}}")
_SIGNS: Final = str.maketrans("×·÷−", "**/-")
_WORDS: Final = {"\\times": "*", "\\cdot": "*", "\\div": "/"}
_DIGIT: Final = re.compile(r"\d")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_BREAK: Final = re.compile(r"(?<=[.!?])\s+(?=[^\s])|\n+")


class Step(NamedTuple):
    """A calculation or a number: text[start:end], and what it is compared by."""

    start: int
    end: int
    key: str


class Span(NamedTuple):
    """text[start:end]."""

    start: int
    end: int


def steps(text: str) -> list[Step]:
    """Every calculation and lone number of a text, in order; lone letters are no step."""
    found = []
    for match in _STEP.finditer(text):
        if _DIGIT.search(match.group()):
            found.append(Step(match.start(), match.end(), _key(match.group())))
    return found


def sentences(text: str) -> list[Span]:
    """Sentences and lines, without the white space between them."""
    spans, start = [], 0
    for gap in _BREAK.finditer(text):
        if text[start : gap.start()].strip():
            spans.append(Span(start, gap.start()))
        start = gap.end()
    if text[start:].strip():
        spans.append(Span(start, len(text.rstrip())))
    return spans


def repeated(text: str, shortest: int = 20) -> list[Span]:
    """Sentences of at least `shortest` characters that occurred before, word for word."""
    seen: set[str] = set()
    found = []
    for span in sentences(text):
        words = " ".join(text[span.start : span.end].split()).casefold()
        if len(words) < shortest:
            continue
        if words in seen:
            found.append(span)
        seen.add(words)
    return found


@lru_cache(maxsize=20_000)  # samples of one problem write the same ones over and over
def _key(calculation: str) -> str:
    if calculation.isdecimal():
        return calculation
    plain = calculation.translate(_SIGNS)
    if "\\" in plain:
        plain = _FRACTION.sub(r"\1/\2", plain)
        for word, sign in _WORDS.items():
            plain = plain.replace(word, sign)
    plain = "".join(plain.split())
    if "," in plain:
        plain = _THOUSANDS.sub("", plain)
    return plain.strip("()").rstrip(",")

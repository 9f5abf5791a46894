r"""Plain numbers, read exactly: what most answers are, decided without a computer algebra system.

Invariant: a text is read as a number only if no other reading is sensible; everything else is
left to math-verify. Values are exact fractions; a percentage keeps its sign apart, because
datasets write 28 %, 28 and 0.28 for the same thing.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_LONGEST = 400
"""Longest text read as a number: conversion of digits is quadratic."""

_SIGN = r"(?P<sign>[-+]?)\s?"
_DIGITS = r"(?:[1-9]\d{0,2}(?:, ?\d{3})+|[1-9]\d{0,2}(?: \d{3})+|\d+)"
_DECIMAL = re.compile(rf"{_SIGN}(?P<whole>{_DIGITS})?(?P<part>\.\d*)?(?P<percent>\s?%)?")
_FRACTION = re.compile(
    rf"{_SIGN}(?:(?P<whole>{_DIGITS})\s+)?(?P<top>\d+)\s?/\s?(?P<bottom>\d+)(?P<percent>\s?%)?"
)
_TEX_FRACTION = re.compile(
    rf"{_SIGN}(?P<whole>{_DIGITS})?\s*\\frac\s*(?:\{{\s*(?P<top>-?\d+)\s*\}}|(?P<top1>\d))"
    r"\s*(?:\{\s*(?P<bottom>\d+)\s*\}|(?P<bottom1>\d))(?P<percent>\s?%)?"
)
_SCIENTIFIC = re.compile(
    rf"{_SIGN}(?P<whole>\d+)(?P<part>\.\d+)?\s?"
    r"(?:(?:\\times|\\cdot|\*|x)\s?10\s?\^\s?(?:\{\s?)?(?P<power>-?\d{1,3})\s?\}?"
    r"|[eE](?P<power1>[-+]?\d{1,3}))"
)
_COMMA_DECIMAL = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+),(?P<part>\d+)")


class Number(NamedTuple):
    """An exact value, whether '%' was written behind it, and the decimal places written."""

    value: Fraction
    percent: bool
    places: int | None  # None: written as a fraction, so exact


def read_number(text: str) -> Number | None:
    """The number that a cleaned text is, None if it is anything else."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    match = _DECIMAL.fullmatch(text)
    if match and re.search(r"\d", text):
        whole = re.sub(r"[, ]", "", match["whole"] or "0")
        part = (match["part"] or ".")[1:]
        value = Fraction(int(whole + part), 10 ** len(part))
        return Number(_signed(match, value), bool(match["percent"]), len(part))
    match = _SCIENTIFIC.fullmatch(text)
    if match:
        part = (match["part"] or ".")[1:]
        places = len(part) - int(match["power"] or match["power1"])
        value = Fraction(int(match["whole"] + part)) / Fraction(10) ** places
        return Number(_signed(match, value), False, max(places, 0))
    match = _FRACTION.fullmatch(text)
    if match:
        return _mixed(match, match["top"], match["bottom"])
    match = _TEX_FRACTION.fullmatch(text)
    if match:
        top, bottom = match["top"] or match["top1"], match["bottom"] or match["bottom1"]
        return _mixed(match, top, bottom)
    return None


def read_comma_decimal(text: str) -> Number | None:
    """`3,14` as the decimal it is in much of the world; None if it is not of that form."""
    match = _COMMA_DECIMAL.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST:
        return None
    part = match["part"]
    value = Fraction(int(match["whole"] + part), 10 ** len(part))
    return Number(_signed(match, value), False, len(part))


def same_number(gold: Number, answer: Number) -> bool:
    """Equal exactly, or equal as far as a long decimal was written.

    Across '%' and no '%', 28 % is 0.28 and, as graders in the field have it, also 28.
    """
    if gold.percent == answer.percent:
        return _close(gold, answer, gold.value, answer.value)
    plain, percent = (gold, answer) if answer.percent else (answer, gold)
    factors = (100,) if percent.places is None else (1, 100)
    return any(_close(plain, percent, plain.value, percent.value / by) for by in factors)


def _close(first: Number, second: Number, a: Fraction, b: Fraction) -> bool:
    if a == b:
        return True
    written = [one for one in (first, second) if one.places is not None]
    if not written:
        return False
    shorter = min(written, key=lambda one: one.places or 0)
    places = shorter.places or 0
    digits = len(str(abs(int(shorter.value * 10**places))))
    # Short decimals are taken at their word; six places with four digits are a rounded value.
    return places >= 6 and digits >= 4 and abs(a - b) <= Fraction(1, 10**places)


def _mixed(match: re.Match[str], top: str, bottom: str) -> Number | None:
    if int(bottom) == 0:
        return None
    part = Fraction(int(top), int(bottom))
    if match["whole"] is not None:
        if not 0 <= part < 1:
            return None
        part += int(re.sub(r"[, ]", "", match["whole"]))
    return Number(_signed(match, part), bool(match["percent"]), None)


def _signed(match: re.Match[str], value: Fraction) -> Fraction:
    return -value if match["sign"] == "-" else value

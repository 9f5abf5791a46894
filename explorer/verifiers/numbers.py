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
_RECURRING = re.compile(
    rf"{_SIGN}(?P<whole>\d{{0,40}})\.(?P<fixed>\d{{0,40}})(?:"
    r"\\(?:overline|bar|dot)\s?\{?\s?(?P<bar>\d{1,40})\s?\}?"
    r"|\\dot\s?\{?(?P<first>\d)\}?(?P<middle>\d{0,40})\\dot\s?\{?(?P<last>\d)\}?"
    r"|\((?P<round>\d{1,40})\)"
    r"|(?P<trail>)(?:\.\.\.|…|\\[lc]?dots))"
)
_BASED = re.compile(
    r"(?:\\(?:text|mathrm)\s?\{\s?)?(?P<digits>[0-9A-Za-z]{1,80})(?:\s?\})?\s?"
    r"(?:_\s?\{?\s?|\(?\s?base[- ])(?:\\(?:text|mathrm)\s?\{\s?)?\(?(?:base[- ])?"
    r"(?P<base>\d{1,2}|[a-z]{3,7})\)?(?:\s?\}){0,2}"
)
_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
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
    return _recurring(text)


class Based(NamedTuple):
    """A number written in a base: its digits without leading zeros, and what they are worth."""

    digits: str
    base: int
    value: int


def read_based(text: str) -> Based | None:
    """`204_5`, `A3_{16}`, `101 base 2`; None if a digit does not belong to the base."""
    match = _BASED.fullmatch(text.strip())
    if match is None:
        return None
    base = int(match["base"]) if match["base"].isdigit() else _BASES.get(match["base"], 0)
    try:
        value = int(match["digits"], base) if 2 <= base <= 36 else None
    except ValueError:
        return None
    if value is None or not any(letter.isdigit() for letter in match["digits"]):
        return None
    return Based(match["digits"].lstrip("0").upper() or "0", base, value)


def same_based(gold: str, answer: str) -> bool | None:
    """Whether numbers of which at least one has a base are equal; None if none has, or unsure.

    Where one side leaves the base to the question, the digits must agree.
    """
    first, second = read_based(gold), read_based(answer)
    if first and second:
        return first.value == second.value
    based, other = (first, answer) if first else (second, gold)
    if based is None or not re.fullmatch(r"[0-9A-Za-z]{1,80}", other.strip()):
        return None
    return (other.strip().lstrip("0").upper() or "0") == based.digits


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


def _recurring(text: str) -> Number | None:
    """A recurring decimal, exactly; three dots need a period that is seen to repeat."""
    match = _RECURRING.fullmatch(text)
    if match is None:
        return None
    fixed = match["fixed"]
    period = match["bar"] or match["round"] or ""
    if match["first"]:
        period = match["first"] + match["middle"] + match["last"]
    if match["trail"] is not None:
        seen = re.search(r"(\d{1,20}?)\1{2,}$|(\d{2,20}?)\2$", fixed)
        if seen is None:
            return None
        period, fixed = seen[1] or seen[2], fixed[: seen.start()]
    whole = Fraction(int((match["whole"] or "0") + fixed), 10 ** len(fixed))
    part = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))
    return Number(_signed(match, whole + part), False, None)


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

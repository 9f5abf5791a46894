r"""Units where both sides have one: `100 cm` is `1 m`, and `5 cm` is not `5 kg`.

A unit on one side only says nothing (datasets drop them at will) and is not looked at here.
Invariant: only units in the table are understood; any other is left to the caller.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from explorer.verifiers.numbers import Number, read_number

_INCH = Fraction(254, 10000)
_POUND = Fraction(45359237, 100000)

_TABLE: Final[dict[str, tuple[str, Fraction, str]]] = {
    "m": ("length", Fraction(1), "meter meters metre metres"),
    "cm": ("length", Fraction(1, 100), "centimeter centimeters centimetre centimetres"),
    "mm": ("length", Fraction(1, 1000), "millimeter millimeters millimetre millimetres"),
    "km": ("length", Fraction(1000), "kilometer kilometers kilometre kilometres"),
    "in": ("length", _INCH, "inch inches"),
    "ft": ("length", 12 * _INCH, "foot feet"),
    "yd": ("length", 36 * _INCH, "yard yards"),
    "mi": ("length", 63360 * _INCH, "mile miles"),
    "g": ("mass", Fraction(1), "gram grams"),
    "kg": ("mass", Fraction(1000), "kilogram kilograms"),
    "mg": ("mass", Fraction(1, 1000), "milligram milligrams"),
    "lb": ("mass", _POUND, "lbs pound pounds"),
    "oz": ("mass", _POUND / 16, "ounce ounces"),
    "s": ("time", Fraction(1), "sec secs second seconds"),
    "min": ("time", Fraction(60), "mins minute minutes"),
    "h": ("time", Fraction(3600), "hr hrs hour hours"),
    "day": ("time", Fraction(86400), "days"),
    "week": ("time", Fraction(604800), "weeks"),
    "month": ("month", Fraction(1), "months"),
    "year": ("month", Fraction(12), "years yr yrs"),
    "L": ("volume", Fraction(1), "l liter liters litre litres"),
    "mL": ("volume", Fraction(1, 1000), "ml milliliter milliliters millilitre millilitres"),
    "dollar": ("dollar", Fraction(1), "dollars usd"),
    "cent": ("dollar", Fraction(1, 100), "cents"),
    "degree": ("degree", Fraction(1), "degrees"),
    "radian": ("radian", Fraction(1), "radians rad"),
}

_NAMES: Final = {
    name: (dimension, factor)
    for short, (dimension, factor, others) in _TABLE.items()
    for name in (short, *others.split())
}

_MEASURED = re.compile(
    r"(?P<number>[-+]?[\d.,]{1,40}(?: \d{1,9}/\d{1,9})?"
    r"|[-+]?\d{0,9}\\frac\{\d{1,20}\}\{\d{1,20}\})\s?"
    r"(?:\\(?:text|mathrm)\s?\{\s?(?P<worded>[A-Za-z /.]{1,40}?)\s?\}|(?P<bare>[A-Za-z /]{1,40}))"
    r"(?:\^\s?\{?\s?(?P<power>[23])\s?\}?)?"
)


class _Unit(NamedTuple):
    dimension: str
    factor: Fraction


def same_measure(gold: str, answer: str) -> bool | None:
    """Whether two cleaned texts, each a number with a known unit, are equal; None for others."""
    first, second = _read(gold), _read(answer)
    if first is None or second is None:
        return None
    if first[1].dimension != second[1].dimension:
        return False
    return first[0].value * first[1].factor == second[0].value * second[1].factor


def bare_measure(text: str) -> str:
    """`1000 m` as `1000`, where a space tells the unit from a variable; others as they are."""
    match = _MEASURED.fullmatch(text)
    if match is None or _read(text) is None:
        return text
    number = match["number"].strip()
    return number if match["worded"] or text[len(match["number"])] == " " else text


def _read(text: str) -> tuple[Number, _Unit] | None:
    match = _MEASURED.fullmatch(text)
    if match is None:
        return None
    number = read_number(match["number"].strip())
    unit = _unit((match["worded"] or match["bare"]).strip(" ."), int(match["power"] or 1))
    return (number, unit) if number and unit else None


def _unit(text: str, power: int) -> _Unit | None:
    squared = re.fullmatch(r"(square|sq|cubic) (\w+)|(\w+) (squared|cubed)", text)
    if squared:
        power = 3 if (squared[1] or squared[4]) in ("cubic", "cubed") else 2
        text = squared[2] or squared[3]
    if text == "mph":
        text = "mile/hour"
    top, *below = re.split(r"\s?/\s?| per ", text)
    if len(below) > 1 or (below and power > 1):
        return None
    parts = [_NAMES.get(part) or _NAMES.get(part.lower()) for part in (top, *below)]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    if len(known) == 2:
        return _Unit(f"{known[0][0]}/{known[1][0]}", known[0][1] / known[1][1])
    dimension = known[0][0] + (str(power) if power > 1 else "")
    return _Unit(dimension, known[0][1] ** power)

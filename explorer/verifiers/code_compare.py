"""When an output or a returned value is the expected one, as LiveCodeBench's own grader says.

Invariant: both sides are plain data here; nothing of the answer's can take part in `==`.
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any


def same_output(expected: str, printed: str, tolerance: float = 0.0) -> bool:
    """Line by line without white space at the ends; a line of numbers may write them otherwise.

    Source: LiveCodeBench `testing_util.grade_stdio` (lines stripped, then Decimals). With a
    `tolerance`, floats may also differ by that much.
    """
    right, given = _lines(expected), _lines(printed)
    return len(right) == len(given) and all(
        _same_line(*pair, tolerance) for pair in zip(right, given, strict=True)
    )


def same_value(expected: Any, value: Any, tolerance: float = 0.0) -> bool:
    """Equality where tuples count as lists at every level, since JSON knows only lists."""
    expected, value = _lists(expected), _lists(value)
    try:
        if bool(expected == value):
            return True
    except Exception:  # an array that is compared element by element
        return False
    return tolerance > 0 and _near(expected, value, tolerance)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_line(right: str, given: str, tolerance: float) -> bool:
    if right == given:
        return True
    words, others = right.split(), given.split()
    if words == others:
        return True
    if len(words) != len(others):
        return False
    numbers, other_numbers = _decimals(words), _decimals(others)
    if numbers is None or other_numbers is None:
        return False
    return all(
        one == other or (tolerance > 0 and abs(one - other) <= Decimal(tolerance))
        for one, other in zip(numbers, other_numbers, strict=True)
    )


def _decimals(words: list[str]) -> list[Decimal] | None:
    """The words as finite numbers of sane size, None if one of them is none."""
    numbers = []
    for word in words:
        try:
            number = Decimal(word)
        except InvalidOperation:
            return None
        if not number.is_finite() or abs(number.adjusted()) > 10_000:
            return None
        numbers.append(number)
    return numbers


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return value


def _near(expected: Any, value: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        return (
            isinstance(value, list)
            and len(value) == len(expected)
            and all(_near(*pair, tolerance) for pair in zip(expected, value, strict=True))
        )
    numbers = (int, float)
    if isinstance(expected, numbers) and isinstance(value, numbers):
        return math.isclose(expected, value, rel_tol=0.0, abs_tol=tolerance)
    return bool(expected == value)

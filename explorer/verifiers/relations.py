r"""Solution sets written as inequalities: `x < -1 or x > 3` is a union of intervals.

Invariant: only plain inequalities in one and the same letter are read; anything else is None.
"""

from __future__ import annotations

import re
from typing import Final

_OR = re.compile(r"\\text\s?\{\s*or\s*\}|\bor\b|\\lor(?![a-zA-Z])|\\cup(?![a-zA-Z])", re.IGNORECASE)
_AND = re.compile(r"\\text\s?\{\s*and\s*\}|\band\b|\\land(?![a-zA-Z])", re.IGNORECASE)
_SIGN: Final = r"(<=|>=|<|>|\\leqslant|\\geqslant|\\leq|\\geq|\\le|\\ge|\\lt|\\gt|≤|≥)"
_NOT_A_BOUND: Final = r"[^<>=≤≥,;]"
_LETTER: Final = r"(\\?[A-Za-z]{1,6})"
_AFTER = re.compile(rf"{_LETTER}\s*{_SIGN}(?![a-zA-Z])\s*({_NOT_A_BOUND}{{1,80}})")
_BEFORE = re.compile(rf"({_NOT_A_BOUND}{{1,80}}?)\s*{_SIGN}(?![a-zA-Z])\s*{_LETTER}")
_BETWEEN = re.compile(
    rf"({_NOT_A_BOUND}{{1,80}}?)\s*{_SIGN}(?![a-zA-Z])\s*{_LETTER}\s*{_SIGN}(?![a-zA-Z])"
    rf"\s*({_NOT_A_BOUND}{{1,80}})"
)
_STRICT: Final = ("<", ">", r"\lt", r"\gt")
_LESS: Final = ("<", "<=", r"\lt", r"\le", r"\leq", r"\leqslant", "≤")


def as_union(text: str) -> str | None:
    r"""`x<-1 or x>3` as `(-\infty,-1)\cup(3,\infty)`; None unless all of it reads like that."""
    both = [piece.strip(" ,$") for piece in _AND.split(text)]
    if len(both) == 2:
        return _between(both[0], both[1])
    pieces = [piece.strip(" ,$") for piece in _OR.split(text)]
    if not 2 <= len(pieces) <= 12:
        return None
    found = [_interval(piece) for piece in pieces]
    if any(one is None for one in found):
        return None
    known = [one for one in found if one is not None]
    if len({letter for letter, _ in known}) != 1:
        return None
    return r"\cup ".join(interval for _, interval in known)


def _between(first: str, second: str) -> str | None:
    """`x>1 and x<2` as `(1,2)`: a lower and an upper bound of the same letter."""
    found = _interval(first), _interval(second)
    if found[0] is None or found[1] is None or found[0][0] != found[1][0]:
        return None
    low, high = (found[0][1], found[1][1])
    if low.startswith("(-\\infty,"):
        low, high = high, low
    if not (low.endswith(",\\infty)") and high.startswith("(-\\infty,")):
        return None
    return low.removesuffix("\\infty)") + high.removeprefix("(-\\infty,")


def as_interval(text: str) -> str | None:
    r"""`x \le 3` as `(-\infty,3]`, `2<x<5` as `(2,5)`; None unless it is one plain inequality."""
    found = _interval(text.strip(" ,$"))
    return found[1] if found else None


def _interval(text: str) -> tuple[str, str] | None:
    """The letter and the interval of one inequality."""
    match = _BETWEEN.fullmatch(text)
    if match:
        low, first, letter, second, high = match.groups()
        if (first in _LESS) != (second in _LESS):
            return None
        if first not in _LESS:
            low, first, second, high = high, second, first, low
        opening = "(" if first in _STRICT else "["
        return letter, f"{opening}{low.strip()},{high.strip()}" + (
            ")" if second in _STRICT else "]"
        )
    match = _AFTER.fullmatch(text)
    if match:
        letter, sign, bound = match.groups()
        less = sign in _LESS
    else:
        match = _BEFORE.fullmatch(text)
        if match is None:
            return None
        bound, sign, letter = match.groups()
        less = sign not in _LESS
    bound, strict = bound.strip(), sign in _STRICT
    if less:
        return letter, rf"(-\infty,{bound}" + (")" if strict else "]")
    return letter, ("(" if strict else "[") + rf"{bound},\infty)"

"""Whether, and where, the base's curve overtakes another's over a set of problems.

A crossing is marked only where the bands separate: a k at which the other is above with its 95 %
paired band clear of zero, and a larger k at which the base is. Two curves that merely touch are
said to be 'not separated', which is what most published crossings of small sets are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.intervals import bootstrap_mean
from explorer.core.passk import standard_ks, table
from explorer.store.rows import Tally
from explorer.views.numbers import plural

Floats = NDArray[np.float64]

EQUAL: Final = 1e-12
"""Means that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the mean curves of two arms cross, over the problems that both reach k on.

    Attributes:
        base, other: names of the models.
        problems: how many problems the curves are over.
        ahead: largest k at which the other is separately above; 0 if at none.
        overtaken: smallest later k at which the base is separately above; 0 if at none.
        touched: smallest k from which the base's mean is at least the other's; 0 if it never is.
        largest: the largest k compared.
    """

    base: str
    other: str
    problems: int
    ahead: int
    overtaken: int
    touched: int
    largest: int

    @property
    def is_separated(self) -> bool:
        return bool(self.ahead and self.overtaken)

    def sentence(self) -> str:
        """What can be said: where they cross, that they touch, or that they do not."""
        pair = f"{self.base} and {self.other}"
        if not self.largest:
            return f"{pair}: not sampled together yet"
        if self.is_separated:
            return (
                f"{pair} cross between k = {self.ahead:,} and {self.overtaken:,},"
                f" bands separate, {plural(self.problems, 'problem')}"
            )
        if self.touched > 1:
            return f"{pair} meet at k = {self.touched:,}, but the bands are not separated there"
        if self.touched == 1:
            return f"{self.base} is nowhere below {self.other} up to k = {self.largest:,}"
        return f"no crossing up to k = {self.largest:,}: {self.other} stays above"


def crossing(base: str, other: str, cells: Sequence[tuple[Tally, Tally]]) -> Crossing:
    """The crossing of two arms, up to the least n: the mean over problems is unbiased up to there.

    Args:
        cells: the tallies of both on each problem; those without samples of both are left out.
    """
    used = [(one, two) for one, two in cells if one.n and two.n]
    least = min((min(one.n, two.n) for one, two in used), default=0)
    ks = standard_ks(least)
    if not ks:
        return Crossing(base, other, len(used), 0, 0, 0, 0)
    first, second = (
        table([pair[side].correct for pair in used], [pair[side].n for pair in used], ks)
        for side in (0, 1)
    )
    difference = first - second
    band = bootstrap_mean(difference)
    mean = difference.mean(axis=0)
    below = [k for k, upper in zip(ks, band.upper, strict=True) if upper < 0]
    ahead = below[-1] if below else 0
    later = [k for k, lower in zip(ks, band.lower, strict=True) if lower > 0 and k > ahead]
    return Crossing(
        base, other, len(used), ahead, later[0] if later else 0, _from(ks, mean), ks[-1]
    )


def _from(ks: Sequence[int], mean: Floats) -> int:
    """The smallest k from which the base is nowhere below and somewhere above; 0 if from none.

    Where both have solved all that they ever solve the curves coincide: that is no crossing.
    """
    touched, above = 0, False
    for k, value in zip(reversed(ks), reversed(mean.tolist()), strict=True):
        if value < -EQUAL:
            break
        touched, above = k, above or value > EQUAL
    return touched if above or touched == ks[0] else 0

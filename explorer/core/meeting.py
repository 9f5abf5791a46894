"""At which k two mean pass@k curves cross, with an interval by bootstrap over problems.

Between the ks at which curves are computed the difference is taken to be linear in log2 k, as it
is drawn. Invariant: a resample whose curves never cross counts as 'beyond the largest k', so an
interval is never narrower because some resamples were left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.intervals import LEVEL, RESAMPLES, resampled_means

Floats = NDArray[np.float64]

LEVEL_WITHIN: Final = 1e-12
"""Means that differ by no more are equal: it is rounding."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where base's curve overtakes another's.

    Attributes:
        at: k of the crossing of the mean curves; 1.0 if base leads from the start, inf if it never
            overtakes up to `largest`, NaN if nothing could be compared.
        lower, upper: 95 % interval of it; inf means 'beyond `largest`, if at all'.
        share: part of the resamples in which base overtakes by `largest`.
        largest: the largest k compared.
    """

    at: float
    lower: float
    upper: float
    share: float
    largest: int


NOWHERE: Final = Meeting(math.nan, math.nan, math.nan, math.nan, 0)
"""Of arms that have no problem in common."""


def meeting(
    difference: Floats,
    ks: Sequence[int],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Meeting:
    """The crossing of two arms.

    Args:
        difference: [P, K] base's pass@k minus the other's, problem by problem, without NaN.
        ks: the K ks, rising.
    """
    if not len(difference) or not len(ks):
        return NOWHERE
    resampled = resampled_means(difference, resamples=resamples, seed=seed)
    return meeting_of(difference.mean(axis=0), resampled, ks, level)


def meeting_of(mean: Floats, resampled: Floats, ks: Sequence[int], level: float = LEVEL) -> Meeting:
    """The crossing, from the [K] mean difference and its [R, K] resampled means."""
    at = crossing_points(mean[None, :], ks)[0]
    drawn = np.sort(crossing_points(resampled, ks))
    tail = (1 - level) / 2
    lower = drawn[math.floor(tail * (len(drawn) - 1))]
    upper = drawn[math.ceil((1 - tail) * (len(drawn) - 1))]
    share = float(np.isfinite(drawn).mean())
    return Meeting(float(at), float(lower), float(upper), share, int(ks[-1]))


def crossing_points(difference: Floats, ks: Sequence[int]) -> Floats:
    """[R] the k from which base leads in each row of [R, K] differences; inf if it never does.

    1.0 where the other never led. Curves that end level have not crossed: at k = n every problem
    solved once counts as solved, whatever the models are.
    """
    rows, last = len(difference), len(ks) - 1
    negative, positive = difference < -LEVEL_WITHIN, difference > LEVEL_WITHIN
    from_end = negative[:, ::-1].argmax(axis=1)  # columns from the end to the last negative one
    left = np.where(negative.any(axis=1), last - from_end, -1)
    overtakes = positive.any(axis=1) & (last - positive[:, ::-1].argmax(axis=1) > left)
    found = np.where(overtakes, float(ks[0]), np.inf)
    inside = overtakes & (left >= 0)
    row = np.arange(rows)[inside]
    low, high = difference[row, left[inside]], difference[row, left[inside] + 1]
    log_ks = np.log2(np.asarray(ks, dtype=np.float64))
    start, end = log_ks[left[inside]], log_ks[left[inside] + 1]
    found[inside] = 2 ** (start + (end - start) * (-low) / (np.maximum(high, 0.0) - low))
    return found

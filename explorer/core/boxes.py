"""A distribution as a box: quantiles and how many values they rest on.

Invariant: whiskers are quantiles (5 % and 95 %), not a multiple of the box, so that the numbers of
a figure can be printed and compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Box:
    """Quantiles of n values: 5, 25, 50, 75 and 95 %; NaN where n = 0."""

    n: int
    low: float
    lower: float
    median: float
    upper: float
    high: float


def box(values: ArrayLike) -> Box:
    """The box of some values; NaN among them is left out."""
    known = np.asarray(values, dtype=np.float64).reshape(-1)
    known = known[~np.isnan(known)]
    if not len(known):
        return Box(0, *[math.nan] * 5)
    marks = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
    return Box(len(known), *marks.tolist())

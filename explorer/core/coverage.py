"""Which problems each model solves, and what a set of them says about a pair of models.

Invariant: 'solves' means at least one correct among n graded samples; n is always shown beside
it, and a class letter carries '?' when an undecided sample could turn it into another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.core.passk import mean_curve

NAN = float("nan")

HISTOGRAM_LABELS = (
    "0", "(0,.1]", "(.1,.2]", "(.2,.3]", "(.3,.4]", "(.4,.5]",
    "(.5,.6]", "(.6,.7]", "(.7,.8]", "(.8,.9]", "(.9,1)", "1",
)  # fmt: skip
"""The paper's twelve accuracy bins (figure 5): 0 and 1 are bins of their own."""

DELTA_SE_K = 256
"""The k of the base model's pass@k in the paper's sampling-efficiency gap."""


class Counts(Protocol):
    """Graded samples of one arm on one problem; the store's tallies fit."""

    @property
    def n(self) -> int: ...
    @property
    def correct(self) -> int: ...
    @property
    def undecided(self) -> int: ...


class Coverage(StrEnum):
    """What became of the base model's ability on a problem."""

    PRESERVED = "P"  # both solve it
    EXPANDED = "E"  # only the other model does
    SHRUNK = "S"  # only base does
    OUT = "O"  # neither does


@dataclass(frozen=True, slots=True)
class CoverageClass:
    """A problem's class and whether undecided samples leave it open."""

    coverage: Coverage
    uncertain: bool

    def __str__(self) -> str:
        return f"{self.coverage.value}?" if self.uncertain else self.coverage.value


@dataclass(frozen=True, slots=True)
class CoverageCounts:
    """The 2x2 of a set of problems, and the support metrics of 'The Invisible Leash'.

    Every metric is NaN where its denominator is 0.
    """

    preserved: int = 0
    expanded: int = 0
    shrunk: int = 0
    out: int = 0
    uncertain: int = 0

    @property
    def total(self) -> int:
        return self.preserved + self.expanded + self.shrunk + self.out

    @property
    def retention(self) -> float:
        """SRR = P / (P + S): the share of base's solved problems that is kept."""
        return _ratio(self.preserved, self.preserved + self.shrunk)

    @property
    def discovery(self) -> float:
        """NDR = E / (P + E): the share of the other's solved problems that is new."""
        return _ratio(self.expanded, self.preserved + self.expanded)

    @property
    def dynamic(self) -> float:
        """SDS = harmonic mean of SRR and NDR."""
        p, e, s = self.preserved, self.expanded, self.shrunk
        return _ratio(2 * p * e, p * p + 2 * p * e + e * s)

    @property
    def net_change(self) -> float:
        """NSCR = (E - S) / (P + E + S): net growth of what is solved."""
        solved = self.preserved + self.expanded + self.shrunk
        return _ratio(self.expanded - self.shrunk, solved)


class Bin(NamedTuple):
    """One bar of the accuracy histogram: how many problems, and their share of all."""

    label: str
    problems: int
    share: float


def classify(base: Counts, other: Counts) -> CoverageClass | None:
    """The class of a problem; None while either model has no graded sample."""
    if base.n == 0 or other.n == 0:
        return None
    if base.correct > 0:
        coverage = Coverage.PRESERVED if other.correct > 0 else Coverage.SHRUNK
    else:
        coverage = Coverage.EXPANDED if other.correct > 0 else Coverage.OUT
    return CoverageClass(coverage, _is_open(base) or _is_open(other))


def count_classes(classes: Iterable[CoverageClass | None]) -> CoverageCounts:
    """The 2x2 of the problems that have a class."""
    known = [one for one in classes if one is not None]
    letters = [one.coverage for one in known]
    return CoverageCounts(
        preserved=letters.count(Coverage.PRESERVED),
        expanded=letters.count(Coverage.EXPANDED),
        shrunk=letters.count(Coverage.SHRUNK),
        out=letters.count(Coverage.OUT),
        uncertain=sum(one.uncertain for one in known),
    )


def accuracy_bins(c: ArrayLike, n: ArrayLike) -> NDArray[np.int64]:
    """[P] bin 0..11 of each problem's accuracy c/n, in integers; -1 where n = 0.

    Raises:
        ValueError: some c is not in 0..n.
    """
    correct = np.asarray(c, dtype=np.int64)
    samples = np.asarray(n, dtype=np.int64)
    if np.any(correct < 0) or np.any(correct > samples):
        raise ValueError("the number correct must lie between 0 and the number of samples")
    inner = -(-10 * correct // np.maximum(samples, 1))
    bins = np.where(correct == 0, 0, np.where(correct == samples, 11, inner))
    return np.where(samples == 0, -1, bins)


def accuracy_histogram(c: ArrayLike, n: ArrayLike) -> list[Bin]:
    """The paper's 12-bin histogram over the problems that have samples (figure 5)."""
    bins = accuracy_bins(c, n).reshape(-1)
    counts = np.bincount(bins[bins >= 0], minlength=12)
    total = int(counts.sum())
    return [
        Bin(label, int(count), _ratio(int(count), total))
        for label, count in zip(HISTOGRAM_LABELS, counts, strict=True)
    ]


def delta_se(
    base_c: ArrayLike,
    base_n: ArrayLike,
    rl_c: ArrayLike,
    rl_n: ArrayLike,
    k: int = DELTA_SE_K,
) -> float:
    """Sampling-efficiency gap: base pass@k minus RL pass@1; lower is better, NaN if k > min n.

    0 means that RL puts into one sample all that base has in k. Source: the paper, section 2.
    """
    return sampling_gap(mean_curve(base_c, base_n, [k])[0], mean_curve(rl_c, rl_n, [1])[0])


def sampling_gap(base_at_k: float, rl_at_1: float) -> float:
    """Δ_SE from the two pass@k themselves, in whatever unit both are."""
    return float(base_at_k - rl_at_1)


def _is_open(counts: Counts) -> bool:
    return counts.correct == 0 and counts.undecided > 0


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else NAN

"""What is believed about an arm's p on a problem, and whether two arms' p differ.

p is the chance that one sample is correct. Beliefs live on a fixed grid of log-odds, so that any
prior will do and every question is a sum. The prior is uniform, or a beta distribution fitted to
the arm's other problems: p is far from uniform over the problems of a benchmark (many are never
solved, some always), and statements under the wrong prior hold less often than they say. Under
the right prior a posterior stays right however one decides when to stop sampling, which is what
lets `sampling until it is settled` make honest statements.

Invariant: weights are non-negative and sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_LOG_ODDS: Floats = np.linspace(-24.0, 24.0, 2401)
GRID: Floats = 1 / (1 + np.exp(-_LOG_ODDS))
"""[G] values of p, from 4e-11 to 1 - 4e-11, even in log-odds."""

_LOG_P: Floats = -np.logaddexp(0, -_LOG_ODDS)
_LOG_Q: Floats = -np.logaddexp(0, _LOG_ODDS)

FEWEST = 4
"""Samples below which a problem does not help to fit a prior."""

SETTLED = 0.95
"""A direction is called settled when it is believed at least this much."""


class Prior(NamedTuple):
    """Beta(alpha, beta); (1, 1) is uniform."""

    alpha: float = 1.0
    beta: float = 1.0

    def weights(self) -> Floats:
        """[G] probability of each grid point."""
        return _normalised(self.alpha * _LOG_P + self.beta * _LOG_Q)


UNIFORM = Prior()


@dataclass(frozen=True, slots=True)
class Belief:
    """A distribution over p on the grid.

    Attributes:
        weights: [G] probability of each grid point.
        c, n: the counts behind it.
    """

    weights: Floats
    c: int
    n: int

    def mean(self) -> float:
        return float(self.weights @ GRID)

    def interval(self, level: float = SETTLED) -> tuple[float, float]:
        """Credible interval of p: equal tails, but one-sided where none or all are correct."""
        low, high = (1 - level) / 2, (1 + level) / 2
        if self.c == 0:
            return 0.0, self.quantile(level)
        if self.c == self.n:
            return self.quantile(1 - level), 1.0
        return self.quantile(low), self.quantile(high)

    def quantile(self, q: float) -> float:
        """p below which a share q of the belief lies, interpolated between grid points."""
        sums = np.cumsum(self.weights) - self.weights / 2
        return float(np.interp(q, sums, GRID))

    def pass_at(self, k: int, level: float = SETTLED) -> tuple[float, float, float]:
        """(mean, lower, upper) of 1 - (1 - p)^k, for any k: beyond n it is an extrapolation."""
        reached = -np.expm1(k * _LOG_Q)
        low, high = (-np.expm1(k * np.log1p(-min(p, 1 - 1e-12))) for p in self.interval(level))
        return float(self.weights @ reached), float(low), float(high)

    def exceeds(self, other: Belief) -> float:
        """Probability that this p is above the other's; also that its pass@k is, at any k.

        pass@k grows with p, so the order of two arms on one problem is the same at every k.
        """
        below = np.cumsum(other.weights) - other.weights / 2
        return float(self.weights @ below)


def believe(c: int, n: int, prior: Prior = UNIFORM) -> Belief:
    """The posterior after c correct of n.

    Raises:
        ValueError: c is not in 0..n.
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} correct of {n} samples is impossible")
    logs = (prior.alpha + c) * _LOG_P + (prior.beta + n - c) * _LOG_Q
    return Belief(_normalised(logs), c, n)


def fit_prior(c: ArrayLike, n: ArrayLike) -> Prior:
    """The beta distribution under which the counts of a set of problems are most likely.

    Fewer than ten problems with at least `FEWEST` samples say too little; then the prior is
    uniform. (From one sample each only the mean of p can be learnt, not how it spreads.)

    Source: beta-binomial maximum likelihood, by a search that is refined twice.
    """
    correct, samples = np.asarray(c, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tallies = np.stack([correct, samples], axis=1)[samples >= FEWEST]
    if len(tallies) < 10:
        return UNIFORM
    distinct, counts = np.unique(tallies, axis=0, return_counts=True)
    logs = distinct[:, :1] * _LOG_P + (distinct[:, 1:] - distinct[:, :1]) * _LOG_Q
    peaks = logs.max(axis=1, keepdims=True)
    likelihood = np.exp(logs - peaks)
    low, high = np.log([0.02, 0.02]), np.log([100.0, 100.0])
    best = np.zeros(2)
    for _ in range(3):
        axes = [np.linspace(low[i], high[i], 13) for i in range(2)]
        scored = [
            (float(counts @ np.log(likelihood @ Prior(*np.exp([a, b])).weights())), a, b)
            for a in axes[0]
            for b in axes[1]
        ]
        _, *found = max(scored)
        best, step = np.array(found), (high - low) / 12
        low, high = best - step, best + step
    alpha, beta = np.exp(best).tolist()
    return Prior(alpha, beta)


def samples_to_settle(
    first: Belief, second: Belief, *, cap: int = 4096, level: float = SETTLED, draws: int = 200
) -> int | None:
    """About how many more samples of each arm would settle which p is larger.

    The smallest of 1, 2, 4, … after which at least half of the futures that the beliefs allow
    are settled; 0 if it is settled now; None if even `cap` would not do.
    """
    if is_settled(first, second, level):
        return 0
    random = np.random.default_rng(0)
    futures = [
        (random.choice(GRID, draws, p=one.weights), _logs(one.weights)) for one in (first, second)
    ]
    more = 1
    while more <= cap:
        beliefs = [_after(logs, random.binomial(more, chances), more) for chances, logs in futures]
        below = np.cumsum(beliefs[1], axis=1) - beliefs[1] / 2
        above = (beliefs[0] * below).sum(axis=1)
        if np.mean(np.maximum(above, 1 - above) >= level) >= 0.5:
            return more
        more *= 2
    return None


def is_settled(first: Belief, second: Belief, level: float = SETTLED) -> bool:
    """Whether one p is believed to be the larger with at least `level`."""
    above = first.exceeds(second)
    return max(above, 1 - above) >= level


def _after(logs: Floats, hits: NDArray[np.int64], more: int) -> Floats:
    """[D, G] beliefs after `more` samples of which `hits` [D] were correct."""
    rows = logs + hits[:, None] * _LOG_P + (more - hits[:, None]) * _LOG_Q
    weights = np.exp(rows - rows.max(axis=1, keepdims=True))
    result: Floats = weights / weights.sum(axis=1, keepdims=True)
    return result


def _logs(weights: Floats) -> Floats:
    result: Floats = np.log(np.maximum(weights, 1e-300))
    return result


def _normalised(logs: Floats) -> Floats:
    weights = np.exp(logs - logs.max())
    result: Floats = weights / weights.sum()
    return result

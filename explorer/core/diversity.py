"""How varied an arm's answers are, and how steadily it is right.

Everything is computed from counts of the answers given; no answer at all is a class of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.core.passk import standard_ks

Floats = NDArray[np.float64]

DRAWS = 2000
"""Resamples of a majority vote; its standard error is then at most 0.011."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one arm to one problem.

    Attributes:
        counts: how often each distinct answer was given; '' is no answer.
        correct: the answers that the verifier accepts.
    """

    counts: Mapping[str, int]
    correct: frozenset[str]

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    @property
    def distinct(self) -> int:
        """Different answers, none at all not counted."""
        return sum(1 for answer, count in self.counts.items() if answer and count)


def answer_entropy(counts: Mapping[str, int]) -> float:
    """-sum p ln p over the distinct answers, in nats; NaN without samples.

    Source: 'The Invisible Leash' (no answer is a class of its own).
    """
    total = sum(counts.values())
    if total == 0:
        return math.nan
    shares = [count / total for count in counts.values() if count]
    return -sum(share * math.log(share) for share in shares) + 0.0


def majority_at_k(answers: Answers, k: int, *, draws: int = DRAWS) -> float:
    """Chance that the most frequent answer among k samples is correct; ties share evenly.

    k samples are drawn without replacement, `draws` times (an approximation, with a fixed seed);
    exact for k = 1 and k = n. No answer cannot win. NaN for k > n.
    """
    names = list(answers.counts)
    counts = np.array([answers.counts[name] for name in names], dtype=np.int64)
    n = int(counts.sum())
    if not 1 <= k <= n:
        return math.nan
    right = np.array([name in answers.correct for name in names])
    voting = np.array([bool(name) for name in names])
    if k == 1:
        return float(counts[right].sum() / n)
    if k == n:
        votes = counts[None, :]
    else:
        random = np.random.default_rng(0)
        votes = random.multivariate_hypergeometric(counts, k, size=draws, method="marginals")
    votes = np.where(voting, votes, 0)
    most = votes.max(axis=1, keepdims=True)
    winners = (votes == most) & (most > 0)
    shares = (winners & right).sum(axis=1) / np.maximum(winners.sum(axis=1), 1)
    return float(shares.mean())


def g_pass_at_k(c: int, n: int, k: int, tau: float) -> float:
    """G-Pass@k(tau): chance that at least a share tau of k samples is correct; NaN for k > n.

    Source: 'Are Your LLMs Capable of Stable Reasoning?' (hypergeometric tail). tau -> 0 gives
    pass@k, tau = 1 that all k are right.

    Raises:
        ValueError: c is not in 0..n, or tau is not in (0, 1].
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} correct of {n} samples is impossible")
    if not 0 < tau <= 1:
        raise ValueError(f"tau must be in (0, 1], not {tau}")
    if not 1 <= k <= n:
        return math.nan
    least = max(1, math.ceil(tau * k - 1e-9))
    found = range(max(least, k - (n - c)), min(c, k) + 1)
    return min(1.0, math.fsum(_exactly(c, n, k, j) for j in found))


def mean_g_pass_at_k(c: int, n: int, k: int) -> float:
    """mG-Pass@k: twice the mean of G-Pass@k over tau from 1/2 to 1; NaN for k > n."""
    if not 1 <= k <= n:
        return math.nan
    half = k // 2 + k % 2
    first = max(half + 1, k - (n - c))
    # j of k right counts once for every share from half + 1 to j
    return min(
        1.0,
        2 / k * math.fsum((j - half) * _exactly(c, n, k, j) for j in range(first, min(c, k) + 1)),
    )


def cover_at(c: ArrayLike, n: ArrayLike, taus: ArrayLike) -> Floats:
    """[K] Cover@tau: share of problems whose accuracy c/n is at least tau; n = 0 is left out.

    pass@k weighs Cover@tau by Beta(1, k), hence mostly at small tau (arXiv 2510.08325).
    """
    correct, samples = np.asarray(c, dtype=np.float64), np.asarray(n, dtype=np.float64)
    known = samples > 0
    levels = np.asarray(taus, dtype=np.float64).reshape(-1)
    if not known.any():
        return np.full(len(levels), np.nan)
    accuracy = correct[known] / samples[known]
    result: Floats = (accuracy[None, :] >= levels[:, None] - 1e-12).mean(axis=1)
    return result


def majority_curve(answers: Answers) -> dict[int, float]:
    """majority@k at the ks at which pass@k is drawn."""
    return {k: majority_at_k(answers, k) for k in standard_ks(answers.n)}


def _exactly(c: int, n: int, k: int, j: int) -> float:
    """Chance that just j of k samples are right."""
    return math.exp(_log_choose(c, j) + _log_choose(n - c, k - j) - _log_choose(n, k))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

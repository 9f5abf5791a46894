"""How sure we are of a pass@k: per problem, per dataset, and when nothing was solved.

Per problem the unknown is p, the chance that one sample is correct; its posterior under a
uniform prior is Beta(c+1, n-c+1), and pass@k(p) = 1 - (1-p)^k is monotone in p, so p's quantiles
carry over. Per dataset the unknown is which problems were in the set: bootstrap over problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.core.beta import beta_quantile
from explorer.core.passk import table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.95
"""Coverage of every interval shown, unless it says otherwise."""

RESAMPLES = 2000
"""Bootstrap resamples; the percentile ends then wobble by about a tenth of the band."""

_CHUNK_CELLS = 4_000_000
"""Most resample weights held at once (32 MB)."""

_ONE_THREAD = 200_000
"""Multiplications up to which no BLAS known starts threads for a product."""


class Interval(NamedTuple):
    """Lower and upper ends, arrays of one shape."""

    lower: Floats
    upper: Floats


def posterior_interval(c: int, n: int, ks: Sequence[int], level: float = LEVEL) -> Interval:
    """[K] credible interval of one problem's pass@k, as `posterior_intervals`; also for k > n."""
    lower, upper = posterior_intervals([c], [n], ks, level)
    return Interval(lower[0], upper[0])


def posterior_intervals(
    c: ArrayLike, n: ArrayLike, ks: Sequence[int], level: float = LEVEL
) -> Interval:
    """[P, K] credible intervals of pass@k for P problems.

    Equal-tailed, but one-sided where none or all are correct: there equal tails would leave out
    the estimate itself, 0 or 1. The posterior coverage is `level` either way.

    Raises:
        ValueError: some c is not in 0..n.
    """
    correct = np.asarray(c, dtype=np.float64).reshape(-1)
    samples = np.asarray(n, dtype=np.float64).reshape(-1)
    if np.any(correct < 0) or np.any(correct > samples):
        raise ValueError("the number correct must lie between 0 and the number of samples")
    tallies = np.stack([correct, samples], axis=1)
    distinct, where = np.unique(tallies, axis=0, return_inverse=True)
    none, all_ = distinct[:, 0] == 0, distinct[:, 0] == distinct[:, 1]
    below = np.where(none, 0.0, np.where(all_, 1 - level, (1 - level) / 2))
    above = np.where(all_, 1.0, np.where(none, level, (1 + level) / 2))
    tails = np.stack([below, above])
    p = beta_quantile(tails, distinct[:, 0] + 1, distinct[:, 1] - distinct[:, 0] + 1)
    exponents = np.asarray(ks, dtype=np.float64)
    with np.errstate(divide="ignore"):  # p = 1 is reached at any k
        reached = -np.expm1(exponents * np.log1p(-p)[:, :, None])
    rows = where.reshape(-1)
    return Interval(reached[0, rows], reached[1, rows])


def bootstrap_interval(
    c: ArrayLike,
    n: ArrayLike,
    ks: Sequence[int],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """[K] percentile bootstrap over problems of the mean pass@k: NaN where mean_curve is."""
    return bootstrap_mean(table(c, n, ks), resamples=resamples, level=level, seed=seed)


def bootstrap_mean(
    values: Floats, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Interval:
    """[K] percentile bootstrap interval of the mean of [P, K] values over problems.

    For a paired difference of two models pass the difference of their tables. With one problem
    the ends coincide: a bootstrap of one tells nothing.
    """
    if len(values) == 0:
        empty = np.full(values.shape[1], np.nan)
        return Interval(empty, empty.copy())
    return percentile_interval(resampled_means(values, resamples=resamples, seed=seed), level)


def percentile_interval(means: Floats, level: float = LEVEL) -> Interval:
    """[K] the middle `level` of [R, K] resampled values."""
    tail = (1 - level) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail], axis=0)
    return Interval(lower, upper)


def resampled_means(values: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """[R, K] means of [P, K] values over resampled problems; the same problems for the same P.

    Sets of up to `_CHUNK_CELLS / R` problems share one table of weights, so that two arms are
    resampled together and a filter costs one product of matrices. In larger ones problems with
    equal rows are drawn together (a multinomial count), which is the same distribution.
    """
    problems = len(values)
    if resamples * problems <= _CHUNK_CELLS:
        return _product(_weights(problems, resamples, seed), values) / problems
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // len(distinct))
    means = [
        _product(
            random.multinomial(problems, counts / problems, size=min(chunk, resamples - start)),
            distinct,
        )
        / problems
        for start in range(0, resamples, chunk)
    ]
    return np.concatenate(means)


def _product(weights: Floats | Ints, values: Floats) -> Floats:
    """[R, P] @ [P, K] in blocks too small for threads: where other work fills the cores, those
    spin for much longer than the product takes.
    """
    rows = max(1, _ONE_THREAD // max(1, values.size))
    found = np.empty((len(weights), values.shape[1]))
    for start in range(0, len(weights), rows):
        np.matmul(weights[start : start + rows], values, out=found[start : start + rows])
    return found


@lru_cache(maxsize=4)
def _weights(problems: int, resamples: int, seed: int) -> Floats:
    """[R, P] how often each problem is drawn into each resample; kept for the next arm."""
    drawn = np.random.default_rng(seed).integers(0, problems, size=(resamples, problems))
    drawn += problems * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=resamples * problems)
    weights: Floats = counts.reshape(resamples, problems).astype(np.float64)
    weights.setflags(write=False)
    return weights


def zero_bound(n: int, alpha: float = 0.05) -> float:
    """Largest p that '0 of n correct' leaves standing at 1 - alpha confidence; 1.0 when n = 0.

    Exact: (1 - p)^n = alpha gives p = 1 - alpha^(1/n). The rule of thumb -ln(alpha)/n (the rule
    of three) is its first-order form and always slightly larger.
    """
    if n < 0:
        raise ValueError(f"n must not be negative, not {n}")
    if n == 0:
        return 1.0
    return float(-np.expm1(np.log(alpha) / n))

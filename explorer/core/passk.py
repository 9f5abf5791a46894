"""pass@k by the unbiased estimator, written once, exact to the last few bits up to n = 10^5.

Everything is computed from the complement: the chance that k of the n samples, drawn without
replacement, are all failures is C(n-c, k) / C(n, k). That ratio is symmetric in c and k, so the
shorter of the two products is taken, as a pairwise sum of logarithms; binomials and lgamma, which
overflow or cancel, never appear. Invariant: 0 <= c <= n, and no value is made for k > n.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_KEPT_UP_TO = 20_000
"""The largest n whose values are kept for the next question (2 MB each)."""


def log_fail_at_k(c: int, n: int, k: int) -> float:
    """ln(1 - pass@k) for c correct of n samples; -inf once k > n - c.

    Raises:
        ValueError: c is not in 0..n, or k is not in 1..n.
    """
    _check(c, n, k)
    shorter, longer = min(c, k), max(c, k)
    if shorter + longer > n:
        return -np.inf
    available = np.arange(n - shorter + 1, n + 1, dtype=np.float64)
    # Near 1 the quotient rounds away what log1p needs; there the exact integer ratio is better.
    drop = longer / available
    terms = np.where(drop < 0.5, np.log1p(-drop), np.log((available - longer) / available))
    return float(terms.sum())


def fail_at_k(c: int, n: int, k: int) -> float:
    """1 - pass@k = C(n-c, k) / C(n, k), accurate where pass@k itself rounds to 1.

    Raises:
        ValueError: c is not in 0..n, or k is not in 1..n.
    """
    return float(np.exp(log_fail_at_k(c, n, k)))


def pass_at_k(c: int, n: int, k: int) -> float:
    """Unbiased estimate of the chance that at least one of k samples is correct.

    Source: Chen et al. 2021, as used by the paper, section 2.2.

    Raises:
        ValueError: c is not in 0..n, or k is not in 1..n.
    """
    return float(0.0 - np.expm1(log_fail_at_k(c, n, k)))  # 0.0 -: never a negative zero


def standard_ks(n: int) -> tuple[int, ...]:
    """The ks at which curves are drawn: powers of two up to n, and n itself; () when n < 1."""
    powers = [1 << exponent for exponent in range(max(n, 0).bit_length())]
    return tuple(powers if not powers or powers[-1] == n else [*powers, n])


def curve(c: int, n: int, ks: Sequence[int]) -> Floats:
    """[K] pass@k of one problem for a chart: NaN where k > n."""
    row: Floats = table([c], [n], ks)[0]
    return row


def table(c: ArrayLike, n: ArrayLike, ks: Sequence[int]) -> Floats:
    """[P, K] pass@k of P problems at each k: NaN where k > n.

    Problems that share (c, n) are computed once, so cost follows the distinct tallies.

    Raises:
        ValueError: some c is not in 0..n, some k < 1, or the shapes differ.
    """
    correct, samples = _tallies(c, n).T
    for k in ks:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
    values = np.full((len(correct), len(ks)), np.nan)
    for size in np.unique(samples).tolist():
        here = samples == size
        values[here] = _rows(size, tuple(ks))(correct[here])
    return values


class _Rows:
    """[C, K] pass@k for some c of one n, each c computed once: filters ask for the same again."""

    def __init__(self, n: int, ks: tuple[int, ...]) -> None:
        self.n, self.ks = n, ks
        self.values = np.full((n + 1, len(ks)), np.nan)
        self.known = np.zeros(n + 1, dtype=bool)

    def __call__(self, correct: Ints) -> Floats:
        missing = np.zeros(self.n + 1, dtype=bool)
        missing[correct] = True
        for c in np.flatnonzero(missing & ~self.known).tolist():
            self.values[c] = [pass_at_k(c, self.n, k) if k <= self.n else np.nan for k in self.ks]
            self.known[c] = True
        rows: Floats = self.values[correct]
        return rows


def _rows(n: int, ks: tuple[int, ...]) -> _Rows:
    """Rows of this n; those of a very large one are not kept."""
    return _kept_rows(n, ks) if n <= _KEPT_UP_TO else _Rows(n, ks)


@lru_cache(maxsize=32)
def _kept_rows(n: int, ks: tuple[int, ...]) -> _Rows:
    return _Rows(n, ks)


def mean_curve(c: ArrayLike, n: ArrayLike, ks: Sequence[int]) -> Floats:
    """[K] mean of pass@k over problems: NaN at a k that some problem has too few samples for.

    n may differ between problems; averaging over only those that reach k would change the set
    under the curve from point to point, so that is not done. All NaN when there is no problem.
    """
    values = table(c, n, ks)
    if len(values) == 0:
        return np.full(len(ks), np.nan)
    mean: Floats = values.mean(axis=0)
    return mean


def common_ks(n: ArrayLike) -> tuple[int, ...]:
    """The standard ks that every problem reaches: those of the smallest n."""
    counts = np.asarray(n, dtype=np.int64).reshape(-1)
    return standard_ks(int(counts.min())) if len(counts) else ()


def _tallies(c: ArrayLike, n: ArrayLike) -> Ints:
    correct = np.asarray(c, dtype=np.int64).reshape(-1)
    samples = np.asarray(n, dtype=np.int64).reshape(-1)
    if correct.shape != samples.shape:
        raise ValueError(f"{len(correct)} counts of correct for {len(samples)} counts of samples")
    if np.any(correct < 0) or np.any(correct > samples):
        raise ValueError("the number correct must lie between 0 and the number of samples")
    return np.stack([correct, samples], axis=1)


def _check(c: int, n: int, k: int) -> None:
    if not 0 <= c <= n:
        raise ValueError(f"{c} correct of {n} samples is impossible")
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} is not defined for {n} samples")

"""The regularised incomplete beta function and its inverse, without scipy.

Only what the intervals need: shape parameters of at least 1 (a uniform prior plus counts), up to
about 10^6. Invariant: results lie in [0, 1] and are good to about 1e-12 relative, because the
binomial-like prefactor is taken in Loader's saddle-point form instead of as a difference of
large lgammas (C. Loader, 'Fast and accurate computation of binomial probabilities', 2000).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_TINY = 1e-300
_SETTLED = 1e-15
_MOST_TERMS = 20_000
_MOST_STEPS = 200


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Floats:
    """I_x(a, b), the distribution function of Beta(a, b) at x; broadcasts.

    Raises:
        ValueError: a or b is below 1, or x is outside [0, 1].
    """
    a_, b_, x_ = (np.array(v) for v in np.broadcast_arrays(_floats(a), _floats(b), _floats(x)))
    if np.any(a_ < 1) or np.any(b_ < 1):
        raise ValueError("betainc needs a >= 1 and b >= 1")
    if not np.all((x_ >= 0) & (x_ <= 1)):
        raise ValueError("betainc needs 0 <= x <= 1")
    # The fraction converges fast only below the mean; above it the mirror image is used.
    mirrored = x_ > (a_ + 1) / (a_ + b_ + 2)
    first, second = np.where(mirrored, b_, a_), np.where(mirrored, a_, b_)
    point, rest = np.where(mirrored, 1 - x_, x_), np.where(mirrored, x_, 1 - x_)
    inside = (point > 0) & (rest > 0)
    tail = np.zeros_like(point)
    if np.any(inside):
        args = first[inside], second[inside], point[inside], rest[inside]
        front = np.exp(_log_density(*args)) * args[2] * args[3] / args[0]
        tail[inside] = front * _continued_fraction(*args[:3])
    result: Floats = np.clip(np.where(mirrored, 1 - tail, tail), 0.0, 1.0)
    return result


def beta_quantile(q: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """x with I_x(a, b) = q; broadcasts.

    Newton steps on a bracket that only shrinks: a step that leaves it becomes a bisection.

    Raises:
        ValueError: a or b is below 1, or q is outside [0, 1].
    """
    q_, a_, b_ = (np.array(v) for v in np.broadcast_arrays(_floats(q), _floats(a), _floats(b)))
    if not np.all((q_ >= 0) & (q_ <= 1)):
        raise ValueError("beta_quantile needs 0 <= q <= 1")
    shape = q_.shape
    q_, a_, b_ = q_.reshape(-1), a_.reshape(-1), b_.reshape(-1)
    low, high = np.zeros_like(q_), np.ones_like(q_)
    x = a_ / (a_ + b_)
    open_ = (q_ > 0) & (q_ < 1)
    x = np.where(q_ <= 0, 0.0, np.where(q_ >= 1, 1.0, x))
    for _ in range(_MOST_STEPS):
        active = np.flatnonzero(open_)
        if len(active) == 0:
            break
        xs, at, bt = x[active], a_[active], b_[active]
        excess = betainc(at, bt, xs) - q_[active]
        low[active] = np.where(excess < 0, xs, low[active])
        high[active] = np.where(excess >= 0, xs, high[active])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = excess / np.exp(_log_density(at, bt, xs, 1 - xs))
        new = xs - step
        kept = np.isfinite(new) & (new > low[active]) & (new < high[active])
        new = np.where(kept, new, (low[active] + high[active]) / 2)
        x[active] = new
        # Newton squares its error: after a step this small the next would change nothing.
        # A bisection does not; it goes on until nothing is left between the ends.
        settled = kept & (np.abs(new - xs) <= 1e-11 * np.minimum(xs, 1 - xs))
        settled |= high[active] - low[active] <= 4e-16 * xs
        open_[active] = ~settled & (excess != 0)
        x[active] = np.where(excess == 0, xs, x[active])
    return x.reshape(shape)


def _log_density(a: Floats, b: Floats, x: Floats, rest: Floats) -> Floats:
    """ln of Beta(a, b)'s density at x, `rest` being 1 - x without the rounding."""
    wins, losses = a - 1, b - 1
    total = wins + losses
    # Beta(a, b) at x is (total + 1) times the binomial mass of `wins` in `total` trials.
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (
            _stirling_error(total)
            - _stirling_error(wins)
            - _stirling_error(losses)
            - _deviance(wins, total * x)
            - _deviance(losses, total * rest)
            + 0.5 * np.log(total / (2 * math.pi * wins * losses))
        )
        mass = np.where(
            wins == 0,
            total * np.log1p(-x),
            np.where(losses == 0, total * np.log1p(-rest), middle),
        )
    result: Floats = mass + np.log(total + 1)
    return result


def _deviance(count: Floats, expected: Floats) -> Floats:
    """count ln(count / expected) + expected - count, without cancellation near equality."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (count - expected) / expected
        near = count * _log1p_minus(ratio) + ratio * (count - expected)
        far = count * np.log(count / expected) + expected - count
    return np.where(np.abs(ratio) < 0.1, near, np.where(count == 0, expected, far))


def _log1p_minus(u: Floats) -> Floats:
    """ln(1 + u) - u for |u| < 0.1, by its series in u / (2 + u)."""
    r = u / (2 + u)
    square = r * r
    series = np.zeros_like(u)
    for odd in range(25, 1, -2):
        series = square * (1.0 / odd + series)
    return r * (2 * series - u)


def _stirling_error(n: Floats) -> Floats:
    """ln n! minus Stirling's formula sqrt(2 pi n) (n / e)^n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / n
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    small = n < 16
    exact = np.array([_stirling_error_small(v) for v in n[small].tolist()], dtype=np.float64)
    result = np.where(small, 0.0, series)
    result[small] = exact
    return result


def _stirling_error_small(n: float) -> float:
    if n <= 0:
        return 0.0
    return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)


def _continued_fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """The fraction of I_x(a, b) by the modified Lentz method (DLMF 8.17.22)."""
    numerator = np.ones_like(x)
    denominator = _away_from_zero(1 - (a + b) * x / (a + 1))
    denominator = 1 / denominator
    value = denominator.copy()
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / _away_from_zero(1 + even * denominator)
        numerator = _away_from_zero(1 + even / numerator)
        value *= denominator * numerator
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        denominator = 1 / _away_from_zero(1 + odd * denominator)
        numerator = _away_from_zero(1 + odd / numerator)
        change = denominator * numerator
        value *= change
        if np.all(np.abs(change - 1) <= _SETTLED):
            break
    return value


def _away_from_zero(values: Floats) -> Floats:
    return np.where(np.abs(values) < _TINY, _TINY, values)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)

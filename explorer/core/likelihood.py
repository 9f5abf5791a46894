"""What a model thinks of a text: perplexity and its relatives, and levels for colouring tokens.

All values are natural logarithms at temperature 1 over response tokens given the prompt.
Invariant: an impossible token (-inf, which vLLM sends as -9999) counts as `FLOOR`, so that means
stay finite; an unknown value (NaN) makes a mean NaN and leaves a token uncoloured (level 0).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Levels = NDArray[np.int8]

FLOOR = -9999.0
"""What -inf is clipped to, as vLLM's HTTP server does."""

NOISE = 0.1
"""Nats. Engines, dtypes and batch shapes move a token's logprob by 0.001 to 0.05; a difference
below this is never shown as evidence."""

SURPRISAL_EDGES = (0.5, 1.0, 2.0, 4.0)
"""Nats at which -ln p reaches levels 1 to 4: p below 61 %, 37 %, 14 %, 1.8 %."""

DELTA_EDGES = (NOISE, 0.5, 1.0, 2.0)
"""Nats at which |own - base| reaches levels 1 to 4: odds of 1.1, 1.6, 2.7, 7.4 to 1."""

ENTROPY_EDGES = (0.35, 0.7, 1.2, 2.0)
"""Nats at which entropy reaches levels 1 to 4; 0.7 is about the 80th percentile where tokens
fork ('Beyond the 80/20 Rule' has 0.672), and two equal choices have 0.69."""

RANK_EDGES = (2, 4)
"""Ranks at which the class becomes 1 (2-3: marginal) and 2 (above 3: shifted), as URIAL has it."""


class Placement(NamedTuple):
    """Where a value stands in a sample: the fraction below it (ties count half), and n."""

    quantile: float
    n: int


def clip_logprobs(logprobs: ArrayLike) -> Floats:
    """Logprobs as float64 with -inf at `FLOOR` and rounding above 0 removed; NaN stays NaN."""
    return np.clip(np.asarray(logprobs, dtype=np.float64), FLOOR, 0.0)


def mean_logprob(logprobs: ArrayLike, *, has_eos: bool = False, include_eos: bool = True) -> float:
    """Mean logprob of a response in nats per token; NaN when there is no token or one is unknown.

    Args:
        logprobs: [T] of the response tokens.
        has_eos: whether the last of them is the end-of-sequence token.
        include_eos: whether to count that one. The paper does not say; the default counts it.
    """
    values = clip_logprobs(logprobs).reshape(-1)
    if has_eos and not include_eos:
        values = values[:-1]
    return float(values.mean()) if len(values) else math.nan


def perplexity(logprobs: ArrayLike, *, has_eos: bool = False, include_eos: bool = True) -> float:
    """exp(-mean logprob) of a response (the paper's PPL, section 4); inf when it overflows.

    Args: as for `mean_logprob`.
    """
    mean = mean_logprob(logprobs, has_eos=has_eos, include_eos=include_eos)
    with np.errstate(over="ignore"):
        return float(np.exp(-mean))


def bits_per_byte(logprobs: ArrayLike, n_bytes: int) -> float:
    """Bits that a model needs per UTF-8 byte of a text: comparable across tokenizers.

    NaN for an empty text. The end-of-sequence token covers no byte: leave it out.
    """
    if n_bytes <= 0:
        return math.nan
    return float(-clip_logprobs(logprobs).sum() / math.log(2) / n_bytes)


def placement(value: float, sample: ArrayLike) -> Placement:
    """The quantile of a value within a sample; NaNs of the sample are left out.

    The quantile is NaN when the value is NaN or nothing is left to compare it with.
    """
    values = np.asarray(sample, dtype=np.float64).reshape(-1)
    values = values[~np.isnan(values)]
    n = len(values)
    if n == 0 or math.isnan(value):
        return Placement(math.nan, n)
    below, equal = int((values < value).sum()), int((values == value).sum())
    return Placement((below + equal / 2) / n, n)


def surprisal_levels(logprobs: ArrayLike) -> Levels:
    """Levels 0..4 of -ln p by `SURPRISAL_EDGES`."""
    return _levels(-clip_logprobs(logprobs), SURPRISAL_EDGES)


def delta_logprobs(own: ArrayLike, base: ArrayLike) -> Floats:
    """ln p_own - ln p_base per token: above 0 where the own model likes the token more."""
    return clip_logprobs(own) - clip_logprobs(base)


def delta_levels(delta: ArrayLike, floor: float = NOISE) -> Levels:
    """Levels -4..4 of a logprob difference by `DELTA_EDGES`; 0 below `NOISE`, whatever the sign.

    Args:
        floor: nats below which a difference is 0 as well, if that is more: the measured noise.
    """
    values = np.asarray(delta, dtype=np.float64)
    sign = np.where(values < 0, -1, 1).astype(np.int8)
    size = np.where(np.abs(values) < floor, 0.0, np.abs(values))
    result: Levels = _levels(size, DELTA_EDGES) * sign
    return result


def entropy_levels(entropies: ArrayLike) -> Levels:
    """Levels 0..4 of an entropy in nats by `ENTROPY_EDGES`."""
    return _levels(np.asarray(entropies, dtype=np.float64), ENTROPY_EDGES)


def rank_classes(ranks: ArrayLike) -> Levels:
    """0 for the base model's first choice, 1 for ranks 2-3, 2 beyond; ranks are 1-based."""
    return _levels(np.asarray(ranks, dtype=np.float64), RANK_EDGES)


def _levels(values: Floats, edges: tuple[float, ...]) -> Levels:
    known = np.where(np.isnan(values), -np.inf, values)
    return np.searchsorted(np.asarray(edges), known, side="right").astype(np.int8)

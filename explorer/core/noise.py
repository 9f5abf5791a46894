"""The noise floor: how far a model disagrees with itself when it scores its own samples.

Sampling and teacher forcing compute the same numbers in another order, batch shape or precision.
Invariant: what a model's own samples differ by is never shown as a difference between models; a
token whose value is unknown on either side is left out, not counted as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from explorer.core.likelihood import NOISE, clip_logprobs, perplexity


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """|sampled − teacher-forced| log-probability per token, one model on its own samples.

    Attributes:
        completions, tokens: how many it was measured on.
        median, q95, q99, most: nats.
        perplexity_difference: mean over completions of PPL(teacher-forced) − PPL(sampled).
    """

    completions: int
    tokens: int
    median: float
    q95: float
    q99: float
    most: float
    perplexity_difference: float

    @property
    def threshold(self) -> float:
        """Nats below which a difference is no evidence: the floor, and never less than `NOISE`."""
        return max(self.q99, NOISE)


def noise_floor(pairs: Iterable[tuple[ArrayLike, ArrayLike]]) -> NoiseFloor | None:
    """The floor over completions, each as ([T] sampled, [T] teacher-forced); None without a token.

    Raises:
        ValueError: the two sides of a completion differ in length.
    """
    gaps, differences = [], []
    for sampled, forced in pairs:
        own, again = clip_logprobs(sampled).reshape(-1), clip_logprobs(forced).reshape(-1)
        if own.shape != again.shape:
            raise ValueError(f"{len(own)} sampled values, {len(again)} teacher-forced ones")
        known = ~(np.isnan(own) | np.isnan(again))
        if not known.any():
            continue
        gaps.append(np.abs(own[known] - again[known]))
        differences.append(perplexity(again[known]) - perplexity(own[known]))
    if not gaps:
        return None
    values = np.concatenate(gaps)
    median, q95, q99 = (float(value) for value in np.quantile(values, (0.5, 0.95, 0.99)))
    finite = [value for value in differences if math.isfinite(value)]
    return NoiseFloor(
        completions=len(gaps),
        tokens=len(values),
        median=median,
        q95=q95,
        q99=q99,
        most=float(values.max()),
        perplexity_difference=float(np.mean(finite)) if finite else math.nan,
    )

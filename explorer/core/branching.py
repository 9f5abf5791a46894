"""From which tokens of a trace a model is made to go on, to see what each part of it is worth."""

from __future__ import annotations

from typing import Final

POINTS: Final = 8
"""Positions of a grid besides the beginning."""


def grid(n_tokens: int, points: int = POINTS) -> tuple[int, ...]:
    """Prefix lengths spread evenly over a trace: 0, then up to `points` more, short of its end.

    The whole trace is left out: what follows it is known.
    """
    if n_tokens <= 1:
        return (0,)
    steps = min(points, n_tokens - 1)
    spread = {round(step * (n_tokens - 1) / steps) for step in range(1, steps + 1)}
    return (0, *sorted(spread))

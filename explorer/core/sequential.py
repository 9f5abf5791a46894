"""Sampling two arms of a problem until it is settled which p is larger: what to do next.

Invariant: a decision depends on the counts and the priors alone, never on how they came about, so
that a run that was killed goes on as if it had not been. Under the right prior the posterior is
honest under this rule too: it neither knows nor minds why sampling stopped or which arm was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from explorer.core.belief import SETTLED, UNIFORM, Prior, believe

BATCH: Final = 16
"""Samples drawn of one arm before it is asked again whether it is settled."""

DEFAULT_CAP: Final = 1024
"""Most samples of one arm, unless a person says otherwise."""


@dataclass(frozen=True, slots=True)
class Side:
    """One arm.

    Attributes:
        c, n: graded samples that were correct, and all that were graded.
        completions: samples stored, graded or not.
        prior: what was believed of p before any of them.
    """

    c: int
    n: int
    completions: int
    prior: Prior = UNIFORM


class Move(StrEnum):
    """What to do next."""

    DRAW = "draw"
    SETTLED = "settled"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True)
class Step:
    """The next step.

    Attributes:
        side: position of the arm to draw, of a `DRAW`.
        target: completions that it shall then have.
        above: probability that the first arm's p is above the second's.
    """

    move: Move
    above: float
    side: int = 0
    target: int = 0


def next_step(
    sides: Sequence[Side], cap: int = DEFAULT_CAP, batch: int = BATCH, level: float = SETTLED
) -> Step:
    """Stop if it is settled or neither arm may be drawn further; else draw where doubt is greatest.

    That is the arm of which a batch is expected to take most from the variance of p1 - p2.

    Raises:
        ValueError: there are not two arms.
    """
    first, second = (believe(side.c, side.n, side.prior) for side in sides)
    above = first.exceeds(second)
    # An arm without a sample is known only through its prior: that settles nothing about it.
    if all(side.n for side in sides) and max(above, 1 - above) >= level:
        return Step(Move.SETTLED, above)
    room = [position for position, side in enumerate(sides) if side.completions < cap]
    if not room:
        return Step(Move.CAPPED, above)
    unseen = [position for position in room if not sides[position].n]
    chosen = max(unseen or room, key=lambda position: doubt_removed(sides[position], batch))
    return Step(Move.DRAW, above, chosen, min(cap, sides[chosen].completions + batch))


def doubt_removed(side: Side, batch: int = BATCH) -> float:
    """By how much a batch is expected to lower the variance of p.

    Exact for a beta posterior: with s = alpha + beta + n, E[variance after m more] is
    variance * s / (s + m).
    """
    alpha, beta = side.prior.alpha + side.c, side.prior.beta + side.n - side.c
    size = alpha + beta
    variance = alpha * beta / (size * size * (size + 1))
    return variance * batch / (size + batch)

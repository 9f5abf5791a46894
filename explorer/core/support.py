"""Would the sampler have allowed this trace? Support of a trace under a model, token by token.

A sampler draws at a temperature from the tokens that top-k and top-p leave. A token outside of
that set can never be drawn, however many samples are taken; a string of tokens inside it is drawn
once in exp(-sum ln q) samples on average, q being the truncated and renormalised distribution.
Temperature comes first, then top-k, then top-p on what top-k left, as vLLM and transformers do.

Two sources, one result. With the whole distribution every token is decided (`exact`). With only
the best K alternatives, the mass of the unseen tokens is known but not its shape; the sums that a
temperature needs are then bounded by the most even and the most uneven shape that is possible,
and a token whose bounds do not settle it stays undecided. Invariant: a bound always holds; where
it says inside or outside, the whole distribution says so too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import TokenScores

Floats = NDArray[np.float64]
States = NDArray[np.int8]

SLACK = 1e-5
"""Probabilities closer than this to top-p stay undecided: engines sum a softmax in float32."""


class State(IntEnum):
    """Whether a sampler's truncated set holds a token."""

    OUTSIDE = 0
    INSIDE = 1
    UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Support:
    """A trace under one sampler of one model.

    Attributes:
        states: [T] `State` per token.
        lower, upper: [T] bounds of ln q, the log-probability with which the sampler draws the
            token; both -inf outside, equal where the whole distribution was seen.
    """

    states: States
    lower: Floats
    upper: Floats

    def __len__(self) -> int:
        return len(self.states)

    @property
    def first_outside(self) -> int | None:
        """Position of the first token that the sampler cannot draw; None if there is none."""
        places = np.flatnonzero(self.states == State.OUTSIDE)
        return int(places[0]) if len(places) else None

    @property
    def outside(self) -> int:
        return int((self.states == State.OUTSIDE).sum())

    @property
    def undecided(self) -> int:
        return int((self.states == State.UNDECIDED).sum())

    def log10_samples(self) -> tuple[float, float]:
        """Bounds of log10 of the expected number of samples until this exact string is drawn.

        (inf, inf) once a token is outside; (0, 0) for an empty trace.
        """
        if self.outside:
            return math.inf, math.inf
        return _log10(-self.upper.sum()), _log10(-self.lower.sum())

    def survival(self) -> tuple[Floats, Floats]:
        """[T] bounds of log10 of the chance that a sample is still on this trace after token t.

        -inf from the first token outside.
        """
        scale = math.log(10)
        return np.cumsum(self.lower) / scale, np.cumsum(self.upper) / scale


def exact(
    tempered: Floats, above: Floats, ranks: NDArray[np.int32], kept: Floats, sampling: Sampling
) -> Support:
    """Support from the whole distribution, as an engine that has it measures it.

    Args:
        tempered: [T] ln p of each token at the sampler's temperature, before truncation.
        above: [T] share of all more likely tokens in what temperature and top-k leave.
        ranks: [T] 1-based rank.
        kept: [T] probability of the truncated set at that temperature.
    """
    inside = np.ones(len(tempered), dtype=bool)
    if sampling.top_k > 0:
        inside &= ranks <= sampling.top_k
    if sampling.top_p < 1:
        inside &= above < sampling.top_p
    if sampling.temperature == 0:
        inside &= ranks == 1
    inside &= np.isfinite(tempered)
    drawn = np.where(inside, np.minimum(tempered - np.log(kept), 0.0), -np.inf)
    return Support(inside.astype(np.int8), drawn, drawn.copy())


def bounded(scores: TokenScores, vocabulary: int, sampling: Sampling) -> Support:
    """Support from a token's own logprob and rank and the best K alternatives, by bounds.

    Args:
        scores: raw scores at temperature 1 with K >= 1 alternatives.
        vocabulary: number of tokens that share the unseen mass; 0 = unknown (then only
            temperature 1 and tokens settled by rank are decided).

    Raises:
        ValueError: the scores have no alternatives.
    """
    length, k = scores.top_logprobs.shape
    if length and k == 0:
        raise ValueError("bounds need at least one alternative per position")
    states = np.empty(length, dtype=np.int8)
    lower, upper = np.empty(length), np.empty(length)
    for t in range(length):
        own = float(scores.logprobs[t])
        best = np.asarray(scores.top_logprobs[t], dtype=np.float64)
        states[t], lower[t], upper[t] = _bound(
            own, int(scores.ranks[t]), best, vocabulary, sampling
        )
    return Support(states, lower, upper)


def _bound(
    own: float, rank: int, best: Floats, vocabulary: int, sampling: Sampling
) -> tuple[int, float, float]:
    """State of one token and bounds of its ln q."""
    if own <= -9998 or (sampling.top_k > 0 and rank > sampling.top_k):
        return State.OUTSIDE, -math.inf, -math.inf
    if sampling.temperature == 0:
        return (State.INSIDE, 0.0, 0.0) if rank == 1 else (State.OUTSIDE, -math.inf, -math.inf)
    power = 1 / sampling.temperature
    seen = np.exp(best * power)
    rest = _rest(best, own, rank, vocabulary, power)
    total = float(seen.sum()) + rest[0], float(seen.sum()) + rest[1]
    room = _after_top_k(seen, total, sampling.top_k)
    mine = math.exp(own * power)
    state = _state(_mass_before(seen, mine, rank, room), sampling.top_p)
    if state == State.OUTSIDE:
        return state, -math.inf, -math.inf
    kept = _kept(seen, room, sampling.top_p)
    low = math.log(mine) - math.log(room[1]) - math.log(kept[1])
    high = min(0.0, math.log(mine) - math.log(room[0]) - math.log(kept[0]))
    return state, (low if state == State.INSIDE else -math.inf), high


def _after_top_k(seen: Floats, total: tuple[float, float], top_k: int) -> tuple[float, float]:
    """Bounds of the sum over what top-k leaves; samplers apply it before top-p."""
    if top_k == 0:
        return total
    if top_k <= len(seen):
        exactly = float(seen[:top_k].sum())
        return exactly, exactly
    return float(seen.sum()), total[1]


def _rest(
    best: Floats, own: float, rank: int, vocabulary: int, power: float
) -> tuple[float, float]:
    """Bounds of the sum of p^power over the tokens that are not among the alternatives."""
    k = len(best)
    mass = max(0.0, 1.0 - float(np.exp(best).sum()))
    if power == 1:
        return mass, mass
    cap = math.exp(float(best[-1]))
    known = 0.0
    if rank > k:  # the token itself is one of the unseen, and its share is known
        known = math.exp(own * power)
        mass = max(0.0, mass - math.exp(own))
    count = max(vocabulary - k - (rank > k), 0) if vocabulary else 0
    if mass == 0 or cap == 0:
        return known, known
    whole = math.floor(mass / cap)
    uneven = whole * cap**power + (mass - whole * cap) ** power
    even = 0.0 if power > 1 else math.inf  # shared by unknown many: as even as can be thought
    if count:
        even = count * (mass / count) ** power
    return known + min(even, uneven), known + max(even, uneven)


def _mass_before(
    seen: Floats, mine: float, rank: int, total: tuple[float, float]
) -> tuple[float, float]:
    """Bounds of the probability of all tokens more likely than this one."""
    k = len(seen)
    if math.isinf(total[1]):
        return 0.0, 1.0
    if rank <= k:
        before = float(seen[: rank - 1].sum())
        return before / total[1], before / total[0]
    # Between the K best and this token lie rank - 1 - K tokens, none of them less likely than it.
    least = float(seen.sum()) + (rank - 1 - k) * mine
    most = total[1] - mine
    return least / total[1], min(1.0, most / total[1])


def _state(before: tuple[float, float], top_p: float) -> State:
    if top_p >= 1 or before[1] < top_p - SLACK:
        return State.INSIDE
    if before[0] >= top_p + SLACK:
        return State.OUTSIDE
    return State.UNDECIDED


def _kept(seen: Floats, room: tuple[float, float], top_p: float) -> tuple[float, float]:
    """Bounds of the share of `room` that top-p keeps: it closes with the token that reaches p."""
    if top_p >= 1:
        return 1.0, 1.0
    sums = np.cumsum(seen)
    surely = np.flatnonzero(sums / room[1] >= top_p + SLACK)
    highest = min(1.0, float(sums[surely[0]]) / room[0]) if len(surely) else 1.0
    return top_p, max(top_p, highest)


def _log10(nats: float) -> float:
    return abs(float(nats)) / math.log(10)

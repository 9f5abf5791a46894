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
from explorer.core.completion import Float32, Int32, TokenScores

Floats = NDArray[np.float64]
States = NDArray[np.int8]

SLACK = 1e-5
"""Probabilities closer than this to top-p stay undecided: engines sum a softmax in float32."""


CLAMPED = -9998.0
"""A log-probability at or below this stands for an impossible token (vLLM sends -9999)."""


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
        beyond: [T] nats (at temperature 1) by which a token lies outside, at the least: of a
            log-probability under top-k and greedy, of log-odds under top-p; inf for an impossible
            token, 0 for one that is not outside. None where nobody asked.
    """

    states: States
    lower: Floats
    upper: Floats
    beyond: Floats | None = None

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

    def within_noise(self, floor: float) -> NDArray[np.bool_]:
        """[T] which tokens lie outside by less than `floor` nats: noise could have put them there.

        Engines, dtypes and batch shapes move log-probabilities, so that a model's own samples
        can come out just beyond the edge of its own sampler's set.
        """
        outside = self.states == State.OUTSIDE
        if self.beyond is None:
            return np.zeros(len(outside), dtype=bool)
        near: NDArray[np.bool_] = outside & (self.beyond < floor)
        return near

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


@dataclass(frozen=True, slots=True)
class Truncation:
    """What an engine that sees the whole distribution measures of a trace under one sampler.

    Attributes:
        tempered: [T] ln p of each token at the sampler's temperature, before truncation.
        above: [T] share of all more likely tokens in what temperature and top-k leave.
        kept: [T] probability of the truncated set at that temperature.
        short: [T] nats at temperature 1 by which the token's log-probability falls short of the
            last that top-k leaves (of the first at temperature 0); 0 or less for those it leaves.
    """

    tempered: Float32
    above: Float32
    kept: Float32
    short: Float32

    def __len__(self) -> int:
        return len(self.tempered)

    def support(self, ranks: Int32, sampling: Sampling) -> Support:
        """The support; only what float32 sums cannot settle stays undecided.

        Args:
            ranks: [T] of the same scoring.
        """
        tempered, above, kept, short = (
            np.asarray(values, dtype=np.float64)
            for values in (self.tempered, self.above, self.kept, self.short)
        )
        found = exact(tempered, above, ranks, kept, sampling)
        beyond = _beyond(above, short, sampling)
        beyond = np.where(np.isfinite(tempered) | (sampling.temperature == 0), beyond, np.inf)
        states = found.states.copy()
        if sampling.temperature > 0 and sampling.top_p < 1:
            cut_by_k = (ranks > sampling.top_k) if sampling.top_k else np.zeros(len(ranks), bool)
            close = (np.abs(above - sampling.top_p) < SLACK) & (ranks > 1) & ~cut_by_k
            states[close] = State.UNDECIDED
        drawn = np.minimum(tempered - np.log(kept), 0.0)
        undecided = states == State.UNDECIDED
        upper = np.where(undecided, drawn, found.upper)
        lower = np.where(undecided, -np.inf, found.lower)
        return Support(states, lower, upper, np.where(states == State.OUTSIDE, beyond, 0.0))


def plain(logprobs: Float32) -> Support:
    """Support at temperature 1 with nothing cut: raw log-probabilities say it all.

    Only an impossible token (-inf, or vLLM's -9999) is outside.
    """
    values = np.asarray(logprobs, dtype=np.float64)
    inside = values > CLAMPED
    drawn = np.where(inside, np.minimum(values, 0.0), -np.inf)
    return Support(inside.astype(np.int8), drawn, drawn.copy(), np.where(inside, 0.0, np.inf))


def is_plain(sampling: Sampling) -> bool:
    """Whether a sampler draws from the model's own distribution."""
    return sampling.temperature == 1 and sampling.top_p >= 1 and sampling.top_k == 0


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
    own = np.asarray(scores.logprobs, dtype=np.float64)
    ranks = np.asarray(scores.ranks, dtype=np.int64)
    best = np.asarray(scores.top_logprobs, dtype=np.float64)
    if length == 0:
        return Support(np.empty(0, np.int8), own, own.copy(), own.copy())
    if sampling.temperature == 0:
        states = (ranks == 1).astype(np.int8)
        drawn = np.where(ranks == 1, 0.0, -np.inf)
        return Support(states, drawn, drawn.copy(), np.where(ranks == 1, 0.0, best[:, 0] - own))
    if is_plain(sampling):
        return plain(scores.logprobs)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _bound(_Seen.of(own, ranks, best, vocabulary, 1 / sampling.temperature), sampling)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Weights p^power, each position's divided by that of its most likely token.

    Attributes:
        own, ranks: [T]; best: [T, K] raw log-probabilities; log_mine: [T] ln of the own weight.
        weights, sums: [T, K] of the best and their running sums; total: bounds [T] of the sum
            over all tokens.
    """

    own: Floats
    ranks: NDArray[np.int64]
    best: Floats
    log_mine: Floats
    weights: Floats
    sums: Floats
    total: tuple[Floats, Floats]

    @classmethod
    def of(
        cls, own: Floats, ranks: NDArray[np.int64], best: Floats, vocabulary: int, power: float
    ) -> _Seen:
        first = best[:, 0]
        weights = np.exp((best - first[:, None]) * power)
        sums = np.cumsum(weights, axis=1)
        low, high = _rest(best, own, ranks, vocabulary, power)
        total = sums[:, -1] + low, sums[:, -1] + high
        return cls(own, ranks, best, (own - first) * power, weights, sums, total)


def _bound(seen: _Seen, sampling: Sampling) -> Support:
    """States and bounds of ln q, from what was seen."""
    room = _after_top_k(seen, sampling.top_k)
    before = _mass_before(seen, room)
    states = np.full(len(seen.own), State.UNDECIDED, dtype=np.int8)
    inside = (before[1] < sampling.top_p - SLACK) if sampling.top_p < 1 else np.ones(len(states))
    states[inside.astype(bool) | (seen.ranks == 1)] = State.INSIDE
    if sampling.top_p < 1:
        states[(before[0] >= sampling.top_p + SLACK) & (seen.ranks > 1)] = State.OUTSIDE
    if sampling.top_k > 0:
        states[seen.ranks > sampling.top_k] = State.OUTSIDE
    states[seen.own <= CLAMPED] = State.OUTSIDE
    kept = _kept(seen, room, sampling.top_p)
    low = seen.log_mine - np.log(room[1]) - np.log(kept[1])
    high = np.minimum(0.0, seen.log_mine - np.log(room[0]) - np.log(kept[0]))
    low = np.where(states == State.INSIDE, np.minimum(low, 0.0), -np.inf)
    high = np.where(states == State.OUTSIDE, -np.inf, high)
    short = np.zeros(len(states))
    if 0 < sampling.top_k <= seen.best.shape[1]:
        short = seen.best[:, sampling.top_k - 1] - seen.own
    beyond = np.where(seen.own <= CLAMPED, np.inf, _beyond(before[0], short, sampling))
    return Support(states, low, high, np.where(states == State.OUTSIDE, beyond, 0.0))


def _beyond(above: Floats, short: Floats, sampling: Sampling) -> Floats:
    """[T] nats at temperature 1 that would have to change for a token to be inside; >= 0.

    Noise of size e in every log-probability moves the log-odds of a share by at most 2e/T.
    """
    beyond = np.maximum(short, 0.0)
    if sampling.temperature > 0 and sampling.top_p < 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(above) - np.log1p(-np.minimum(above, 1.0))
        edge = math.log(sampling.top_p) - math.log1p(-sampling.top_p)
        beyond = np.maximum(beyond, (odds - edge) * sampling.temperature)
    return beyond


def _after_top_k(seen: _Seen, top_k: int) -> tuple[Floats, Floats]:
    """Bounds of the sum over what top-k leaves; samplers apply it before top-p."""
    if top_k == 0:
        return seen.total
    if top_k <= seen.sums.shape[1]:
        exactly = seen.sums[:, top_k - 1]
        return exactly, exactly
    return seen.sums[:, -1], seen.total[1]


def _rest(
    best: Floats, own: Floats, ranks: NDArray[np.int64], vocabulary: int, power: float
) -> tuple[Floats, Floats]:
    """Bounds of the summed weights of the tokens that are not among the alternatives."""
    k, first = best.shape[1], best[:, 0]
    mass = np.maximum(0.0, 1.0 - np.exp(best).sum(axis=1))

    def weight(logs: Floats) -> Floats:
        scaled: Floats = np.exp((logs - first) * power)
        return scaled

    if power == 1:
        exactly = mass * np.exp(-first)
        return exactly, exactly
    # The token itself may be one of the unseen, and then its share is known.
    unseen = ranks > k
    known = np.where(unseen, weight(own), 0.0)
    mass = np.where(unseen, np.maximum(0.0, mass - np.exp(own)), mass)
    cap = np.exp(best[:, -1])
    none_left = (mass == 0) | (cap == 0)
    whole = np.where(none_left, 0.0, np.floor(mass / np.where(cap == 0, 1.0, cap)))
    last = np.maximum(mass - whole * cap, 0.0)
    uneven = whole * weight(best[:, -1]) + weight(np.log(last))
    if vocabulary:
        count = np.maximum(vocabulary - k - unseen, 0)
        none_left |= count == 0
        even = count * weight(np.log(mass / np.maximum(count, 1)))
    else:  # shared by unknown many: as even as can be thought
        even = np.full(len(own), 0.0 if power > 1 else math.inf)
    low = np.where(none_left, 0.0, np.minimum(even, uneven))
    high = np.where(none_left, 0.0, np.maximum(even, uneven))
    return known + low, known + high


def _mass_before(seen: _Seen, room: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Bounds of the probability of all tokens more likely than this one."""
    k = seen.sums.shape[1]
    mine = np.exp(seen.log_mine)
    place = np.clip(seen.ranks - 2, 0, k - 1)
    before = np.where(seen.ranks <= 1, 0.0, seen.sums[np.arange(len(mine)), place])
    # Between the K best and this token lie rank - 1 - K tokens, none of them less likely than it.
    among = seen.ranks <= k
    least = np.where(among, before, seen.sums[:, -1] + np.maximum(seen.ranks - 1 - k, 0) * mine)
    most = np.where(among, before, np.maximum(room[1] - mine, 0.0))
    high = np.minimum(1.0, np.where(among, most / room[0], most / room[1]))
    unknown = np.isinf(room[1])
    low = np.where(unknown, 0.0, least / room[1])
    return low, np.where(unknown & (seen.ranks > 1), 1.0, high)


def _kept(seen: _Seen, room: tuple[Floats, Floats], top_p: float) -> tuple[Floats, Floats]:
    """Bounds of the share of `room` that top-p keeps: it closes with the token that reaches p."""
    if top_p >= 1:
        return np.ones(len(seen.own)), np.ones(len(seen.own))
    reached = seen.sums / room[1][:, None] >= top_p + SLACK
    place = reached.argmax(axis=1)
    sums = seen.sums[np.arange(len(place)), place]
    highest = np.where(reached.any(axis=1), np.minimum(1.0, sums / room[0]), 1.0)
    return np.full(len(place), top_p), np.maximum(top_p, highest)


def _log10(nats: float) -> float:
    return abs(float(nats)) / math.log(10)

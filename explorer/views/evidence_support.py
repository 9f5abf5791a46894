"""Whether a sampler could have drawn a trace, in words: the headline of the evidence.

Invariant: a token that lies outside by less than the noise floor is counted as outside, said to be
within noise, and never coloured as evidence; what bounds do not settle is undecided, never outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import TokenScores
from explorer.core.support import State, Support, bounded, is_plain, plain
from explorer.store.support import ScoredRow, sampler_key
from explorer.views.numbers import count
from explorer.views.trace_facts import probability

INSIDE, UNDECIDED, NEAR, OUTSIDE = range(4)
"""What a strip shows of a token, the more the stronger; NEAR is outside, but within noise."""

Marks = NDArray[np.int8]


@dataclass(frozen=True)
class SupportView:
    """A trace under one sampler of one model.

    Attributes:
        model: whose sampler it is; sampling: at which settings.
        n_tokens: of the trace.
        support: None where it is not known, and then `missing` says why.
        how: what it rests on: 'exact', or which bounds.
        settled: asking the model again could not say more.
        scores: the teacher-forced scores that it rests on.
        floor: nats below which a difference is no evidence.
    """

    model: str
    sampling: Sampling
    n_tokens: int
    support: Support | None = None
    how: str = ""
    missing: str = ""
    settled: bool = False
    scores: TokenScores | None = None
    floor: float = field(default=0.1)

    @cached_property
    def marks(self) -> Marks:
        """[T] INSIDE, UNDECIDED, NEAR or OUTSIDE per token; empty where nothing is known."""
        if self.support is None:
            return np.zeros(0, np.int8)
        states = self.support.states
        marks = np.zeros(len(states), np.int8)
        marks[states == State.UNDECIDED] = UNDECIDED
        marks[states == State.OUTSIDE] = OUTSIDE
        marks[self.support.within_noise(self.floor)] = NEAR
        return marks

    @property
    def outside(self) -> int:
        """Tokens outside, those within noise among them."""
        return self.support.outside if self.support else 0

    @property
    def near(self) -> int:
        """Tokens outside by less than the floor."""
        return int((self.marks == NEAR).sum())

    @property
    def first_outside(self) -> int | None:
        """The first token outside by more than noise; failing that, the first one outside."""
        for wanted in (OUTSIDE, NEAR):
            places = np.flatnonzero(self.marks == wanted)
            if len(places):
                return int(places[0])
        return None

    def next_outside(self, token: int, step: int) -> int | None:
        """The nearest token outside after (`step` 1) or before (-1) a token; None if none is."""
        places = np.flatnonzero(self.marks >= NEAR)
        side = places[places > token] if step > 0 else places[places < token][::-1]
        return int(side[0]) if len(side) else None


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in sentences, safe to print once `token` has been made visible.

    Attributes:
        first: which token is the first outside; counts, samples: how many, how rare the text is.
        asked: whose sampler, its settings, and what it rests on.
        clear: there is a token outside by more than noise.
    """

    first: str
    counts: str
    samples: str
    asked: str
    clear: bool


def support_view(
    rows: Sequence[ScoredRow], model: str, sampling: Sampling, length: int, floor: float
) -> SupportView:
    """What a model's sampler makes of a trace of `length` tokens, as well as is known."""
    own = [row for row in rows if row.scorer.model == model]
    fitting = [row for row in own if len(row.scores.logprobs) == length]
    if not fitting:
        if own:
            missing = f"scored on other tokens ({len(own[-1].scores.logprobs)}, not {length})"
        else:
            missing = f"not scored under {model} yet"
        return SupportView(model, sampling, length, missing=missing, floor=floor)
    key = sampler_key(sampling)
    row = next((row for row in reversed(fitting) if row.truncations.get(key)), fitting[-1])
    support, how, settled, missing = _best(row, sampling, key)
    return SupportView(model, sampling, length, support, how, missing, settled, row.scores, floor)


def _best(row: ScoredRow, sampling: Sampling, key: str) -> tuple[Support | None, str, bool, str]:
    """Support, what it rests on, whether that is all there is to know, why there is none."""
    scores = row.scores
    if is_plain(sampling):
        return plain(scores.logprobs), "exact", True, ""
    found = row.truncations.get(key)
    if found is not None:
        return found.support(scores.ranks, sampling), "exact", True, ""
    known = scores.top_logprobs.shape[1] if scores.top_logprobs.ndim == 2 else 0
    if not known:
        if not len(scores.logprobs):
            return plain(scores.logprobs), "exact", True, ""
        return None, "", False, "scored without alternatives, so nothing bounds it"
    support = bounded(scores, row.vocabulary, sampling)
    if sampling.temperature == 0:
        return support, "exact", True, ""
    return support, f"bounds from the {known} most likely tokens", key in row.truncations, ""


def headline(view: SupportView, token: str) -> Headline:
    """The verdict in words.

    Args:
        token: the text of the first token outside, visible and safe.
    """
    asked = f"{view.model}'s sampler at {sampler_label(view.sampling)}"
    if view.support is None:
        return Headline(f"Not known: {view.missing}.", "", "", f"{asked}.", False)
    asked += f" · {view.how} · n = {count(view.n_tokens)} tokens"
    return Headline(_first(view, token), _counts(view), _samples(view), asked, _clear(view))


def _clear(view: SupportView) -> bool:
    return bool((view.marks == OUTSIDE).any())


def _first(view: SupportView, token: str) -> str:
    place = view.first_outside
    assert view.support is not None
    if place is None:
        if view.support.undecided:
            return f"No token is known to be outside {view.model}'s support."
        return f"Every token is inside {view.model}'s support."
    beyond = " by more than noise" if bool((view.marks[:place] == NEAR).any()) else ""
    said = f"First token outside{beyond}: {count(place + 1)} of {count(view.n_tokens)}, {token}"
    if view.scores is not None:
        said += f", p {probability(float(view.scores.logprobs[place]))}"
        said += f", rank {count(int(view.scores.ranks[place]))}"
    return said + ("." if _clear(view) else ", within noise of the edge.")


def _counts(view: SupportView) -> str:
    assert view.support is not None
    parts = [f"{count(view.outside)} of {count(view.n_tokens)} tokens outside"]
    if view.near:
        parts[0] += f", {count(view.near)} of them by less than {view.floor:.2g} nat (noise)"
    undecided = view.support.undecided
    parts.append(f"{count(undecided)} undecided" if undecided else "none undecided")
    return " · ".join(parts)


def _samples(view: SupportView) -> str:
    """How many samples until this very text is drawn."""
    assert view.support is not None
    low, high = view.support.log10_samples()
    if math.isinf(low):
        if _clear(view):
            return "No number of samples draws exactly this text."
        return "As measured no sample draws exactly this text, but only noise says so."
    if math.isinf(high):
        return f"At least {power(low)} samples are expected until exactly this text is drawn."
    size = power(low) if high - low < 0.05 else f"{power(low)} to {power(high)}"
    return f"{size} samples are expected until exactly this text is drawn."


def power(log10: float) -> str:
    """`10^23.4`; small ones as numbers."""
    return f"10^{log10:.1f}" if log10 >= 4 else count(max(1, round(10**log10)))


def sampler_label(sampling: Sampling) -> str:
    """`T 0.6 · top-p 0.95 · top-k 20`: what decides which tokens can be drawn."""
    if is_plain(sampling):
        return "T 1, nothing cut"
    parts = [f"T {sampling.temperature:g}"]
    if sampling.top_p < 1:
        parts.append(f"top-p {sampling.top_p:g}")
    if sampling.top_k:
        parts.append(f"top-k {sampling.top_k}")
    return " · ".join(parts)

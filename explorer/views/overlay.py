"""Overlays: which tokens of a trace are coloured, how strongly, and what the colours mean.

Invariant: a unit has a level only if every number behind it is known; what is unknown carries a
reason in words and no colour. Level 0 is the ordinary case and is never coloured. A difference
below `core.likelihood`'s noise floor between engines has level 0 whatever its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.likelihood import (
    DELTA_EDGES,
    ENTROPY_EDGES,
    NOISE,
    SURPRISAL_EDGES,
    delta_levels,
    entropy_levels,
    rank_classes,
    surprisal_levels,
)
from explorer.views.noise import UNMEASURED, NoiseNote, threshold_of
from explorer.views.trace import TraceText
from explorer.views.trace_likelihoods import Likelihoods, Opinion

Levels = NDArray[np.int8]

NOTABLE_LEVEL: Final = 2
"""From this level on, either sign, a token is a stop for 'next notable token'."""

RANK_LEVELS: Final = (0, 2, 4)
"""Level of each rank class: the base's first choice, its second or third, anything later."""


class Overlay(StrEnum):
    """What the colours of a trace show."""

    SURPRISAL = "surprisal"
    DELTA = "delta"
    RANK = "rank"
    ENTROPY = "entropy"
    PLAIN = "plain"

    @property
    def signed(self) -> bool:
        """Whether levels run from −4 to 4 instead of 0 to 4."""
        return self is Overlay.DELTA

    @property
    def following(self) -> Overlay:
        """The next overlay in the cycle."""
        members = list(Overlay)
        return members[(members.index(self) + 1) % len(members)]


@dataclass(frozen=True, slots=True)
class Legend:
    """How to read an overlay.

    Attributes:
        title, short: what is shown, with its unit; and in a few cells.
        entries: (level, range of values) in reading order.
        edges: the thresholds of the levels in one phrase, for where ranges do not fit.
        note: how the numbers were made.
        noise, short_noise: what the numbers are uncertain by, said before the ranges are.
    """

    title: str
    short: str
    entries: tuple[tuple[int, str], ...]
    edges: str
    note: str
    noise: str = ""
    short_noise: str = ""


@dataclass(frozen=True, slots=True)
class Colouring:
    """An overlay applied to a trace.

    Attributes:
        overlay: which one.
        levels: [units] 0..4, or −4..4 for a signed overlay; all 0 where nothing is known.
        missing: why nothing is coloured, '' if the values are known.
        groups: [units] which of them are coloured as one, None if each is for itself.
    """

    overlay: Overlay
    levels: Levels
    missing: str = ""
    groups: NDArray[np.int64] | None = None

    def next_notable(self, unit: int, step: int) -> int | None:
        """The nearest notable unit after (`step` 1) or before (−1) a unit, None if none is."""
        notable = self._notable
        side = notable[notable > unit] if step > 0 else notable[notable < unit][::-1]
        return int(side[0]) if len(side) else None

    @property
    def notable_count(self) -> int:
        return len(self._notable)

    @property
    def _notable(self) -> NDArray[np.intp]:
        """The notable units; of a group the first alone."""
        notable = np.abs(self.levels) >= NOTABLE_LEVEL
        if self.groups is not None and len(self.groups):
            notable &= np.concatenate([[True], self.groups[1:] != self.groups[:-1]])
        return np.flatnonzero(notable)


def colour(
    overlay: Overlay, text: TraceText, likelihoods: Likelihoods, floor: float = NOISE
) -> Colouring:
    """Levels of every unit of a trace under an overlay; no difference below `floor` has one."""
    per_token, missing = _token_levels(overlay, likelihoods, floor)
    if per_token is None:
        return Colouring(overlay, np.zeros(text.n_units, np.int8), missing)
    return Colouring(overlay, _strongest(per_token, text))


def legend(overlay: Overlay, base: str, noise: NoiseNote | None = None) -> Legend:
    """The legend of an overlay, `base` being the name of the base model."""
    note = "T = 1, raw"
    if overlay is Overlay.SURPRISAL:
        title, short, edges = f"−log p under {base} (nats)", f"−log p {base}", SURPRISAL_EDGES
        return Legend(title, short, _ranges(edges), _edges(edges), note)
    if overlay is Overlay.DELTA:
        title, short, edges = f"Δ log p = own − {base} (nats)", f"Δ own−{base}", DELTA_EDGES
        floor = threshold_of(noise)
        shown = tuple(max(edge, float(f"{floor:.2g}")) for edge in edges)
        long, brief = (noise.long, noise.short) if noise else (UNMEASURED, "floor ?")
        return Legend(title, short, _signed_ranges(shown), "±" + _edges(shown), note, long, brief)
    if overlay is Overlay.RANK:
        named = zip(RANK_LEVELS, ("1", "2–3", ">3"), strict=True)
        return Legend(f"rank under {base}", f"rank {base}", tuple(named), "", note)
    if overlay is Overlay.ENTROPY:
        title, short = f"entropy of {base}'s next token (nats)", f"entropy {base}"
        return Legend(title, short, _ranges(ENTROPY_EDGES), _edges(ENTROPY_EDGES), note)
    return Legend("plain text, no colour", "plain", (), "", "")


def _token_levels(overlay: Overlay, known: Likelihoods, floor: float) -> tuple[Levels | None, str]:
    if overlay is Overlay.PLAIN:
        return None, ""
    base = known.base
    if base.missing:
        return None, base.missing
    if overlay is Overlay.SURPRISAL:
        assert base.logprobs is not None
        return surprisal_levels(base.logprobs), ""
    if overlay is Overlay.RANK:
        if base.ranks is None:
            return None, _unscored(base, "ranks")
        return np.asarray(RANK_LEVELS, np.int8)[rank_classes(base.ranks)], ""
    if overlay is Overlay.ENTROPY:
        if base.entropies is None:
            return None, _unscored(base, "entropies")
        return entropy_levels(base.entropies), ""
    if known.is_base:
        return None, "this is the base itself"
    if known.delta is None:
        return None, f"{known.own.model}'s own log-probabilities are {known.own.missing}"
    return delta_levels(known.delta, floor), ""


def _unscored(base: Opinion, what: str) -> str:
    return f"{what} need a score under {base.model}, which is not there yet"


def _strongest(per_token: Levels, text: TraceText) -> Levels:
    if text.n_units == len(per_token):
        return per_token
    starts = text.first_token
    high = np.maximum.reduceat(per_token, starts)
    low = np.minimum.reduceat(per_token, starts)
    return np.where(-low > high, low, high).astype(np.int8)


def _ranges(edges: tuple[float, ...]) -> tuple[tuple[int, str], ...]:
    inner = [f"{low:g}–{high:g}" for low, high in pairwise(edges)]
    labels = [f"<{edges[0]:g}", *inner, f"≥{edges[-1]:g}"]
    return tuple(enumerate(labels))


def _edges(edges: tuple[float, ...]) -> str:
    return " ".join(f"{edge:g}" for edge in edges) + " nats"


def _signed_ranges(edges: tuple[float, ...]) -> tuple[tuple[int, str], ...]:
    labels = [f"{edge:g}" for edge in edges]
    down = [(-level, f"≤−{labels[level - 1]}") for level in range(4, 0, -1)]
    up = [(level, f"≥{labels[level - 1]}") for level in range(1, 5)]
    return (*down, (0, f"<±{labels[0]}"), *up)

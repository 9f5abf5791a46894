"""Overlays on words, sentences and steps rather than tokens.

Invariant: every token belongs to exactly one group, and all of a group has one level: that of its
mean surprisal or entropy, of its worst rank, or of its largest |Δ|; unknown stays unknown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.likelihood import (
    NOISE,
    delta_levels,
    entropy_levels,
    rank_classes,
    surprisal_levels,
)
from explorer.core.steps import sentences, steps
from explorer.views.overlay import RANK_LEVELS, Colouring, Legend, Levels, Overlay, colour
from explorer.views.trace import TraceText
from explorer.views.trace_likelihoods import Likelihoods

_WORD: Final = re.compile(r"\S+")


class Unit(StrEnum):
    """What an overlay colours as one."""

    TOKEN = "token"
    WORD = "word"
    SENTENCE = "sentence"
    STEP = "step"

    @property
    def following(self) -> Unit:
        """The next in the cycle."""
        members = list(Unit)
        return members[(members.index(self) + 1) % len(members)]


def colour_by(
    unit: Unit, overlay: Overlay, text: TraceText, known: Likelihoods, floor: float = NOISE
) -> Colouring:
    """As `overlay.colour`, with one level for all of a group."""
    plain = colour(overlay, text, known, floor)
    if unit is Unit.TOKEN or overlay is Overlay.PLAIN or plain.missing or not text.n_tokens:
        return plain
    groups = groups_of(unit, text)
    levels = _levels(overlay, known, groups, floor)[groups][text.first_token]
    return replace(plain, levels=levels.astype(np.int8), groups=groups[text.first_token])


def groups_of(unit: Unit, text: TraceText) -> NDArray[np.int64]:
    """[T] the group of each token, numbered from 0 without gaps."""
    source = text.source
    if unit is Unit.WORD:
        starts = [match.start() for match in _WORD.finditer(source)]
    elif unit is Unit.SENTENCE:
        starts = [span.start for span in sentences(source)]
    else:  # the words that lead to a calculation belong to it
        starts = [0, *(step.end for step in steps(source))]
    last = np.maximum(text.char_ends - 1, 0)
    found = np.searchsorted(np.asarray(starts, np.int64), last, "right")
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def legend_by(unit: Unit, overlay: Overlay, shown: Legend) -> Legend:
    """The legend of an overlay, saying how a group got its colour."""
    if unit is Unit.TOKEN or overlay is Overlay.PLAIN:
        return shown
    how = {Overlay.DELTA: "largest |Δ|", Overlay.RANK: "worst"}.get(overlay, "mean")
    return replace(
        shown,
        title=f"{how} per {unit}: {shown.title}",
        short=f"{how}/{unit}: {shown.short}",
    )


def _levels(
    overlay: Overlay, known: Likelihoods, groups: NDArray[np.int64], floor: float
) -> Levels:
    """[groups] levels; the values behind them are known."""
    base = known.base
    if overlay is Overlay.SURPRISAL:
        assert base.logprobs is not None
        return surprisal_levels(_means(base.logprobs, groups))
    if overlay is Overlay.ENTROPY:
        assert base.entropies is not None
        return entropy_levels(_means(base.entropies, groups))
    starts = _starts(groups)
    if overlay is Overlay.RANK:
        assert base.ranks is not None
        worst = np.maximum.reduceat(base.ranks, starts)
        return np.asarray(RANK_LEVELS, np.int8)[rank_classes(worst)]
    assert known.delta is not None
    high = np.maximum.reduceat(known.delta, starts)
    low = np.minimum.reduceat(known.delta, starts)
    return delta_levels(np.where(-low > high, low, high), floor)


def _means(values: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """[groups] means of the values that are known; NaN where none is."""
    fine = np.isfinite(values)
    many = np.bincount(groups, weights=fine)
    total = np.bincount(groups, weights=np.where(fine, values, 0.0))
    means = np.where(many > 0, total / np.maximum(many, 1), np.nan)
    return means.astype(np.float32)


def _starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))

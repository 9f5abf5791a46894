"""What is known of each token's likelihood, and if something is not known, why not.

Invariant: an array is here only if it has one value per token of the trace as shown; scores made
on another tokenisation are reported, never stretched over tokens they do not belong to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.core.completion import Float32, Int32, TokenScores
from explorer.core.likelihood import delta_logprobs
from explorer.store.rows import ArmRow, TraceRow


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one model thinks of a trace's tokens, raw: natural log, temperature 1.

    Attributes:
        model: the model's name.
        logprobs: [T], or None where unknown.
        ranks, entropies: [T], or None where only the sampled log-probabilities are known.
        scores: the full scores with alternatives, if it was teacher-forced.
        missing: why there are no log-probabilities, '' if there are.
    """

    model: str
    logprobs: Float32 | None = None
    ranks: Int32 | None = None
    entropies: Float32 | None = None
    scores: TokenScores | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Both opinions that a trace is read with: the base model's and its own model's."""

    base: Opinion
    own: Opinion
    exact: bool

    @property
    def is_base(self) -> bool:
        """Whether the trace was drawn from the base model itself."""
        return self.base.model == self.own.model

    @property
    def delta(self) -> NDArray[np.float64] | None:
        """[T] own − base log-probability in nats, None if either is unknown."""
        if self.base.logprobs is None or self.own.logprobs is None:
            return None
        return delta_logprobs(self.own.logprobs, self.base.logprobs)


def base_name(arm: ArmRow) -> str:
    """The model that an arm's traces are compared with: its base, or itself if it is one."""
    return arm.model.base or arm.model.name


def read_likelihoods(trace: TraceRow, arm: ArmRow) -> Likelihoods:
    """The base model's and the own model's opinion of a trace, as far as they are stored."""
    base, own = base_name(arm), arm.model.name
    return Likelihoods(
        base=_opinion(trace, base, drew_it=base == own),
        own=_opinion(trace, own, drew_it=True),
        exact=trace.tokens is not None and trace.tokens.exact,
    )


def _opinion(trace: TraceRow, model: str, drew_it: bool) -> Opinion:
    if trace.tokens is None:
        return Opinion(model, missing="text only, its tokens are not recorded")
    length = len(trace.tokens)
    found = [scores for scorer, scores in trace.scores.items() if scorer.model == model]
    fitting = [scores for scores in found if len(scores.logprobs) == length]
    drawn = trace.tokens.logprobs if drew_it else None
    if fitting:
        scores = fitting[-1]
        known = bool(len(scores.entropies)) and not np.isnan(scores.entropies).all()
        return Opinion(
            model,
            logprobs=scores.logprobs if drawn is None else drawn,
            ranks=scores.ranks,
            entropies=scores.entropies if known else None,
            scores=scores,
        )
    if drawn is not None:
        return Opinion(model, logprobs=drawn)
    if found:
        return Opinion(
            model, missing=f"scored on other tokens ({len(found[-1].logprobs)}, not {length})"
        )
    return Opinion(model, missing="not recorded" if drew_it else f"not scored under {model} yet")

"""Completions and scores: one sample of an arm on a problem, and what a model thinks of it.

Token text is never searched for: every token carries the end of its span in the UTF-8 bytes of
the completion's text, so that showing a trace needs no tokenizer. A token that ends inside a
multi-byte character has an end inside it; a control token (EOS) has an empty span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]


class FinishReason(StrEnum):
    """Why a completion ended."""

    STOP = "stop"  # EOS, or a stop string
    LENGTH = "length"  # max_tokens or the context ran out: the answer may be cut off
    UNKNOWN = "unknown"  # imported without saying


class Origin(StrEnum):
    """Where a completion came from. Recorded ones ship with a file; live ones were drawn here."""

    LIVE = "live"
    RECORDED = "recorded"


class Outcome(StrEnum):
    """A verifier's decision. Undecided is not wrong: it timed out, or found no answer."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a completion's text.

    Attributes:
        ids: [T] token ids as the model drew them, the final EOS included if it was drawn.
        ends: [T] byte offset in the UTF-8 text at which each token ends (non-decreasing).
        logprobs: [T] natural log-probability of each token under the model that drew it, raw:
            temperature 1, before top-p/top-k. None when the source did not record it.
        exact: False when the ids come from re-tokenising text rather than from the model.
    """

    ids: Int32
    ends: Int32
    logprobs: Float32 | None
    exact: bool = True

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def are_placed(self) -> bool:
        """Whether it is known what each token covers; imported ids without a tokenizer are not."""
        return not len(self.ends) or bool(self.ends[-1])


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample of an arm on a problem; (arm, problem, index) is its identity."""

    index: int
    seed: int
    text: str
    finish: FinishReason
    tokens: Tokens | None
    origin: Origin = Origin.LIVE
    source: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier decided about one completion.

    Attributes:
        verifier, version: who decided; versions are never mixed in one tally.
        answer: the extracted answer, '' if none was found.
        method: how it was found: 'boxed', 'phrase', 'last-number' (a guess) or 'none'.
        detail: why it is undecided, or a remark.
    """

    verifier: str
    version: str
    outcome: Outcome
    answer: str
    method: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """A completion teacher-forced through a model, response tokens only, temperature 1.

    Attributes:
        logprobs: [T] natural log-probability of each token given prompt and earlier tokens.
        ranks: [T] 1-based rank of the token in the model's full distribution.
        entropies: [T] entropy of that distribution in nats; NaN where the engine cannot say.
        top_ids: [T, K] the K most likely tokens, best first.
        top_logprobs: [T, K] their log-probabilities.
        top_texts: K strings per position, for display (hostile text).
    """

    logprobs: Float32
    ranks: Int32
    entropies: Float32
    top_ids: Int32
    top_logprobs: Float32
    top_texts: Sequence[Sequence[str]]

"""What readers get: frozen rows, one class per question that a screen or a report asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import (
    FinishReason,
    Origin,
    Outcome,
    Tokens,
    TokenScores,
)
from explorer.core.problem import Problem


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A stored problem; `id` is its row in this cache."""

    id: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model as some workspace or recorded file named it."""

    name: str
    role: str
    base: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class ArmRow:
    """A stored arm and the model it belongs to."""

    id: int
    key: str
    spec: ArmSpec
    model: ModelRow


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one arm on one problem, by the problem's own verifier.

    n = graded samples. An undecided sample is not passed, and is shown.
    """

    completions: int = 0
    recorded: int = 0
    correct: int = 0
    wrong: int = 0
    undecided: int = 0

    @property
    def n(self) -> int:
        return self.correct + self.wrong + self.undecided

    @property
    def ungraded(self) -> int:
        return self.completions - self.n


@dataclass(frozen=True, slots=True)
class AnswerCount:
    """How often an arm gave an answer on a problem ('' = none was found)."""

    answer: str
    outcome: Outcome
    count: int


@dataclass(frozen=True, slots=True)
class CompletionHead:
    """A completion without its text, for lists and stepping."""

    id: int
    index: int
    n_tokens: int | None
    mean_logprob: float | None
    finish: FinishReason
    origin: Origin
    outcome: Outcome | None
    answer: str
    method: str


@dataclass(frozen=True, slots=True)
class ScorerRow:
    """A model that has scored completions; `exact identity` is its checkpoint, engine, dtype."""

    id: int
    model: str
    checkpoint: str
    tokenizer: str
    engine: str
    dtype: str


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A completion with everything needed to show it: no tokenizer, no second query.

    `scores` maps the scorer to its teacher-forced scores of this completion.
    """

    head: CompletionHead
    arm_id: int
    problem_id: int
    seed: int
    source: str
    text: str
    tokens: Tokens | None
    detail: str
    scores: Mapping[ScorerRow, TokenScores]


@dataclass(frozen=True, slots=True)
class PromptRow:
    """The exact prompt an arm saw for a problem."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A standing request: 'this model should have n completions of this problem', or scores.

    Attributes:
        kind: 'sample' or 'score'.
        model: which model samples or scores.
        sampling: settings of a sample request, else None.
        n: target number of completions (sample), most completions to score (score).
        arm_id: whose completions are scored; for samples, the arm once it is known.
        completion_id: the one completion to score, or None for the arm's first n.
        state: 'queued', 'running', 'done', 'failed' or 'cancelled'.
        error: {'title','detail','hint'} of a failed request, else {}.
    """

    id: int
    kind: str
    model: str
    problem_id: int
    sampling: Sampling | None
    n: int
    arm_id: int | None
    completion_id: int | None
    priority: int
    state: str
    error: Mapping[str, Any]
    asked: float
    updated: float


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A completion that is being drawn right now, as far as it has got."""

    arm_id: int
    problem_id: int
    index: int
    text: str
    n_tokens: int
    updated: float


@dataclass(frozen=True, slots=True)
class SamplerRow:
    """What the sampler last said of itself; `heartbeat` tells whether it still lives.

    `stop_requested` is 0, or when a stop was asked for, in milliseconds since 1970.
    """

    pid: int
    host: str
    started: float
    heartbeat: float
    state: str
    model: str
    detail: str
    tokens_per_s: float
    stop_requested: int

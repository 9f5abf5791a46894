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
from explorer.core.prompts import PromptImage
from explorer.core.review import Finding
from explorer.core.second_opinion import disagree


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
    """Counts of one arm on one problem, by the problem's own verifier or a person's override.

    n = graded samples. An undecided sample is not passed, and is shown.

    Attributes:
        seconded: completions that a second verifier has looked at.
        disagreed: those where it contradicts the first and no person has settled it.
        overridden: those that a person decided; they count as the person said.
        label_differs: those whose source says right where we say wrong, or the other way.
    """

    completions: int = 0
    recorded: int = 0
    correct: int = 0
    wrong: int = 0
    undecided: int = 0
    seconded: int = 0
    disagreed: int = 0
    overridden: int = 0
    label_differs: int = 0

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
    """A completion without its text, for lists and stepping.

    Attributes:
        outcome: what counts: the person's word if there is one, else the verifier's.
        verified: what the problem's own verifier said.
        second: what the second verifier said.
        overridden: a person decided.
    """

    id: int
    index: int
    n_tokens: int | None
    mean_logprob: float | None
    finish: FinishReason
    origin: Origin
    outcome: Outcome | None
    answer: str
    method: str
    verified: Outcome | None = None
    second: Outcome | None = None
    overridden: bool = False

    @property
    def disagrees(self) -> bool:
        """The verifiers contradict each other and no person has settled it."""
        return not self.overridden and disagree(self.verified, self.second)


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """What a person said of a completion: `made` is in seconds since 1970."""

    outcome: Outcome
    note: str
    author: str
    made: float


@dataclass(frozen=True, slots=True)
class OverriddenRow:
    """An override and the completion it is about; `verified` is the verifier's word, '' if none."""

    override: OverrideRow
    completion_id: int
    dataset: str
    problem: str
    model: str
    arm_key: str
    index: int
    verified: str
    answer: str


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What a person or a judge found in a completion's reasoning.

    Attributes:
        vote: a judge's votes are counted from 0; a person has one.
        made: in seconds since 1970.
        blind: it was said before the reviewer saw who wrote the completion.
        source: key of the arm that a judge votes as, '' for people.
    """

    completion_id: int
    reviewer: str
    finding: Finding
    note: str
    made: float
    blind: bool
    vote: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class SecondRow:
    """What the second verifier said of a completion."""

    verifier: str
    version: str
    outcome: Outcome
    detail: str


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
class SourceLabel:
    """What the source of an imported completion says of it; 1 = right, 0 = wrong, None = words.

    Attributes:
        compared: it is the one that says the same kind of thing as our verdict.
    """

    name: str
    value: float | None
    text: str
    compared: bool

    @property
    def outcome(self) -> Outcome | None:
        """Right or wrong; None for what is neither."""
        if self.value is None or 0 < self.value < 1:
            return None
        return Outcome.CORRECT if self.value >= 1 else Outcome.WRONG


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """Where an imported completion came from: format, line of its file, a remark, labels."""

    format: str
    line: int
    note: str
    labels: tuple[SourceLabel, ...]

    @property
    def compared(self) -> SourceLabel | None:
        return next((label for label in self.labels if label.compared), None)


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
    second: SecondRow | None = None
    override: OverrideRow | None = None
    recorded: RecordedRow | None = None
    reviews: tuple[ReviewRow, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptRow:
    """The exact prompt an arm saw for a problem."""

    text: str
    ids: tuple[int, ...]
    images: tuple[PromptImage, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A standing request: 'this model should have n completions of this problem', or scores.

    Attributes:
        kind: 'sample', 'guess' (a sample without reasoning), 'score' or 'judge'.
        model: which model samples, scores or judges.
        sampling: settings to sample with; of a score request, the sampler whose support is asked
            for, None where only scores are.
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

"""What the Traces screen reads from the cache, each part with the topics that make it stale.

Invariant: every value is frozen and complete; the screen never goes back to the database for
something that a snapshot left out.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from explorer.core.guessing import is_ordinary
from explorer.store import queries, requests, status
from explorer.store.rows import (
    ArmRow,
    CompletionHead,
    ProblemRow,
    RequestRow,
    SamplerRow,
    TraceRow,
)
from explorer.views.noise import NoiseNote, notes
from explorer.views.trace_likelihoods import base_name

REQUESTS_SHOWN: Final = 200
"""Score requests of one problem that are looked at; each column shows its most recent one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm's completions of the problem.

    Attributes:
        base_perplexities: sorted perplexities of the base model's own completions of this
            problem under itself, if it was sampled with the same settings; else empty.
    """

    arm: ArmRow
    heads: tuple[CompletionHead, ...]
    base_perplexities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """The problem and one cell per column."""

    problem: ProblemRow | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class CellsSubject:
    """Watch the heads of some arms' completions of a problem."""

    problem_id: int
    arm_ids: tuple[int, ...]

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"problems", "counts"})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterable[Cells]:
        arms = {arm.id: arm for arm in queries.arms(db)}
        cells = [
            Cell(
                arms[arm_id],
                tuple(queries.heads(db, arm_id, self.problem_id)),
                _base_perplexities(db, arms[arm_id], list(arms.values()), self.problem_id),
            )
            for arm_id in self.arm_ids
            if arm_id in arms
        ]
        yield Cells(queries.problem_by_id(db, self.problem_id), tuple(cells))


@dataclass(frozen=True, slots=True)
class TraceSubject:
    """Watch one completion: its verdict and its scores."""

    completion_id: int

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"scores", "counts", "reviews"})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterable[TraceRow | None]:
        yield queries.trace(db, self.completion_id)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How far the scoring of one column is.

    Attributes:
        scored: completions of the cell that the base model has scored.
        request: the latest request to score them that is open or failed, None if there is none.
        sampler_alive: somebody is there to work on it.
        noise: the noise floor that differences in this column are held against, if measured.
    """

    scored: int
    request: RequestRow | None
    sampler_alive: bool
    noise: NoiseNote | None = None


@dataclass(frozen=True, slots=True)
class ScoringSubject:
    """Watch the requests to score some arms' completions of a problem; yields {arm id: …}."""

    problem_id: int
    arm_ids: tuple[int, ...]

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"requests", "scores", "sampler"})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterable[dict[int, Scoring]]:
        alive = _is_alive(status.sampler(db))
        asked = requests.select(
            db,
            "kind = 'score' AND problem_id = ? AND state IN ('queued', 'running', 'failed')",
            (self.problem_id,),
            REQUESTS_SHOWN,
        )
        latest: dict[int, RequestRow] = {}
        for request in sorted(asked, key=lambda one: one.asked):
            if request.arm_id is not None:
                latest[request.arm_id] = request
        found = {}
        arms = [arm for arm in queries.arms(db) if arm.id in self.arm_ids]
        floors = notes(db, arms)
        for arm in arms:
            means = queries.mean_logprobs(db, arm.id, self.problem_id)
            scored = sum(base_name(arm) in known for known in means.values())
            found[arm.id] = Scoring(scored, latest.get(arm.id), alive, floors.get(arm.id))
        yield found


def _base_perplexities(
    db: sqlite3.Connection, arm: ArmRow, arms: list[ArmRow], problem_id: int
) -> tuple[float, ...]:
    """Like-sampled only: perplexity moves with the temperature that drew the text."""
    base = base_name(arm)
    if base == arm.model.name:
        return ()
    twins = [
        other
        for other in arms
        if other.model.name == base
        and other.spec.sampling == arm.spec.sampling
        and is_ordinary(other.spec)
    ]
    means = [
        known["own"]
        for twin in twins[:1]
        for known in queries.mean_logprobs(db, twin.id, problem_id).values()
        if "own" in known
    ]
    return tuple(sorted(math.exp(-mean) for mean in means))


def _is_alive(sampler: SamplerRow | None) -> bool:
    from explorer.views.status import is_alive

    return sampler is not None and is_alive(sampler)

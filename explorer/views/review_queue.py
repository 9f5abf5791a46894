"""What a reviewer reads, in which order: right answers, the hard problems of the set first.

Problems are ordered by the least accuracy above 0 that any of the models has on them (those under
5 % first, as in the source's check), and within a problem the completions are shuffled. Invariant:
the order is a function of the cache's seed, the reviewer and what is stored, never of who wrote a
completion; so it says nothing of that, and a reviewer goes on where they left off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from explorer.core.review import queue_order
from explorer.settings import Settings
from explorer.store import queries, reviews
from explorer.store.revisions import Topic
from explorer.store.rows import ArmRow, ProblemRow, ReviewRow, Tally, TraceRow
from explorer.views.arms import ArmPick, choose

EACH: Final = 4
"""Right answers of each model and problem that are put into the queue, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class QueuePick:
    """What is to be reviewed; empty means all.

    Attributes:
        problem_ids: only these problems.
        each: most right answers of one model on one problem, 0 = all of them.
    """

    reviewer: str
    dataset: str = ""
    models: tuple[str, ...] = ()
    problem_ids: tuple[int, ...] = ()
    each: int = EACH


@dataclass(frozen=True, slots=True)
class Queued:
    """A completion in the queue; who wrote it is not in here.

    Attributes:
        hard: the problem is one of those with 0 < accuracy < 5 % for some model.
    """

    completion_id: int
    problem_id: int
    hard: bool


@dataclass(frozen=True)
class QueueSubject:
    """Watch the queue."""

    settings: Settings
    pick: QueuePick

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.PROBLEMS.value, Topic.COUNTS.value})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterator[tuple[Queued, ...]]:
        yield read_queue(db, self.settings, self.pick)


@dataclass(frozen=True)
class SaidSubject:
    """Watch what a reviewer has said: {completion id: review}."""

    reviewer: str

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.REVIEWS.value})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterator[dict[int, ReviewRow]]:
        yield reviews.by_reviewer(db, self.reviewer)


@dataclass(frozen=True, slots=True)
class Item:
    """One completion of the queue with all that may be shown of it, before and after."""

    trace: TraceRow
    problem: ProblemRow
    arm: ArmRow
    revealed: bool


@dataclass(frozen=True)
class ItemSubject:
    """Watch one completion of the queue."""

    completion_id: int
    reviewer: str

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.REVIEWS.value, Topic.COUNTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[Item | None]:
        trace = queries.trace_alone(db, self.completion_id)
        if trace is None:
            yield None
            return
        problem = queries.problem_by_id(db, trace.problem_id)
        arm = next(arm for arm in queries.arms(db) if arm.id == trace.arm_id)
        assert problem is not None, "a completion's problem is stored"
        revealed = reviews.is_revealed(db, self.completion_id, self.reviewer)
        yield Item(trace, problem, arm, revealed)


def read_queue(db: sqlite3.Connection, settings: Settings, pick: QueuePick) -> tuple[Queued, ...]:
    """The queue: right answers of the arms that the explorer shows, and what was reviewed of them.

    A completion that the reviewer has reviewed stays, whatever its verdict became since.
    """
    seed = f"{reviews.seed(db)}/{pick.reviewer}"
    said: dict[tuple[int, int], list[int]] = {}
    for one, at in reviews.cells_of(db, reviews.by_reviewer(db, pick.reviewer)).items():
        said.setdefault(at, []).append(one)
    found: list[tuple[tuple[int, float], str, int, str, Queued]] = []
    for dataset in [pick.dataset] if pick.dataset else queries.datasets(db):
        arm_ids = _arms(db, settings, pick, dataset)
        tallies = queries.tallies(db, dataset)
        for row in queries.problems(db, dataset):
            if pick.problem_ids and row.id not in pick.problem_ids:
                continue
            cells = {arm: tallies.get((arm, row.id), Tally()) for arm in arm_ids}
            order = min((_order(cell) for cell in cells.values()), default=(2, 0.0))
            for arm_id, cell in cells.items():
                kept = said.get((arm_id, row.id), [])
                right = reviews.right_answers(db, arm_id, row.id) if cell.correct else []
                for one in _chosen(right, kept, pick.each, seed):
                    queued = Queued(one, row.id, order[0] == 0)
                    place = (order, _shuffle(seed, f"p{row.id}"), row.id, _shuffle(seed, one))
                    found.append((*place, queued))
    found.sort(key=lambda entry: entry[:4])
    return tuple(entry[4] for entry in found)


def first_open(
    queue: Sequence[Queued], said: Mapping[int, ReviewRow], start: int = 0
) -> int | None:
    """Position of the next completion without a finding, from `start` on and around."""
    places = [*range(start, len(queue)), *range(min(start, len(queue)))]
    return next((at for at in places if queue[at].completion_id not in said), None)


def _arms(
    db: sqlite3.Connection, settings: Settings, pick: QueuePick, dataset: str
) -> tuple[int, ...]:
    sizes = queries.arm_sizes(db, dataset)
    choice = choose(queries.arms(db), queries.models(db), sizes, settings, ArmPick())
    return tuple(
        column.arm_id
        for column in choice.columns
        if column.arm is not None and (not pick.models or column.name in pick.models)
    )


def _order(cell: Tally) -> tuple[int, float]:
    return queue_order(cell.correct / cell.n if cell.n else 0.0)


def _chosen(right: Sequence[int], kept: Sequence[int], each: int, seed: str) -> list[int]:
    """What was reviewed already, and of the rest as many at random as there is room for.

    Drawn otherwise than shuffled: else those chosen out of many would stand before those that
    were chosen out of few, and the order would tell who wrote them.
    """
    drawn = f"{seed}/drawn"
    rest = sorted(set(right) - set(kept), key=lambda one: _shuffle(drawn, one))
    room = max(0, each - len(kept)) if each else len(rest)
    return [*kept, *rest[:room]]


def _shuffle(seed: str, what: object) -> str:
    return blake2b(f"{seed}/{what}".encode(), digest_size=8).hexdigest()

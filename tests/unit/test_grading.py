"""Grading what is stored: the memo, other versions, and problems that change under way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from explorer import grading
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.core.problem import Problem
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_writer
from explorer.store.rows import Tally
from explorer.store.verify import verify
from explorer.verifiers import registry
from explorer.verifiers.base import Decision
from explorer.verifiers.pool import CLOSED, TIMED_OUT, VerifierPool
from tests import fake_cache, small_workspace


class CountingPool(VerifierPool):
    """Decides by itself and notes what it was asked."""

    def __init__(self, decision: Decision | None = None) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.decision = decision

    def decide_many(self, questions: Iterable[tuple[Problem, str, str]]) -> list[Decision]:
        made = []
        for problem, _, answer in questions:
            self.asked.append(answer)
            right = Outcome.CORRECT if answer == problem.gold else Outcome.WRONG
            made.append(self.decision or Decision(right))
        return made


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "explorer.db")
    yield connection
    connection.close()


@pytest.fixture
def cell(db: sqlite3.Connection) -> tuple[int, int]:
    problem_id = catalog.put_problems(db, small_workspace.problems(1))["p0"]
    return catalog.put_arm(db, fake_cache.spec("base"), "base"), problem_id


def store(db: sqlite3.Connection, cell: tuple[int, int], answers: str) -> None:
    """Completions with these one-digit answers, ungraded."""
    start = len(queries.heads(db, *cell))
    completions.append(
        db,
        *cell,
        [
            (Completion(start + i, 0, f"\\boxed{{{answer}}}", FinishReason.STOP, None), None)
            for i, answer in enumerate(answers)
        ],
    )


def tally(db: sqlite3.Connection, cell: tuple[int, int]) -> Tally:
    assert verify(db) == []
    return queries.tallies(db)[cell]


def test_each_answer_is_decided_once_and_remembered(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "7878")
    pool = CountingPool()
    assert grading.grade_pending(db, pool) == 4
    store(db, cell, "789")
    assert grading.grade_pending(db, pool) == 3
    assert sorted(pool.asked) == ["7", "8", "9"]
    found = tally(db, cell)
    assert (found.correct, found.wrong, found.ungraded) == (3, 4, 0)
    assert grading.grade_pending(db, pool) == 0


def test_at_most_the_limit(db: sqlite3.Connection, cell: tuple[int, int]) -> None:
    store(db, cell, "7777")
    assert grading.grade_pending(db, CountingPool(), limit=3) == 3
    assert tally(db, cell).ungraded == 1


def test_verdicts_of_another_version_are_made_again(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    old = Verdict("math", "math-0", Outcome.WRONG, "7", "boxed")
    one = Completion(0, 0, "\\boxed{7}", FinishReason.STOP, None)
    completions.append(db, *cell, [(one, old)])
    completions.remember_decisions(db, cell[1], "math", "math-0", {"7": (Outcome.WRONG, "")})
    assert grading.grade_pending(db, CountingPool(), outdated=False) == 0
    assert grading.grade_pending(db, CountingPool()) == 1
    found = tally(db, cell)
    assert (found.correct, found.wrong) == (1, 0)
    versions = db.execute("SELECT version FROM verdict").fetchall()
    assert versions == [(registry.get("math").version,)]


def test_a_timeout_is_a_verdict_but_not_remembered(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "7")
    late = Decision(Outcome.UNDECIDED, f"{TIMED_OUT} 5 s")
    assert grading.grade_pending(db, CountingPool(late)) == 1
    assert tally(db, cell).undecided == 1
    assert db.execute("SELECT COUNT(*) FROM decision").fetchone() == (0,)


def test_a_pool_that_is_closed_leaves_it_ungraded(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "7")
    closed = Decision(Outcome.UNDECIDED, CLOSED)
    assert grading.grade_pending(db, CountingPool(closed)) == 0
    assert tally(db, cell).ungraded == 1


def test_a_problem_that_changes_under_way_gets_no_stale_verdict(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "7")

    class Meddling(CountingPool):
        def decide_many(self, questions: Iterable[tuple[Problem, str, str]]) -> list[Decision]:
            made = super().decide_many(questions)
            (problem,) = small_workspace.problems(1)
            catalog.put_problems(db, [replace(problem, gold="8")])
            return made

    assert grading.grade_pending(db, Meddling()) == 0
    assert tally(db, cell).ungraded == 1
    assert grading.grade_pending(db, CountingPool()) == 1
    assert tally(db, cell).wrong == 1


def test_an_unknown_verifier_is_left_alone(db: sqlite3.Connection, cell: tuple[int, int]) -> None:
    (problem,) = small_workspace.problems(1)
    catalog.put_problems(db, [replace(problem, verifier="oracle")])
    store(db, cell, "7")
    assert grading.grade_pending(db, CountingPool()) == 0
    assert tally(db, cell).ungraded == 1

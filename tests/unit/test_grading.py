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
    """Decides by itself and notes what it was asked, by verifier."""

    def __init__(self, decision: Decision | None = None, second: Outcome | None = None) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.asked_second: list[str] = []
        self.decision = decision
        self.second = second

    def decide_many(self, questions: Iterable[tuple[Problem, str, str]]) -> list[Decision]:
        made = []
        for problem, verifier, answer in questions:
            if verifier == "numeric":
                self.asked_second.append(answer)
                if self.second is not None:
                    made.append(Decision(self.second))
                    continue
            else:
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
    versions = db.execute("SELECT version FROM verdict WHERE verifier = 'math'").fetchall()
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


def test_a_second_opinion_disagrees_and_never_counts(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "778")
    grading.grade_pending(db, CountingPool(second=Outcome.WRONG))
    found = tally(db, cell)
    assert (found.correct, found.wrong, found.seconded, found.disagreed) == (2, 1, 3, 2)
    heads = queries.heads(db, *cell)
    assert [head.disagrees for head in heads] == [True, True, False]
    trace = queries.trace(db, heads[0].id)
    assert trace is not None
    assert trace.second is not None
    assert trace.second.verifier == "numeric"


def test_an_undecided_second_opinion_contradicts_nobody(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "78")
    grading.grade_pending(db, CountingPool(second=Outcome.UNDECIDED))
    assert (tally(db, cell).seconded, tally(db, cell).disagreed) == (2, 0)


def test_verdicts_that_came_without_a_second_get_one_by_answer(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    known = Verdict("math", registry.get("math").version, Outcome.CORRECT, "7", "boxed")
    texts = [Completion(i, 0, "\\boxed{7}", FinishReason.STOP, None) for i in range(5)]
    completions.append(db, *cell, [(one, known) for one in texts])
    assert tally(db, cell).seconded == 0
    pool = CountingPool()
    assert grading.grade_pending(db, pool, outdated=False) == 0
    assert (pool.asked, pool.asked_second) == ([], ["7"])
    assert tally(db, cell).seconded == 5
    grading.grade_pending(db, pool)
    assert pool.asked_second == ["7"]


def test_a_second_opinion_of_another_version_or_answer_is_sought_again(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    store(db, cell, "77")
    grading.grade_pending(db, CountingPool())
    with_old = "UPDATE verdict SET version = 'numeric-0' WHERE verifier = 'numeric'"
    db.execute(with_old + " AND completion_id = 1")
    db.execute("UPDATE verdict SET answer = '8' WHERE verifier = 'math' AND completion_id = 2")
    pool = CountingPool()
    grading.grade_pending(db, pool)
    assert sorted(pool.asked_second) == ["7", "8"]


def test_a_closed_pool_leaves_second_opinions_for_later(
    db: sqlite3.Connection, cell: tuple[int, int]
) -> None:
    known = Verdict("math", registry.get("math").version, Outcome.CORRECT, "7", "boxed")
    one = Completion(0, 0, "\\boxed{7}", FinishReason.STOP, None)
    completions.append(db, *cell, [(one, known)])
    grading.grade_pending(db, CountingPool(Decision(Outcome.UNDECIDED, CLOSED)))
    assert tally(db, cell).seconded == 0
    grading.grade_pending(db, CountingPool())
    assert tally(db, cell).seconded == 1

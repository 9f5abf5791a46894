"""Tests and images in the cache: kept apart from lists, compared by digest, there for verifiers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.core.problem import Problem
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_writer
from tests import fake_cache

TESTS = CodeTests(TestKind.STDIN, cases=(TestCase("1\n", "2\n"),) * 100).pack()
PROBLEM = Problem("code", "p", "Q", "", verifier="code", images=("/a.png", "/b\n.png"), tests=TESTS)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "a.db")) as db:
        yield db


@pytest.fixture
def row(db: sqlite3.Connection) -> int:
    """The problem, with one completion that is graded right."""
    ids = catalog.put_problems(db, [PROBLEM])
    arm = catalog.put_arm(db, fake_cache.spec("base"), "base")
    one = Completion(0, 0, "print(2)", FinishReason.STOP, None)
    verdict = Verdict("code", "1", Outcome.CORRECT, "print(2)", "block", "")
    completions.append(db, arm, ids["p"], [(one, verdict)])
    return ids["p"]


def correct(db: sqlite3.Connection, row: int) -> int:
    return sum(tally.correct for tally in queries.problem_tallies(db, row).values())


def test_only_a_verifier_reads_the_tests(db: sqlite3.Connection, row: int) -> None:
    shown = replace(PROBLEM, tests=None)
    listed = queries.problems(db)[0].problem
    assert listed == shown
    found = queries.problem_by_id(db, row)
    assert found is not None
    assert found.problem == shown
    tested = queries.tested_problem(db, row)
    assert tested is not None
    assert tested.problem == PROBLEM
    assert queries.code_tests(db, row) == TESTS
    assert queries.tested_problem(db, row + 1) is None


def test_the_same_again_changes_nothing(db: sqlite3.Connection, row: int) -> None:
    assert catalog.put_problems(db, [PROBLEM]) == {"p": row}
    assert correct(db, row) == 1


def test_other_tests_drop_the_verdicts_and_other_images_do_not(
    db: sqlite3.Connection, row: int
) -> None:
    catalog.put_problems(db, [replace(PROBLEM, images=())])
    assert correct(db, row) == 1
    assert queries.problems(db)[0].problem.images == ()
    other = CodeTests(TestKind.STDIN, cases=(TestCase("1\n", "3\n"),)).pack()
    catalog.put_problems(db, [replace(PROBLEM, tests=other)])
    assert correct(db, row) == 0
    assert queries.code_tests(db, row) == other
    catalog.put_problems(db, [replace(PROBLEM, tests=None, verifier="math")])
    assert queries.code_tests(db, row) is None


def test_a_problem_that_is_added_keeps_its_tests(db: sqlite3.Connection) -> None:
    added, _ = catalog.add_problem(db, PROBLEM)
    again, stored = catalog.add_problem(db, replace(PROBLEM, tests=None, images=()))
    assert again == added
    assert stored.images == PROBLEM.images
    assert queries.code_tests(db, added) == TESTS

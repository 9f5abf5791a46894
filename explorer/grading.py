"""Verdicts for stored completions: joins the store's memo with the verifiers.

Invariant: a verdict is stored only for the problem that it was made for; if the problem changed
meanwhile, or the pool was closed under way, the completion stays ungraded and is graded later.
A second opinion is about the answer that the first verdict is about, so it needs no text.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from explorer.core.arm import ArmSpec
from explorer.core.completion import Verdict
from explorer.core.guessing import BEGUN, is_guess
from explorer.core.second_opinion import SECOND_OF
from explorer.store import completions, queries
from explorer.store.connection import transaction
from explorer.store.rows import ProblemRow
from explorer.store.standing import TABLES
from explorer.verifiers import registry, sandbox
from explorer.verifiers.base import NO_SANDBOX, Decision
from explorer.verifiers.grading import grade_many
from explorer.verifiers.pool import CLOSED, VerifierPool

BATCH: Final = 256
"""Completions whose text is in memory at once, and the size of a write."""

Cell = tuple[int, int]
"""Row ids of an arm and a problem."""


def grade(
    db: sqlite3.Connection,
    pool: VerifierPool,
    problem: ProblemRow,
    arm_id: int,
    texts: Sequence[tuple[int, str]],
) -> dict[int, Verdict]:
    """Grade completions of one cell, given as (completion id, text), and store the verdicts.

    Returns:
        The stored verdicts by completion id.

    Raises:
        SettingsError: the problem names a verifier that does not exist.
        StoreError: the cache cannot be written.
    """
    task = problem.problem
    version = registry.get(task.verifier).version
    known = completions.known_decisions(db, problem.id, task.verifier, version)
    fresh: dict[str, Decision] = {}
    made = grade_many(
        [text for _, text in texts],
        task,
        pool,
        recall=lambda answer: Decision(*known[answer]) if answer in known else None,
        keep=fresh.__setitem__,
    )
    verdicts = {
        completion_id: verdict
        for (completion_id, _), verdict in zip(texts, made, strict=True)
        if verdict.detail != CLOSED
    }
    lasting = {answer: (one.outcome, one.detail) for answer, one in fresh.items()}
    with transaction(db):
        if queries.tested_problem(db, problem.id) != problem:
            return {}
        completions.remember_decisions(db, problem.id, task.verifier, version, lasting)
        completions.record_verdicts(db, arm_id, problem.id, verdicts)
    seek_second(db, pool, problem, arm_id)
    return verdicts


def seek_second(db: sqlite3.Connection, pool: VerifierPool, problem: ProblemRow, arm: int) -> bool:
    """Second opinions on a cell's verdicts that have none, or one of another version or answer.

    Returns:
        False if the pool was closed under way; what is missing comes with the next grading.

    Raises:
        StoreError: the cache cannot be written.
    """
    task, name = problem.problem, SECOND_OF.get(problem.problem.verifier)
    if name is None:
        return True
    version = registry.get(name).version
    rows = db.execute(
        f"SELECT c.id, v.answer, v.method FROM {TABLES} WHERE c.arm_id = ? AND c.problem_id = ?"
        " AND v.answer IS NOT NULL AND (s.answer IS NOT v.answer OR s.version IS NOT ?)",
        (arm, problem.id, version),
    ).fetchall()
    if not rows:
        return True
    answers = list(dict.fromkeys(answer for _, answer, _ in rows))
    made = pool.decide_many((task, name, answer) for answer in answers)
    said = dict(zip(answers, made, strict=True))
    if any(one.detail == CLOSED for one in made):
        return False
    verdicts = {
        row_id: Verdict(name, version, said[answer].outcome, answer, method, said[answer].detail)
        for row_id, answer, method in rows
    }
    with transaction(db):
        if queries.tested_problem(db, problem.id) == problem:
            completions.record_verdicts(db, arm, problem.id, verdicts)
    return True


def grade_pending(
    db: sqlite3.Connection, pool: VerifierPool, limit: int | None = None, *, outdated: bool = True
) -> int:
    """Grade completions that have no verdict, or (if `outdated`) one of another version.

    Problems whose verifier this installation does not have are left alone. When nothing is left
    to grade, second opinions that are missing are sought.

    Returns:
        How many were graded, at most `limit`.
    """
    graded = 0
    for arm_id, problem_id, texts in _pending(db, outdated):
        if limit is not None:
            texts = texts[: limit - graded]
        problem = queries.tested_problem(db, problem_id)
        if problem is not None and texts:
            graded += len(grade(db, pool, problem, arm_id, texts))
        if limit is not None and graded >= limit:
            return graded
    for arm_id, problem_id in _without_second(db, outdated):
        problem = queries.tested_problem(db, problem_id)
        if problem is not None and not seek_second(db, pool, problem, arm_id):
            break
    return graded


def _pending(
    db: sqlite3.Connection, outdated: bool
) -> Iterator[tuple[int, int, list[tuple[int, str]]]]:
    """Batches of completions to grade, one cell each; each completion comes once."""
    for cell in _ungraded_cells(db):
        yield from _batches(db, cell, _ungraded(db, cell))
    if outdated:
        for cell, ids in _outdated(db).items():
            yield from _batches(db, cell, ids)


def _batches(
    db: sqlite3.Connection, cell: Cell, ids: Sequence[int]
) -> Iterator[tuple[int, int, list[tuple[int, str]]]]:
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        marks = ",".join("?" * len(batch))
        rows = db.execute(f"SELECT id, text FROM completion WHERE id IN ({marks})", batch)
        begun = _begun(db, cell[0])
        yield (*cell, [(row_id, begun + text) for row_id, text in rows])


def _begun(db: sqlite3.Connection, arm_id: int) -> str:
    """The part of the answer that an arm's prompt has written already."""
    row = db.execute("SELECT spec FROM arm WHERE id = ?", (arm_id,)).fetchone()
    return BEGUN if is_guess(ArmSpec.from_json(json.loads(row[0])).template) else ""


def _ungraded_cells(db: sqlite3.Connection) -> list[Cell]:
    names = registry.names()
    return db.execute(
        "SELECT t.arm_id, t.problem_id FROM tally t JOIN problem p ON p.id = t.problem_id"
        " WHERE t.correct + t.wrong + t.undecided < t.completions"
        f" AND p.verifier IN ({','.join('?' * len(names))})",
        names,
    ).fetchall()


def _ungraded(db: sqlite3.Connection, cell: Cell) -> list[int]:
    rows = db.execute(
        "SELECT c.id FROM completion c JOIN problem p ON p.id = c.problem_id"
        " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
        " WHERE c.arm_id = ? AND c.problem_id = ? AND v.completion_id IS NULL",
        cell,
    )
    return [row[0] for row in rows]


def _without_second(db: sqlite3.Connection, outdated: bool) -> list[Cell]:
    names = tuple(SECOND_OF)
    cells: list[Cell] = db.execute(
        "SELECT t.arm_id, t.problem_id FROM tally t JOIN problem p ON p.id = t.problem_id"
        " WHERE t.seconded < t.correct + t.wrong + t.undecided"
        f" AND p.verifier IN ({','.join('?' * len(names))})",
        names,
    ).fetchall()
    for own, second in SECOND_OF.items() if outdated else ():
        cells += db.execute(
            "SELECT DISTINCT c.arm_id, c.problem_id FROM verdict v"
            " JOIN completion c ON c.id = v.completion_id"
            " JOIN problem p ON p.id = c.problem_id AND p.verifier = ?"
            " WHERE v.verifier = ? AND v.version != ?",
            (own, second, registry.get(second).version),
        ).fetchall()
    return list(dict.fromkeys(cells))


def _outdated(db: sqlite3.Connection) -> dict[Cell, list[int]]:
    found: dict[Cell, list[int]] = {}
    for name in registry.names():
        rows = db.execute(
            "SELECT c.arm_id, c.problem_id, c.id FROM verdict v"
            " JOIN completion c ON c.id = v.completion_id"
            " JOIN problem p ON p.id = c.problem_id AND p.verifier = v.verifier"
            " WHERE v.verifier = ? AND v.version != ?",
            (name, registry.get(name).version),
        )
        for arm_id, problem_id, completion_id in rows:
            found.setdefault((arm_id, problem_id), []).append(completion_id)
    for arm_id, problem_id, completion_id in _runnable_now(db):
        found.setdefault((arm_id, problem_id), []).append(completion_id)
    return found


def _runnable_now(db: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """Completions whose code was not run for want of a sandbox, if there is one by now."""
    rows: list[tuple[int, int, int]] = db.execute(
        "SELECT c.arm_id, c.problem_id, c.id FROM verdict v"
        " JOIN completion c ON c.id = v.completion_id"
        " JOIN problem p ON p.id = c.problem_id AND p.verifier = v.verifier"
        " WHERE v.verifier = 'code' AND v.version = ? AND v.detail LIKE ? || '%'",
        (registry.get("code").version, NO_SANDBOX),
    ).fetchall()
    return rows if rows and sandbox.probe().isolation is not sandbox.Isolation.NONE else []

"""Problems, models, arms, prompts and scorers: what completions hang on.

Putting something that is already there returns its row; nothing is ever overwritten except a
model's description and a problem whose dataset file changed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable

import numpy as np

from explorer.core.arm import ArmSpec, canonical_json
from explorer.core.code_tests import PackedTests
from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt
from explorer.errors import StoreError
from explorer.store import standing
from explorer.store.blobs import pack_ints
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import ModelRow, ScorerRow


def put_problems(db: sqlite3.Connection, problems: Iterable[Problem]) -> dict[str, int]:
    """Store problems of one dataset in file order; returns name -> row id.

    Where what a verifier sees of a problem has changed, its verdicts are dropped: its completions
    are ungraded until somebody grades them again.
    """
    ids: dict[str, int] = {}
    with transaction(db):
        for position, problem in enumerate(problems):
            values = _problem_values(problem)
            before = db.execute(
                f"SELECT id, {PROBLEM_COLUMNS} FROM problem WHERE dataset = ? AND name = ?",
                (problem.dataset, problem.name),
            ).fetchone()
            old = problem_from_columns(before[1:]) if before else None
            if old and _decides_otherwise(old, _digest(db, before[0]), problem):
                _forget_verdicts(db, before[0])
            row = db.execute(
                "INSERT INTO problem (statement, gold, family, level, note, verifier, extra,"
                " images, dataset, name, position) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (dataset, name) DO UPDATE SET statement=excluded.statement,"
                " gold=excluded.gold, family=excluded.family, level=excluded.level,"
                " note=excluded.note, verifier=excluded.verifier, extra=excluded.extra,"
                " images=excluded.images, position=excluded.position RETURNING id",
                (*values, problem.dataset, problem.name, position),
            ).fetchone()
            ids[problem.name] = row[0]
            _put_tests(db, row[0], problem.tests)
        bump(db, Topic.PROBLEMS)
    return ids


def next_position(db: sqlite3.Connection, dataset: str) -> int:
    """The place after the last problem of a dataset."""
    row = db.execute("SELECT MAX(position) + 1 FROM problem WHERE dataset = ?", (dataset,))
    return int(row.fetchone()[0] or 0)


def add_problem(
    db: sqlite3.Connection, problem: Problem, position: int | None = None
) -> tuple[int, Problem]:
    """Store a problem unless its dataset already has one of that name; returns what is stored.

    Args:
        position: its place in the dataset; None = after the last one, which must be looked for.
    """
    with transaction(db):
        if position is None:
            position = next_position(db, problem.dataset)
        cursor = db.execute(
            "INSERT INTO problem (statement, gold, family, level, note, verifier, extra, images,"
            " dataset, name, position) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (dataset, name) DO NOTHING",
            (*_problem_values(problem), problem.dataset, problem.name, position),
        )
        row = db.execute(
            f"SELECT id, {PROBLEM_COLUMNS} FROM problem WHERE dataset = ? AND name = ?",
            (problem.dataset, problem.name),
        ).fetchone()
        if cursor.rowcount == 1:
            _put_tests(db, row[0], problem.tests)
            bump(db, Topic.PROBLEMS)
    return int(row[0]), problem_from_columns(row[1:])


def put_models(db: sqlite3.Connection, models: Iterable[ModelRow]) -> None:
    """Store or update how models are described (role, base, algorithm)."""
    with transaction(db):
        db.executemany(
            "INSERT INTO model (name, role, base, algorithm) VALUES (?,?,?,?)"
            " ON CONFLICT (name) DO UPDATE SET role=excluded.role, base=excluded.base,"
            " algorithm=excluded.algorithm",
            [(m.name, m.role, m.base, m.algorithm) for m in models],
        )
        bump(db, Topic.PROBLEMS)


def add_model(db: sqlite3.Connection, model: ModelRow) -> None:
    """Store a model's description unless it already has one."""
    with transaction(db):
        db.execute(
            "INSERT INTO model (name, role, base, algorithm) VALUES (?,?,?,?)"
            " ON CONFLICT DO NOTHING",
            (model.name, model.role, model.base, model.algorithm),
        )
        bump(db, Topic.PROBLEMS)


def put_arm(db: sqlite3.Connection, spec: ArmSpec, model: str) -> int:
    """The arm with this spec, made if new; `model` names the row of the model table."""
    key = spec.key()
    row = db.execute("SELECT id FROM arm WHERE key = ?", (key,)).fetchone()
    if row:
        return int(row[0])
    with transaction(db):
        db.execute(
            "INSERT INTO arm (key, spec, model, created) VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
            (key, canonical_json(spec.to_json()), model, time.time()),
        )
        bump(db, Topic.PROBLEMS)
    return int(db.execute("SELECT id FROM arm WHERE key = ?", (key,)).fetchone()[0])


def put_prompt(
    db: sqlite3.Connection, arm_id: int, problem_id: int, prompt: RenderedPrompt
) -> None:
    """Store the prompt of a cell.

    Raises:
        StoreError: the cell already has another prompt, so its completions must not be pooled
            with new ones (the problem's statement or the model's chat template changed).
    """
    digest = prompt.digest
    row = db.execute(
        "SELECT digest FROM prompt WHERE arm_id = ? AND problem_id = ?", (arm_id, problem_id)
    ).fetchone()
    if row is None:
        with transaction(db):
            db.execute(
                "INSERT INTO prompt (arm_id, problem_id, text, ids, digest, images)"
                " VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                (
                    arm_id,
                    problem_id,
                    prompt.text,
                    pack_ints(np.asarray(prompt.ids)),
                    digest,
                    canonical_json([[image.path, image.digest] for image in prompt.images]),
                ),
            )
    elif row[0] != digest:
        raise StoreError(
            "This problem's prompt is not the one that was sampled before",
            "The same arm and problem now render to other token ids or show another image, so new"
            " completions must not be pooled with the stored ones.",
            "Give the changed problem a new id, or the changed template a new text.",
        )


def put_scorer(db: sqlite3.Connection, scorer: ScorerRow) -> int:
    """The scorer with this identity (its `id` is ignored), made if new."""
    identity = [scorer.checkpoint, scorer.tokenizer, scorer.engine, scorer.dtype]
    key = canonical_json(identity)
    row = db.execute("SELECT id FROM scorer WHERE key = ?", (key,)).fetchone()
    if row:
        return int(row[0])
    with transaction(db):
        db.execute(
            "INSERT INTO scorer (key, model, checkpoint, tokenizer, engine, dtype)"
            " VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (key, scorer.model, *identity),
        )
    return int(db.execute("SELECT id FROM scorer WHERE key = ?", (key,)).fetchone()[0])


def _problem_values(problem: Problem) -> tuple[str, ...]:
    return (
        problem.statement,
        problem.gold,
        problem.family,
        problem.level,
        problem.note,
        problem.verifier,
        canonical_json(dict(problem.extra)),
        canonical_json(list(problem.images)),
    )


def _put_tests(db: sqlite3.Connection, problem_id: int, tests: PackedTests | None) -> None:
    if tests is None:
        db.execute("DELETE FROM problem_tests WHERE problem_id = ?", (problem_id,))
        return
    db.execute(
        "INSERT INTO problem_tests (problem_id, digest, tests) VALUES (?,?,?)"
        " ON CONFLICT (problem_id) DO UPDATE SET digest=excluded.digest, tests=excluded.tests"
        " WHERE digest != excluded.digest",
        (problem_id, tests.digest, tests.blob),
    )


def _digest(db: sqlite3.Connection, problem_id: int) -> str:
    row = db.execute(
        "SELECT digest FROM problem_tests WHERE problem_id = ?", (problem_id,)
    ).fetchone()
    return str(row[0]) if row else ""


def _decides_otherwise(before: Problem, digest: str, after: Problem) -> bool:
    """Whether a verifier could decide otherwise now; families, notes and images do not count."""
    old = (before.statement, before.gold, before.verifier, dict(before.extra), digest)
    tests = after.tests.digest if after.tests else ""
    return old != (after.statement, after.gold, after.verifier, dict(after.extra), tests)


def _forget_verdicts(db: sqlite3.Connection, problem_id: int) -> None:
    db.execute("DELETE FROM decision WHERE problem_id = ?", (problem_id,))
    db.execute(
        "DELETE FROM verdict WHERE completion_id IN"
        " (SELECT c.id FROM tally t CROSS JOIN completion c ON c.arm_id = t.arm_id"
        " AND c.problem_id = t.problem_id WHERE t.problem_id = ?)",
        (problem_id,),
    )
    standing.recount(db, problem_id)
    bump(db, Topic.COUNTS)


def problem_from_columns(columns: tuple[str, ...]) -> Problem:
    """A problem from PROBLEM_COLUMNS, in that order; without its tests."""
    dataset, name, statement, gold, family, level, note, verifier, extra, images = columns
    return Problem(
        *(dataset, name, statement, gold, family, level, note, verifier),
        extra=json.loads(extra),
        images=tuple(json.loads(images)),
    )


PROBLEM_COLUMNS = "dataset, name, statement, gold, family, level, note, verifier, extra, images"

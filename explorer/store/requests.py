"""Standing requests. Asking for the same thing again raises its target and queues it again."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

from explorer.core.arm import Sampling, canonical_json
from explorer.errors import ExplorerError, UsageError
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import RequestRow

INTERACTIVE: Final = 0
"""Priority of what a person is looking at; lower numbers run first."""

DRAWING: Final = ("sample", "guess", "branch")
"""Kinds of requests that draw completions of an arm."""

BATCH: Final = 10
"""Priority of requests made from the command line for many problems."""

GUIDED: Final = 20
"""Priority of what guides ask for; a request of this priority is a guide's and nobody else's."""


def ask_for_completions(
    db: sqlite3.Connection,
    model: str,
    problem_id: int,
    sampling: Sampling,
    n: int,
    priority: int = INTERACTIVE,
) -> int:
    """Ask that `model` shall have `n` completions of a problem; returns the request's id.

    Raises:
        UsageError: the settings are those of imported completions whose file does not say them.
    """
    if not sampling.is_known:
        raise UsageError(
            "Nothing can be sampled with settings that are not known",
            f"Those shown are of imported completions: {sampling.label()}.",
            "Choose other settings first.",
        )
    settings = canonical_json(sampling.to_json())
    key = canonical_json(["sample", model, problem_id, settings])
    return _ask(db, key, "sample", model, problem_id, settings, n, None, None, priority)


def ask_for_guesses(
    db: sqlite3.Connection,
    model: str,
    problem_id: int,
    sampling: Sampling,
    n: int,
    priority: int = INTERACTIVE,
) -> int:
    """As `ask_for_completions`, in the prompt that leaves no room for reasoning."""
    settings = canonical_json(sampling.to_json())
    key = canonical_json(["guess", model, problem_id, settings])
    return _ask(db, key, "guess", model, problem_id, settings, n, None, None, priority)


def ask_for_votes(
    db: sqlite3.Connection,
    judge: str,
    problem_id: int,
    arm_id: int,
    sampling: Sampling,
    n: int,
    priority: int = INTERACTIVE,
) -> int:
    """Ask that `judge` shall have judged the reasoning of an arm's first `n` right answers.

    How many votes each takes, and in which prompt, is what explorer.toml says.
    """
    settings = canonical_json(sampling.to_json())
    key = canonical_json(["judge", judge, problem_id, arm_id, settings])
    return _ask(db, key, "judge", judge, problem_id, settings, n, arm_id, None, priority)


def ask_for_scores(
    db: sqlite3.Connection,
    scorer: str,
    problem_id: int,
    arm_id: int,
    n: int,
    completion_id: int | None = None,
    priority: int = INTERACTIVE,
    sampling: Sampling | None = None,
) -> int:
    """Ask that `scorer` shall have scored an arm's first `n` completions, or just one.

    With `sampling` it shall also have said which tokens a sampler with these settings could have
    drawn; without, it says so for the arm's own settings when it scores something new.
    """
    asked = ["score", scorer, problem_id, arm_id, completion_id]
    settings = None if sampling is None else canonical_json(sampling.to_json())
    key = canonical_json(asked if settings is None else [*asked, settings])
    return _ask(db, key, "score", scorer, problem_id, settings, n, arm_id, completion_id, priority)


def ask_for_branch(
    db: sqlite3.Connection,
    model: str,
    problem_id: int,
    completion_id: int,
    branch_key: str,
    sampling: Sampling,
    n: int,
    priority: int = INTERACTIVE,
) -> int:
    """Ask that `model` shall have gone on `n` times from a branch (`store.branches`)."""
    settings = canonical_json(sampling.to_json())
    key = canonical_json(["branch", branch_key])
    return _ask(db, key, "branch", model, problem_id, settings, n, None, completion_id, priority)


def set_state(
    db: sqlite3.Connection,
    request_id: int,
    state: str,
    error: ExplorerError | None = None,
    arm_id: int | None = None,
    asked: float | None = None,
) -> bool:
    """Move a request to another state; keeps the arm once it is known.

    With `asked`, only if it is still open and nobody has asked again or cancelled it since that
    time, so that a sampler never closes a request that has grown meanwhile; returns whether.
    """
    story = _story(error)
    with transaction(db):
        cursor = db.execute(
            "UPDATE request SET state = ?, error = ?, arm_id = COALESCE(?, arm_id), updated = ?"
            " WHERE id = ? AND (? IS NULL OR asked = ? AND state IN ('queued', 'running'))",
            (state, json.dumps(story), arm_id, time.time(), request_id, asked, asked),
        )
        bump(db, Topic.REQUESTS)
    return cursor.rowcount == 1


def cancel(db: sqlite3.Connection, problem_id: int | None = None) -> int:
    """Cancel open requests, of one problem or all; returns how many. What is stored stays."""
    where, values = ("", ()) if problem_id is None else (" AND problem_id = ?", (problem_id,))
    with transaction(db):
        cursor = db.execute(
            "UPDATE request SET state = 'cancelled', updated = ?"
            f" WHERE state IN ('queued', 'running'){where}",
            (time.time(), *values),
        )
        db.execute(
            f"UPDATE settling SET state = 'cancelled', reason = ? WHERE state = 'open'{where}",
            ("cancelled; what is stored stays", *values),
        )
        if problem_id is None:
            db.execute(
                "UPDATE guide SET state = 'cancelled', reason = 'cancelled; what is stored stays'"
                " WHERE state IN ('open', 'paused')"
            )
        bump(db, Topic.REQUESTS)
    return cursor.rowcount


def requeue_running(db: sqlite3.Connection) -> None:
    """A new sampler takes up what a killed one left half-done."""
    with transaction(db):
        db.execute("UPDATE request SET state = 'queued' WHERE state = 'running'")
        bump(db, Topic.REQUESTS)


def open_requests(db: sqlite3.Connection) -> list[RequestRow]:
    """Queued and running requests, most urgent first."""
    return select(db, "state IN ('queued', 'running')", ())


def select(
    db: sqlite3.Connection, where: str, values: tuple[object, ...], limit: int = -1
) -> list[RequestRow]:
    """Requests that satisfy a fixed condition, most urgent first.

    Among interactive ones the latest comes first: it is what a person looks at now.
    """
    rows = db.execute(
        "SELECT id, kind, model, problem_id, sampling, n, arm_id, completion_id, priority, state,"
        f" error, asked, updated FROM request WHERE {where}"
        f" ORDER BY priority, CASE priority WHEN {INTERACTIVE} THEN -asked ELSE asked END, id"
        " LIMIT ?",
        (*values, limit),
    )
    return [_row(row) for row in rows]


_OPEN: Final = "state IN ('queued', 'running')"


def _ask(
    db: sqlite3.Connection,
    key: str,
    kind: str,
    model: str,
    problem_id: int,
    sampling: str | None,
    n: int,
    arm_id: int | None,
    completion_id: int | None,
    priority: int,
) -> int:
    now = time.time()
    with transaction(db):
        row = db.execute(
            "INSERT INTO request (key, kind, model, problem_id, sampling, n, arm_id,"
            " completion_id, priority, state, error, asked, updated)"
            " VALUES (?,?,?,?,?,?,?,?,?,'queued','{}',?,?)"
            " ON CONFLICT (key) DO UPDATE SET error = '{}',"
            " state = CASE state WHEN 'running' THEN 'running' ELSE 'queued' END,"
            # An open request keeps the higher target and urgency; a closed one starts afresh.
            f" n = CASE WHEN {_OPEN} THEN MAX(n, excluded.n) ELSE excluded.n END,"
            f" priority = CASE WHEN {_OPEN} THEN MIN(priority, excluded.priority)"
            " ELSE excluded.priority END,"
            # Strictly later, so that `asked` tells two askings apart on a coarse clock too.
            " asked = MAX(excluded.asked, asked + 1e-6), updated = excluded.updated RETURNING id",
            (key, kind, model, problem_id, sampling, n, arm_id, completion_id, priority, now, now),
        ).fetchone()
        bump(db, Topic.REQUESTS)
    return int(row[0])


def _story(error: ExplorerError | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"title": error.title, "detail": error.detail, "hint": error.hint}


def _row(row: tuple[Any, ...]) -> RequestRow:
    error: Mapping[str, Any] = json.loads(row[10])
    sampling = Sampling.from_json(json.loads(row[4])) if row[4] else None
    return RequestRow(
        id=row[0],
        kind=row[1],
        model=row[2],
        problem_id=row[3],
        sampling=sampling,
        n=row[5],
        arm_id=row[6],
        completion_id=row[7],
        priority=row[8],
        state=row[9],
        error=error,
        asked=row[11],
        updated=row[12],
    )

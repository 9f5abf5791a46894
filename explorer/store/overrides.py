"""A person's word over a verifier's: kept with who said it and when, until taken back.

Invariant: nothing but a person's own command removes an override; grading again, a new verifier
version or a changed problem leaves it as it is, and every count is of what it says.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from explorer.core.completion import Outcome
from explorer.errors import UsageError
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import OverriddenRow, OverrideRow
from explorer.store.standing import counted


def override(
    db: sqlite3.Connection,
    completion_ids: Sequence[int],
    outcome: Outcome,
    author: str,
    note: str = "",
    made: float | None = None,
) -> None:
    """Say what these completions are, over whatever their verifier says; a later word replaces.

    Args:
        made: seconds since 1970; now if None.

    Raises:
        UsageError: `outcome` is not correct or wrong, or a completion does not exist.
    """
    if outcome is Outcome.UNDECIDED:
        raise UsageError("An override says correct or wrong", "", "Take it back with `clear`.")
    values = (outcome.value, note, author, time.time() if made is None else made)
    with transaction(db):
        for completion_id in completion_ids:
            with counted(db, *_cell(db, completion_id), [completion_id]):
                db.execute(
                    "INSERT OR REPLACE INTO override (completion_id, outcome, note, author, made)"
                    " VALUES (?,?,?,?,?)",
                    (completion_id, *values),
                )
        bump(db, Topic.COUNTS)


def clear(db: sqlite3.Connection, completion_ids: Sequence[int]) -> int:
    """Give completions back to their verifier; returns how many had been overridden.

    Raises:
        UsageError: a completion does not exist.
    """
    removed = 0
    with transaction(db):
        for completion_id in completion_ids:
            with counted(db, *_cell(db, completion_id), [completion_id]):
                cursor = db.execute(
                    "DELETE FROM override WHERE completion_id = ?", (completion_id,)
                )
            removed += cursor.rowcount
        bump(db, Topic.COUNTS)
    return removed


def overrides(db: sqlite3.Connection) -> list[OverriddenRow]:
    """Every override with what it overrides, the latest first."""
    rows = db.execute(
        "SELECT o.outcome, o.note, o.author, o.made, c.id, p.dataset, p.name, a.model, a.key,"
        " c.sample_index, COALESCE(v.outcome, ''), COALESCE(v.answer, '') FROM override o"
        " JOIN completion c ON c.id = o.completion_id JOIN problem p ON p.id = c.problem_id"
        " JOIN arm a ON a.id = c.arm_id"
        " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
        " ORDER BY o.made DESC, c.id"
    )
    return [
        OverriddenRow(OverrideRow(Outcome(row[0]), row[1], row[2], row[3]), *row[4:])
        for row in rows
    ]


def _cell(db: sqlite3.Connection, completion_id: int) -> tuple[int, int]:
    row = db.execute(
        "SELECT arm_id, problem_id FROM completion WHERE id = ?", (completion_id,)
    ).fetchone()
    if row is None:
        raise UsageError(f"There is no completion {completion_id} in this cache")
    return int(row[0]), int(row[1])

"""Places in traces that a person wants to come back to, with a note.

Invariant: a bookmark names a completion and a token, never a position on a screen.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump


@dataclass(frozen=True, slots=True)
class BookmarkRow:
    """A bookmark and what it is in; `token` is 0-based, None where tokens are unknown."""

    id: int
    completion_id: int
    token: int | None
    note: str
    author: str
    made: float
    problem_id: int
    dataset: str
    problem: str
    arm_id: int
    arm_key: str
    model: str
    index: int


def add(
    db: sqlite3.Connection,
    completion_id: int,
    token: int | None,
    note: str,
    author: str,
    made: float | None = None,
) -> int:
    """Keep a place; one that is kept already gets the newer note. Returns its id."""
    with transaction(db):
        row = db.execute(
            "SELECT id FROM bookmark WHERE completion_id = ? AND token IS ?", (completion_id, token)
        ).fetchone()
        now = time.time() if made is None else made
        if row is not None:
            db.execute(
                "UPDATE bookmark SET note = ?, author = ?, made = ? WHERE id = ?",
                (note, author, now, row[0]),
            )
        cursor = (
            row
            or db.execute(
                "INSERT INTO bookmark (completion_id, token, note, author, made) VALUES (?,?,?,?,?)"
                " RETURNING id",
                (completion_id, token, note, author, now),
            ).fetchone()
        )
        bump(db, Topic.COUNTS)
    return int(cursor[0])


def remove(db: sqlite3.Connection, bookmark_id: int) -> bool:
    """Forget a place; False if it was not kept."""
    with transaction(db):
        gone = db.execute("DELETE FROM bookmark WHERE id = ?", (bookmark_id,)).rowcount == 1
        bump(db, Topic.COUNTS)
    return gone


def bookmarks(db: sqlite3.Connection) -> list[BookmarkRow]:
    """All of them, the latest first."""
    rows = db.execute(
        "SELECT b.id, b.completion_id, b.token, b.note, b.author, b.made, p.id, p.dataset, p.name,"
        " a.id, a.key, a.model, c.sample_index FROM bookmark b"
        " JOIN completion c ON c.id = b.completion_id JOIN problem p ON p.id = c.problem_id"
        " JOIN arm a ON a.id = c.arm_id ORDER BY b.made DESC, b.id DESC"
    )
    return [BookmarkRow(*row) for row in rows]

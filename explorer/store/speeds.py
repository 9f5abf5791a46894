"""How fast an arm was drawn on a machine, so that an estimate can say what it rests on.

Invariant: only time in which an engine drew counts, not loading. Of late counts more: once there
are ten minutes of it, everything before weighs half.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from explorer.store.connection import transaction

REMEMBERED_S: Final = 600.0
"""Seconds of drawing after which what was measured before weighs half."""


class Speed(NamedTuple):
    """Tokens that were drawn of some arms on a machine, and in how many seconds."""

    tokens: float
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


def note(db: sqlite3.Connection, arm_id: int, host: str, tokens: int, seconds: float) -> None:
    """A job of an arm has drawn so many tokens in so many seconds."""
    if tokens <= 0 or seconds <= 0:
        return
    with transaction(db):
        db.execute(
            "INSERT INTO speed VALUES (?,?,?,?) ON CONFLICT (arm_id, host) DO UPDATE SET"
            " tokens = tokens * CASE WHEN seconds > ? THEN 0.5 ELSE 1 END + excluded.tokens,"
            " seconds = seconds * CASE WHEN seconds > ? THEN 0.5 ELSE 1 END + excluded.seconds",
            (arm_id, host, float(tokens), seconds, REMEMBERED_S, REMEMBERED_S),
        )


def of_arms(db: sqlite3.Connection, arm_ids: Sequence[int], host: str) -> Speed | None:
    """The speed of some arms together on a machine; None if none was ever drawn there."""
    row = db.execute(
        "SELECT SUM(tokens), SUM(seconds) FROM speed WHERE host = ?"
        " AND arm_id IN (SELECT value FROM json_each(?))",
        (host, json.dumps(list(arm_ids))),
    ).fetchone()
    return Speed(*row) if row[0] else None


def tokens_each(
    db: sqlite3.Connection, arm_ids: Sequence[int], problem_ids: Sequence[int], per_cell: int = 8
) -> tuple[int, float] | None:
    """(completions looked at, their mean number of tokens); None if no tokens are stored.

    The first few of each cell are looked at; lengths are read from the token ids, because the
    column lies behind the text.
    """
    row = db.execute(
        "SELECT COUNT(*), AVG(length(t.ids) / 4) FROM json_each(?) a CROSS JOIN json_each(?) p"
        " CROSS JOIN completion c ON c.arm_id = a.value AND c.problem_id = p.value"
        " AND c.sample_index < ? CROSS JOIN token_data t ON t.completion_id = c.id",
        (json.dumps(list(arm_ids)), json.dumps(list(problem_ids)), per_cell),
    ).fetchone()
    return (row[0], float(row[1])) if row[0] else None

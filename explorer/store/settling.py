"""Standing wishes to settle which of two models solves a problem more often.

Invariant: a wish is declarative. It names two models, a problem, settings and a cap; how far it
has got is in the completions alone, so that whoever takes it up again goes on where they are.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from explorer.core.arm import Sampling, canonical_json
from explorer.core.sequential import DEFAULT_CAP
from explorer.errors import UsageError
from explorer.store import requests
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import RequestRow


@dataclass(frozen=True, slots=True)
class SettlingRow:
    """A wish.

    Attributes:
        base, other: the models compared.
        cap: most completions of either.
        state: 'open', 'settled', 'capped', 'failed' or 'cancelled'.
        reason: why it stopped, in a sentence; '' while it is open.
        asked: when it was asked for last, in seconds since 1970.
    """

    id: int
    problem_id: int
    base: str
    other: str
    sampling: Sampling
    cap: int
    priority: int
    state: str
    reason: str
    asked: float


def ask_to_settle(
    db: sqlite3.Connection,
    base: str,
    other: str,
    problem_id: int,
    sampling: Sampling,
    cap: int = DEFAULT_CAP,
    priority: int = requests.INTERACTIVE,
) -> int:
    """Ask that two models be sampled until it is settled; asking again takes the new cap.

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
    key = canonical_json([base, other, problem_id, settings])
    with transaction(db):
        row = db.execute(
            "INSERT INTO settling (key, problem_id, base, other, sampling, cap, priority, state,"
            " reason, asked) VALUES (?,?,?,?,?,?,?,'open','',?)"
            " ON CONFLICT (key) DO UPDATE SET cap = excluded.cap, priority = excluded.priority,"
            " state = 'open', reason = '',"
            " asked = MAX(excluded.asked, asked + 1e-6) RETURNING id",
            (key, problem_id, base, other, settings, cap, priority, time.time()),
        ).fetchone()
        bump(db, Topic.REQUESTS)
    return int(row[0])


def close(db: sqlite3.Connection, settling: SettlingRow, state: str, reason: str) -> None:
    """Say why it stopped, unless it was cancelled or asked for again meanwhile."""
    with transaction(db):
        db.execute(
            "UPDATE settling SET state = ?, reason = ?"
            " WHERE id = ? AND asked = ? AND state = 'open'",
            (state, reason, settling.id, settling.asked),
        )
        bump(db, Topic.REQUESTS)


def draw(db: sqlite3.Connection, settling: SettlingRow, model: str, target: int) -> None:
    """Ask that one of its models shall have `target` completions."""
    requests.ask_for_completions(
        db, model, settling.problem_id, settling.sampling, target, settling.priority
    )


def drawn_since(db: sqlite3.Connection, settling: SettlingRow, arm_ids: Sequence[int]) -> int:
    """How many completions these arms have of its problem that were drawn since it was asked."""
    marks = ",".join("?" * len(arm_ids))
    row = db.execute(
        f"SELECT COUNT(*) FROM completion WHERE arm_id IN ({marks}) AND problem_id = ?"
        " AND origin = 'live' AND created >= ?",
        (*arm_ids, settling.problem_id, settling.asked),
    ).fetchone()
    return int(row[0])


def drawing(db: sqlite3.Connection, settling: SettlingRow, model: str) -> RequestRow | None:
    """The request under which a wish draws from one of its models, if there is one."""
    found = requests.select(
        db,
        "kind = 'sample' AND model = ? AND problem_id = ? AND sampling = ?",
        (model, settling.problem_id, canonical_json(settling.sampling.to_json())),
    )
    return found[0] if found else None


def open_wishes(db: sqlite3.Connection) -> list[SettlingRow]:
    """Those that are not settled yet, most urgent first."""
    return _select(db, "state = 'open'", ())


def of_problem(db: sqlite3.Connection, problem_id: int) -> list[SettlingRow]:
    """Every wish about a problem, the latest first."""
    return sorted(_select(db, "problem_id = ?", (problem_id,)), key=lambda row: -row.asked)


def by_id(db: sqlite3.Connection, settling_id: int) -> SettlingRow | None:
    """One wish."""
    return next(iter(_select(db, "id = ?", (settling_id,))), None)


_COLUMNS: Final = "id, problem_id, base, other, sampling, cap, priority, state, reason, asked"


def _select(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[SettlingRow]:
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM settling WHERE {where} ORDER BY priority, asked, id", values
    )
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> SettlingRow:
    return SettlingRow(
        id=row[0],
        problem_id=row[1],
        base=row[2],
        other=row[3],
        sampling=Sampling.from_json(json.loads(row[4])),
        cap=row[5],
        priority=row[6],
        state=row[7],
        reason=row[8],
        asked=row[9],
    )

"""What is going on right now: running streams, and the sampler's own word of itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import LiveRow, SamplerRow


def replace_live(db: sqlite3.Connection, streams: Iterable[LiveRow]) -> None:
    """Show exactly these streams as running."""
    with transaction(db):
        db.execute("DELETE FROM live")
        db.executemany(
            "INSERT INTO live VALUES (?,?,?,?,?,?)",
            [(s.arm_id, s.problem_id, s.index, s.text, s.n_tokens, s.updated) for s in streams],
        )
        bump(db, Topic.LIVE)


def live_streams(db: sqlite3.Connection, problem_id: int | None = None) -> list[LiveRow]:
    """Running streams, of one problem or all."""
    where, values = ("", ()) if problem_id is None else (" WHERE problem_id = ?", (problem_id,))
    rows = db.execute(
        "SELECT arm_id, problem_id, sample_index, text, n_tokens, updated FROM live"
        f"{where} ORDER BY arm_id, problem_id, sample_index",
        values,
    )
    return [LiveRow(*row) for row in rows]


def report_sampler(db: sqlite3.Connection, row: SamplerRow) -> None:
    """The sampler's heartbeat; a stop that was asked for meanwhile stays asked for."""
    with transaction(db):
        db.execute(
            "INSERT INTO sampler VALUES (1,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
            " pid=excluded.pid, host=excluded.host, started=excluded.started,"
            " heartbeat=excluded.heartbeat, state=excluded.state, model=excluded.model,"
            " detail=excluded.detail, tokens_per_s=excluded.tokens_per_s,"
            " stop_requested = CASE WHEN sampler.started = excluded.started"
            " THEN MAX(sampler.stop_requested, excluded.stop_requested)"
            " ELSE excluded.stop_requested END",
            (
                row.pid,
                row.host,
                row.started,
                row.heartbeat,
                row.state,
                row.model,
                row.detail,
                row.tokens_per_s,
                int(row.stop_requested),
            ),
        )
        bump(db, Topic.SAMPLER)


def request_stop(db: sqlite3.Connection) -> bool:
    """Ask the running sampler to finish; False when none has reported for a while."""
    with transaction(db):
        cursor = db.execute(
            "UPDATE sampler SET stop_requested = ? WHERE state != 'stopped' AND heartbeat > ?",
            (int(1000 * time.time()), time.time() - STALE_AFTER_S),
        )
        bump(db, Topic.SAMPLER)
    return cursor.rowcount == 1


def sampler(db: sqlite3.Connection) -> SamplerRow | None:
    """What the last sampler said of itself."""
    row = db.execute(
        "SELECT pid, host, started, heartbeat, state, model, detail, tokens_per_s,"
        " stop_requested FROM sampler"
    ).fetchone()
    return SamplerRow(*row) if row else None


STALE_AFTER_S = 15.0
"""A heartbeat older than this means that the sampler was killed."""

"""What goes on in a cache: the sampler, open and failed requests, and how much is stored."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.store import queries, requests, status
from explorer.store.rows import RequestRow, SamplerRow

FAILURES_SHOWN = 10
"""Failed requests that are listed, the latest ones."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request with how far it is.

    Attributes:
        problem: its dataset and name, 'twins/trees-001'.
        have: completions that its arm has, None until the arm is known or for scores.
    """

    request: RequestRow
    problem: str
    have: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """One look at a cache.

    Attributes:
        alive: the sampler's heartbeat is recent and it has not said that it stopped.
    """

    sampler: SamplerRow | None
    alive: bool
    open: tuple[RequestLine, ...]
    failed: tuple[RequestLine, ...]
    problems: int
    completions: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far some requests are.

    Attributes:
        total, open, done: requests.
        failed: those that failed or were cancelled.
        have, wanted: completions of the sample requests among them.
    """

    total: int
    open: int
    done: int
    failed: tuple[RequestRow, ...]
    have: int
    wanted: int


def read_progress(db: sqlite3.Connection, request_ids: Sequence[int]) -> Progress:
    """Progress of the requests with these ids."""
    rows = requests.select(
        db, "id IN (SELECT value FROM json_each(?))", (json.dumps(list(request_ids)),)
    )
    stored = dict(
        db.execute(
            "SELECT r.id, t.completions FROM request r JOIN tally t"
            " ON t.arm_id = r.arm_id AND t.problem_id = r.problem_id"
            " WHERE r.kind IN ('sample', 'guess', 'branch')"
            " AND r.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(request_ids)),),
        ).fetchall()
    )
    samples = [row for row in rows if row.kind in requests.DRAWING]
    done = sum(row.state == "done" for row in rows)
    failed = tuple(row for row in rows if row.state in ("failed", "cancelled"))
    return Progress(
        total=len(rows),
        open=len(rows) - done - len(failed),
        done=done,
        failed=failed,
        have=sum(min(row.n, stored.get(row.id, 0)) for row in samples),
        wanted=sum(row.n for row in samples),
    )


def read_status(db: sqlite3.Connection) -> Status:
    """Read it all in a few queries over small tables."""
    tallies = queries.tallies(db)
    names = {row.id: f"{row.problem.dataset}/{row.problem.name}" for row in queries.problems(db)}

    def line(request: RequestRow) -> RequestLine:
        have = None
        if request.kind in requests.DRAWING and request.arm_id is not None:
            tally = tallies.get((request.arm_id, request.problem_id))
            have = tally.completions if tally else 0
        return RequestLine(request, names.get(request.problem_id, "?"), have)

    sampler = status.sampler(db)
    failed = requests.select(db, "state = 'failed'", ())
    failed.sort(key=lambda request: -request.updated)
    return Status(
        sampler=sampler,
        alive=sampler is not None and is_alive(sampler),
        open=tuple(line(request) for request in requests.open_requests(db)),
        failed=tuple(line(request) for request in failed[:FAILURES_SHOWN]),
        problems=len(names),
        completions=sum(tally.completions for tally in tallies.values()),
    )


def is_alive(sampler: SamplerRow) -> bool:
    """Whether a sampler's last word says that it runs, and is recent enough to be believed."""
    return sampler.state != "stopped" and time.time() - sampler.heartbeat < status.STALE_AFTER_S

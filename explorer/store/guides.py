"""Standing wishes for a whole set: 'n of everything', within what may be spent, best first.

Invariant: a wish is declarative, and what was drawn for it is counted exactly once. Each request
that is made for it has a row in `guide_draw` that says after which completion it was asked; when
the request has ended, the completions that came are added to what was spent and the row goes, both
in one transaction. So a sampler that was killed goes on without losing or doubling anything.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from explorer.core.arm import Sampling, canonical_json
from explorer.core.guessing import is_ordinary
from explorer.errors import UsageError
from explorer.store import queries, requests
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump

OPEN: Final = "open"
PAUSED: Final = "paused"
ENDED: Final = ("done", "failed", "cancelled")


class Limits(NamedTuple):
    """What may be spent in all; None is no limit. The first that is reached stops."""

    samples: int | None = None
    tokens: int | None = None
    seconds: float | None = None


class Spent(NamedTuple):
    """What was spent: samples and tokens that were drawn, seconds that the sampler worked."""

    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0


NO_LIMITS: Final = Limits()
NOTHING_SPENT: Final = Spent()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of which cells.

    Attributes:
        models: names; their positions number the arms.
        pairs: positions of a base and of the model that is compared with it.
        problem_ids: rows of the problems; `named` is how a person named them.
        n: completions that each model shall have of each problem.
        ks: where on the pass@k curve the difference matters.
    """

    models: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    problem_ids: tuple[int, ...]
    named: str
    sampling: Sampling
    n: int
    ks: tuple[int, ...]
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class GuideRow:
    """A wish and how it stands.

    Attributes:
        state: 'open', 'paused', 'done', 'failed' or 'cancelled'.
        reason: why it stopped, in a sentence; '' before that.
        asked: when it was asked for or resumed last, in seconds since 1970.
    """

    id: int
    wish: Wish
    state: str
    reason: str
    spent: Spent
    asked: float


class NewDraw(NamedTuple):
    """What shall be asked: completions of a cell in all, how many of them are new, and why."""

    model: str
    problem_id: int
    target: int
    samples: int
    why: str


class DrawRow(NamedTuple):
    """A request that was made for a wish; `samples` is the most that it draws."""

    request_id: int
    guide_id: int
    model: str
    problem_id: int
    state: str
    samples: int
    why: str


def ask(db: sqlite3.Connection, wish: Wish) -> int:
    """Ask for a wish; the same cells again take the new n and limits, and go on.

    What an open or paused one has spent counts on; one that has ended starts to spend anew.

    Raises:
        UsageError: the settings are those of imported completions whose file does not say them.
    """
    if not wish.sampling.is_known:
        raise UsageError(
            "Nothing can be sampled with settings that are not known",
            f"Those shown are of imported completions: {wish.sampling.label()}.",
            "Choose other settings first.",
        )
    settings = canonical_json(wish.sampling.to_json())
    cells = [canonical_json(list(wish.models)), canonical_json(list(wish.problem_ids))]
    values = (canonical_json([list(p) for p in wish.pairs]), wish.named, wish.n)
    limits = (canonical_json(list(wish.ks)), *wish.limits)
    with transaction(db):
        row = db.execute(
            "INSERT INTO guide (models, problem_ids, sampling, pairs, named, n, ks, most_samples,"
            " most_tokens, most_seconds, state, reason, samples, tokens, seconds, asked)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,'open','',0,0,0,?)"
            " ON CONFLICT (models, problem_ids, sampling) DO UPDATE SET pairs = excluded.pairs,"
            " named = excluded.named, n = excluded.n, ks = excluded.ks,"
            " most_samples = excluded.most_samples, most_tokens = excluded.most_tokens,"
            " most_seconds = excluded.most_seconds,"
            f" samples = CASE WHEN {_UNDER_WAY} THEN samples ELSE 0 END,"
            f" tokens = CASE WHEN {_UNDER_WAY} THEN tokens ELSE 0 END,"
            f" seconds = CASE WHEN {_UNDER_WAY} THEN seconds ELSE 0 END,"
            " state = 'open', reason = '', asked = MAX(excluded.asked, asked + 1e-6) RETURNING id",
            (*cells, settings, *values, *limits, time.time()),
        ).fetchone()
        bump(db, Topic.REQUESTS)
    return int(row[0])


def pause(db: sqlite3.Connection, guide_id: int) -> bool:
    """Draw nothing more for now; what is under way is dropped. Returns whether it was open."""
    return _move(db, guide_id, (OPEN,), PAUSED)


def resume(db: sqlite3.Connection, guide_id: int) -> bool:
    """Go on with one that was paused, cancelled or failed; returns whether there was one."""
    return _move(db, guide_id, (PAUSED, "cancelled", "failed"), OPEN)


def cancel(db: sqlite3.Connection, guide_id: int) -> bool:
    """Give it up; what is stored stays. Returns whether it was open or paused."""
    return _move(db, guide_id, (OPEN, PAUSED), "cancelled")


def close(db: sqlite3.Connection, guide: GuideRow, state: str, reason: str) -> None:
    """Say why it stopped, unless somebody has paused, cancelled or asked for it meanwhile."""
    with transaction(db):
        db.execute(
            "UPDATE guide SET state = ?, reason = ? WHERE id = ? AND asked = ? AND state = 'open'",
            (state, reason, guide.id, guide.asked),
        )
        bump(db, Topic.REQUESTS)


def draw(db: sqlite3.Connection, guide: GuideRow, wanted: Sequence[NewDraw]) -> None:
    """Ask for a round of completions, unless it is no longer open as it was."""
    with transaction(db):
        still = db.execute(
            "SELECT 1 FROM guide WHERE id = ? AND asked = ? AND state = 'open'",
            (guide.id, guide.asked),
        ).fetchone()
        if not still:
            return
        (last,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM completion").fetchone()
        for one in wanted:
            request_id = requests.ask_for_completions(
                db, one.model, one.problem_id, guide.wish.sampling, one.target, requests.GUIDED
            )
            db.execute(
                "INSERT INTO guide_draw VALUES (?,?,?,?,?)",
                (request_id, guide.id, last, one.samples, one.why),
            )


def draws(db: sqlite3.Connection, guide_id: int) -> list[DrawRow]:
    """Requests that were made for it and are not accounted for yet, in the order of asking."""
    rows = db.execute(
        "SELECT d.request_id, d.guide_id, r.model, r.problem_id, r.state, d.samples, d.why"
        " FROM guide_draw d JOIN request r ON r.id = d.request_id WHERE d.guide_id = ?"
        " ORDER BY r.asked, r.id",
        (guide_id,),
    )
    return [DrawRow(*row) for row in rows]


def withdraw(db: sqlite3.Connection, guide_id: int, *, running: bool = True) -> None:
    """Cancel what waits for it, and what runs too, unless somebody else wants it as well."""
    states = "('queued', 'running')" if running else "('queued')"
    with transaction(db):
        db.execute(
            f"UPDATE request SET state = 'cancelled', updated = ? WHERE state IN {states}"
            " AND priority = ? AND id IN (SELECT request_id FROM guide_draw WHERE guide_id = ?)",
            (time.time(), requests.GUIDED, guide_id),
        )
        bump(db, Topic.REQUESTS)


def account(db: sqlite3.Connection) -> None:
    """Add what requests that have ended have drawn to what their guides have spent."""
    ended = db.execute(
        "SELECT d.request_id, d.guide_id, d.after_id, r.model, r.problem_id, r.sampling"
        " FROM guide_draw d JOIN request r ON r.id = d.request_id"
        " WHERE r.state NOT IN ('queued', 'running')"
    ).fetchall()
    if not ended:
        return
    arms = [arm for arm in queries.arms(db) if is_ordinary(arm.spec)]
    with transaction(db):
        for request_id, guide_id, after, model, problem_id, sampling in ended:
            own = Sampling.from_json(json.loads(sampling))
            ids = [arm.id for arm in arms if arm.model.name == model and arm.spec.sampling == own]
            samples, tokens = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(n_tokens), 0) FROM json_each(?) a"
                " CROSS JOIN completion c ON c.arm_id = a.value AND c.problem_id = ? AND c.id > ?"
                " WHERE c.origin = 'live'",
                (json.dumps(ids), problem_id, after),
            ).fetchone()
            db.execute(
                "UPDATE guide SET samples = samples + ?, tokens = tokens + ? WHERE id = ?",
                (samples, tokens, guide_id),
            )
            db.execute("DELETE FROM guide_draw WHERE request_id = ?", (request_id,))
        bump(db, Topic.REQUESTS)


def guide_of(db: sqlite3.Connection, request_id: int) -> int:
    """Which guide a request was made for; 0 if none."""
    row = db.execute(
        "SELECT guide_id FROM guide_draw WHERE request_id = ?", (request_id,)
    ).fetchone()
    return int(row[0]) if row else 0


def spend_time(db: sqlite3.Connection, guide_id: int, seconds: float) -> None:
    """The sampler has worked so long for a guide."""
    with transaction(db):
        db.execute("UPDATE guide SET seconds = seconds + ? WHERE id = ?", (seconds, guide_id))
        bump(db, Topic.REQUESTS)


def open_guides(db: sqlite3.Connection) -> list[GuideRow]:
    """Those that are to be worked on, in the order in which they were asked for."""
    return _select(db, "state = 'open' ORDER BY asked, id", ())


def all_guides(db: sqlite3.Connection) -> list[GuideRow]:
    """Every guide, the latest first."""
    return _select(db, "1 ORDER BY asked DESC, id DESC", ())


def by_id(db: sqlite3.Connection, guide_id: int) -> GuideRow | None:
    """One guide."""
    return next(iter(_select(db, "id = ?", (guide_id,))), None)


_UNDER_WAY: Final = "state IN ('open', 'paused')"

_COLUMNS: Final = (
    "id, models, pairs, problem_ids, named, sampling, n, ks, most_samples, most_tokens,"
    " most_seconds, state, reason, samples, tokens, seconds, asked"
)


def _move(db: sqlite3.Connection, guide_id: int, sources: Sequence[str], state: str) -> bool:
    with transaction(db):
        cursor = db.execute(
            "UPDATE guide SET state = ?, reason = '', asked = MAX(?, asked + 1e-6) WHERE id = ?"
            " AND state IN (SELECT value FROM json_each(?))",
            (state, time.time(), guide_id, json.dumps(list(sources))),
        )
        moved = cursor.rowcount == 1
        if moved and state != OPEN:
            withdraw(db, guide_id)
        bump(db, Topic.REQUESTS)
    return moved


def _select(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[GuideRow]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM guide WHERE {where}", values)
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> GuideRow:
    wish = Wish(
        models=tuple(json.loads(row[1])),
        pairs=tuple((base, other) for base, other in json.loads(row[2])),
        problem_ids=tuple(json.loads(row[3])),
        named=row[4],
        sampling=Sampling.from_json(json.loads(row[5])),
        n=row[6],
        ks=tuple(json.loads(row[7])),
        limits=Limits(*row[8:11]),
    )
    return GuideRow(row[0], wish, row[11], row[12], Spent(*row[13:16]), row[16])

"""What people and judges found in the reasoning of completions, and who saw who wrote them.

Invariant: a review is one (completion, reviewer, vote); saying it again replaces it, and once a
reviewer has seen who wrote a completion, nothing that they say of it is kept as blind.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from explorer.core.review import Finding
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import ReviewRow
from explorer.store.standing import OUTCOME, TABLES

_COLUMNS = "completion_id, reviewer, finding, note, made, blind, vote, source"


@dataclass(frozen=True, slots=True)
class ReviewedRow:
    """A review and the completion it is about.

    Attributes:
        digest: of the completion's text, so that a merged file is about the same words.
        standing: what the answer stands at now, '' if it is ungraded.
    """

    review: ReviewRow
    dataset: str
    problem: str
    model: str
    arm_key: str
    index: int
    digest: str
    standing: str


def put_reviews(db: sqlite3.Connection, rows: Sequence[ReviewRow]) -> None:
    """Keep reviews, each in place of what its reviewer said before."""
    with transaction(db):
        for row in rows:
            seen = (
                row.blind
                and db.execute(
                    "SELECT 1 FROM revealed WHERE completion_id = ? AND reviewer = ?",
                    (row.completion_id, row.reviewer),
                ).fetchone()
            )
            values = (row.completion_id, row.reviewer, row.finding.value, row.note, row.made)
            db.execute(
                f"INSERT INTO review ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)"
                " ON CONFLICT (completion_id, reviewer, vote) DO UPDATE SET"
                " finding = excluded.finding, note = excluded.note, made = excluded.made,"
                " blind = excluded.blind, source = excluded.source",
                (*values, int(row.blind and not seen), row.vote, row.source),
            )
        bump(db, Topic.REVIEWS)


def say(
    db: sqlite3.Connection,
    completion_id: int,
    reviewer: str,
    finding: Finding,
    *,
    blind: bool,
    note: str | None = None,
    made: float | None = None,
) -> None:
    """A person's finding; the note that they left before stays where `note` is None.

    Saying the same again changes nothing but the note, so what was found blind stays blind.
    """
    with transaction(db):
        old = db.execute(
            "SELECT note, finding FROM review"
            " WHERE completion_id = ? AND reviewer = ? AND vote = 0",
            (completion_id, reviewer),
        ).fetchone()
        if old and old[1] == finding.value:
            if note is not None:
                db.execute(
                    "UPDATE review SET note = ?"
                    " WHERE completion_id = ? AND reviewer = ? AND vote = 0",
                    (note, completion_id, reviewer),
                )
                bump(db, Topic.REVIEWS)
            return
        kept = (str(old[0]) if old else "") if note is None else note
        now = time.time() if made is None else made
        put_reviews(db, [ReviewRow(completion_id, reviewer, finding, kept, now, blind)])


def take_back(db: sqlite3.Connection, completion_id: int, reviewer: str) -> bool:
    """Remove what a reviewer said of a completion; returns whether they had said anything."""
    with transaction(db):
        cursor = db.execute(
            "DELETE FROM review WHERE completion_id = ? AND reviewer = ?", (completion_id, reviewer)
        )
        bump(db, Topic.REVIEWS)
    return cursor.rowcount > 0


def reveal(db: sqlite3.Connection, completion_id: int, reviewer: str) -> None:
    """Remember that a reviewer has seen who wrote a completion."""
    with transaction(db):
        db.execute(
            "INSERT INTO revealed VALUES (?,?) ON CONFLICT DO NOTHING", (completion_id, reviewer)
        )
        bump(db, Topic.REVIEWS)


def is_revealed(db: sqlite3.Connection, completion_id: int, reviewer: str) -> bool:
    """Whether a reviewer has seen who wrote a completion."""
    query = "SELECT 1 FROM revealed WHERE completion_id = ? AND reviewer = ?"
    return db.execute(query, (completion_id, reviewer)).fetchone() is not None


def seed(db: sqlite3.Connection) -> int:
    """The number that shuffles this cache's review queues; it never changes."""
    return int(db.execute("SELECT seed FROM review_seed").fetchone()[0])


def of_completion(db: sqlite3.Connection, completion_id: int) -> list[ReviewRow]:
    """All reviews of a completion, people's before judges', by name and vote."""
    return _select(db, "completion_id = ?", (completion_id,))


def by_reviewer(db: sqlite3.Connection, reviewer: str) -> dict[int, ReviewRow]:
    """What a person has said, by completion."""
    rows = _select(db, "reviewer = ? AND vote = 0", (reviewer,))
    return {row.completion_id: row for row in rows}


def of_right_answers(
    db: sqlite3.Connection, arm_ids: Iterable[int], problem_ids: Iterable[int]
) -> dict[tuple[int, int], list[ReviewRow]]:
    """Reviews of completions that stand as correct, by (arm id, problem id)."""
    rows = db.execute(
        f"SELECT c.arm_id, c.problem_id, {_with('r')} FROM {TABLES}"
        f" JOIN review r ON r.completion_id = c.id"
        " WHERE c.id IN (SELECT completion_id FROM review)"
        " AND c.arm_id IN (SELECT value FROM json_each(?))"
        f" AND c.problem_id IN (SELECT value FROM json_each(?)) AND {OUTCOME} = 'correct'"
        " ORDER BY c.id, r.reviewer, r.vote",
        (json.dumps(list(arm_ids)), json.dumps(list(problem_ids))),
    )
    found: dict[tuple[int, int], list[ReviewRow]] = {}
    for arm_id, problem_id, *columns in rows:
        found.setdefault((arm_id, problem_id), []).append(_row(tuple(columns)))
    return found


def right_answers(db: sqlite3.Connection, arm_id: int, problem_id: int) -> list[int]:
    """Ids of a cell's completions that stand as correct, by sample index."""
    rows = db.execute(
        f"SELECT c.id FROM {TABLES} WHERE c.arm_id = ? AND c.problem_id = ?"
        f" AND {OUTCOME} = 'correct' ORDER BY c.sample_index",
        (arm_id, problem_id),
    )
    return [row[0] for row in rows]


def cells_of(db: sqlite3.Connection, completion_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """(arm id, problem id) of completions."""
    rows = db.execute(
        "SELECT id, arm_id, problem_id FROM completion"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(completion_ids)),),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def without_votes(
    db: sqlite3.Connection, completion_ids: Sequence[int], reviewer: str, votes: int, source: str
) -> list[int]:
    """Those of these completions that lack one of a judge's votes, cast as this arm."""
    query = (
        "SELECT COUNT(*) FROM review"
        " WHERE completion_id = ? AND reviewer = ? AND vote < ? AND source = ?"
    )
    return [
        one
        for one in completion_ids
        if db.execute(query, (one, reviewer, votes, source)).fetchone()[0] < votes
    ]


def everything(db: sqlite3.Connection, dataset: str = "") -> list[ReviewedRow]:
    """Every review with what it is about, of one dataset or all."""
    rows = db.execute(
        f"SELECT {_with('r')}, p.dataset, p.name, a.model, a.key, c.sample_index, c.text,"
        f" COALESCE({OUTCOME}, '') FROM {TABLES} JOIN review r ON r.completion_id = c.id"
        " JOIN arm a ON a.id = c.arm_id WHERE c.id IN (SELECT completion_id FROM review)"
        " AND (? = '' OR p.dataset = ?)"
        " ORDER BY p.dataset, p.position, a.id, c.sample_index, r.reviewer, r.vote",
        (dataset, dataset),
    )
    found = []
    for *columns, dataset_name, problem, model, key, index, text, standing in rows:
        review, digest = _row(tuple(columns)), text_digest(text)
        about = (dataset_name, problem, model, key, index)
        found.append(ReviewedRow(review, *about, digest, standing))
    return found


def find_completion(
    db: sqlite3.Connection, arm_key: str, dataset: str, problem: str, index: int
) -> tuple[int, str] | None:
    """Row id and text digest of a completion by what identifies it in every cache."""
    row = db.execute(
        "SELECT c.id, c.text FROM completion c JOIN arm a ON a.id = c.arm_id"
        " JOIN problem p ON p.id = c.problem_id"
        " WHERE a.key = ? AND p.dataset = ? AND p.name = ? AND c.sample_index = ?",
        (arm_key, dataset, problem, index),
    ).fetchone()
    return (int(row[0]), text_digest(row[1])) if row else None


def text_digest(text: str) -> str:
    """Short identity of a completion's words."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def counts(db: sqlite3.Connection) -> Mapping[str, int]:
    """How many votes each reviewer has cast."""
    return dict(db.execute("SELECT reviewer, COUNT(*) FROM review GROUP BY reviewer"))


def _with(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _COLUMNS.split(", "))


def _select(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[ReviewRow]:
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM review WHERE {where}"
        " ORDER BY reviewer LIKE 'judge:%', reviewer, vote",
        values,
    )
    return [_row(row) for row in rows]


def _row(row: tuple[object, ...]) -> ReviewRow:
    completion_id, reviewer, finding, note, made, blind, vote, source = row
    return ReviewRow(
        completion_id=int(completion_id),  # type: ignore[call-overload]
        reviewer=str(reviewer),
        finding=Finding(str(finding)),
        note=str(note),
        made=float(made),  # type: ignore[arg-type]
        blind=bool(blind),
        vote=int(vote),  # type: ignore[call-overload]
        source=str(source),
    )

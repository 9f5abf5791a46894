"""Imported completions in bulk: many cells in one transaction, each completion once for ever.

Invariant: a completion is known by its key (a digest of run, problem and text), whatever file,
order or number of attempts it comes in; what is here stays, and only labels are added to it.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from explorer.core.completion import Origin
from explorer.store import standing
from explorer.store.completions import PackedTokens
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump

_KEYS_AT_ONCE: Final = 500


class Label(NamedTuple):
    """What a source says of a completion.

    Attributes:
        name: the source's own name for it, such as 'score' or 'plus'.
        value: 1 = right, 0 = wrong, anything between is partly; None if it is not a number.
        text: as the source writes it.
        compared: whether it says the same kind of thing as our verdict, so that a difference is
            a disagreement; at most one label of a completion is.
    """

    name: str
    value: float | None
    text: str = ""
    compared: bool = False


class RecordedRow(NamedTuple):
    """An imported completion as it is stored.

    Attributes:
        key: 16 bytes that tell it from every other completion.
        source, line: file and row that it came from; `format`: the name of its format.
        label_only: adds its labels to the completion of that key, and nothing if there is none.
    """

    arm_id: int
    problem_id: int
    key: bytes
    seed: int
    text: str
    finish: str
    mean_logprob: float | None
    tokens: PackedTokens | None
    source: str
    format: str
    line: int
    note: str
    labels: tuple[Label, ...]
    label_only: bool


class Appended(NamedTuple):
    """How many were new, how many here already, and labels of all of them that are new."""

    added: int
    present: int
    labels: int


def append_recorded(db: sqlite3.Connection, rows: Sequence[RecordedRow]) -> Appended:
    """Store rows that are not here yet, each at the next free index of its cell."""
    with transaction(db):
        known = _known(db, rows)
        new = [row for row in rows if not row.label_only and row.key not in known]
        fresh: dict[bytes, RecordedRow] = {}
        for row in new:
            fresh.setdefault(row.key, row)
        ids = _insert(db, list(fresh.values()))
        for key, completion_id in known.items():
            ids[key] = completion_id
        labels = _label(db, rows, ids, known.keys())
        if fresh or labels:
            bump(db, Topic.COUNTS)
    repeated = sum(not row.label_only for row in rows) - len(fresh)
    return Appended(len(fresh), repeated, labels)


def _known(db: sqlite3.Connection, rows: Iterable[RecordedRow]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    wanted = list({row.key for row in rows})
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        keys = wanted[start : start + _KEYS_AT_ONCE]
        marks = ",".join("?" * len(keys))
        found.update(
            db.execute(f"SELECT key, completion_id FROM source_row WHERE key IN ({marks})", keys)
        )
    return found


def _insert(db: sqlite3.Connection, rows: Sequence[RecordedRow]) -> dict[bytes, int]:
    now = time.time()
    (last,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM completion").fetchone()
    following: dict[tuple[int, int], int] = {}
    ids: dict[bytes, int] = {}
    columns: list[tuple[object, ...]] = []
    for row_id, row in enumerate(rows, last + 1):
        cell = (row.arm_id, row.problem_id)
        if cell not in following:
            (following[cell],) = db.execute(
                "SELECT COALESCE(MAX(sample_index) + 1, 0) FROM completion"
                " WHERE arm_id = ? AND problem_id = ?",
                cell,
            ).fetchone()
        index = following[cell]
        following[cell] += 1
        ids[row.key] = row_id
        n_tokens = len(row.tokens.ids) // 4 if row.tokens else None
        columns.append(
            (row_id, *cell, index, row.seed, row.text, row.finish, n_tokens, row.mean_logprob,
             Origin.RECORDED.value, row.source, now)
        )  # fmt: skip
    db.executemany(
        "INSERT INTO completion (id, arm_id, problem_id, sample_index, seed, text, finish,"
        " n_tokens, mean_logprob, origin, source, created) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        columns,
    )
    db.executemany(
        "INSERT INTO token_data VALUES (?,?,?,?,?)",
        [(ids[row.key], *row.tokens) for row in rows if row.tokens],
    )
    db.executemany(
        "INSERT INTO source_row VALUES (?,?,?,?,?)",
        [(ids[row.key], row.key, row.format, row.line, row.note) for row in rows],
    )
    counts = Counter((row.arm_id, row.problem_id) for row in rows)
    standing.add_all(
        db, {cell: {"completions": count, "recorded": count} for cell, count in counts.items()}
    )
    return ids


def _label(
    db: sqlite3.Connection,
    rows: Sequence[RecordedRow],
    ids: dict[bytes, int],
    known: Iterable[bytes],
) -> int:
    """Add labels; those of completions that were here may make a difference to their tally."""
    before = set(known)
    values = [
        (ids[row.key], *label)
        for row in rows
        if row.key in ids and row.key not in before
        for label in row.labels
    ]
    added = max(0, db.executemany(_INSERT_LABEL, values).rowcount)
    for row in rows:
        if row.key in before and row.labels and not _has_labels(db, ids[row.key], row):
            with standing.counted(db, row.arm_id, row.problem_id, [ids[row.key]]):
                later = [(ids[row.key], *label) for label in row.labels]
                added += max(0, db.executemany(_INSERT_LABEL, later).rowcount)
    return added


def _has_labels(db: sqlite3.Connection, completion_id: int, row: RecordedRow) -> bool:
    found = db.execute("SELECT name FROM source_label WHERE completion_id = ?", (completion_id,))
    return {label.name for label in row.labels} <= {name for (name,) in found}


_INSERT_LABEL: Final = "INSERT OR IGNORE INTO source_label VALUES (?,?,?,?,?)"

"""What the sources of imported completions said of them, beside what we say.

Invariant: a label is kept as its source wrote it and never becomes a verdict.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from explorer.core.completion import Outcome
from explorer.store.rows import RecordedRow, SourceLabel
from explorer.store.standing import LABEL_DIFFERS, OUTCOME, TABLES


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a source said one thing where we said another.

    Attributes:
        said: by the source; None = neither right nor wrong.
        ours: None = not graded yet.
    """

    format: str
    dataset: str
    model: str
    arm_key: str
    label: str
    verifier: str
    said: Outcome | None
    ours: Outcome | None
    count: int


@dataclass(frozen=True, slots=True)
class LabelDifference:
    """A completion whose source contradicts us."""

    completion_id: int
    format: str
    dataset: str
    problem: str
    model: str
    index: int
    label: str
    said: Outcome
    said_text: str
    ours: Outcome
    answer: str
    method: str
    gold: str
    detail: str
    source: str
    line: int


def recorded_row(db: sqlite3.Connection, completion_id: int) -> RecordedRow | None:
    """Where a completion came from and what was said of it; None for one that was not imported."""
    row = db.execute(
        "SELECT format, line, note FROM source_row WHERE completion_id = ?", (completion_id,)
    ).fetchone()
    if row is None:
        return None
    labels = db.execute(
        "SELECT name, value, text, compared FROM source_label WHERE completion_id = ?"
        " ORDER BY compared DESC, name",
        (completion_id,),
    )
    found = tuple(SourceLabel(name, value, text, bool(own)) for name, value, text, own in labels)
    return RecordedRow(row[0], row[1], row[2], found)


def label_counts(db: sqlite3.Connection, dataset: str = "", model: str = "") -> list[LabelCount]:
    """Counts by source, dataset, arm and what both say; only labels that can be compared."""
    where, values = _where(dataset, model)
    rows = db.execute(
        f"SELECT r.format, p.dataset, a.model, a.key, l.name, p.verifier, {_SAID} AS said,"
        f" {OUTCOME} AS ours, COUNT(*) FROM {_LABELLED} WHERE l.name IS NOT NULL{where}"
        " GROUP BY r.format, p.dataset, a.model, a.key, l.name, p.verifier, said, ours"
        " ORDER BY p.dataset, a.model, a.key, said, ours",
        values,
    )
    return [LabelCount(*[*row[:6], _outcome(row[6]), _outcome(row[7]), row[8]]) for row in rows]


def label_differences(
    db: sqlite3.Connection, dataset: str = "", model: str = "", limit: int = -1
) -> list[LabelDifference]:
    """Completions whose source and we contradict each other, by dataset and problem."""
    where, values = _where(dataset, model)
    rows = db.execute(
        f"SELECT c.id, r.format, p.dataset, p.name, a.model, c.sample_index, l.name, {_SAID},"
        f" l.text, {OUTCOME}, COALESCE(v.answer, ''), COALESCE(v.method, ''), p.gold,"
        f" COALESCE(v.detail, ''), c.source, r.line FROM {_LABELLED}"
        f" WHERE {LABEL_DIFFERS}{where}"
        " ORDER BY p.dataset, p.position, p.id, a.model, c.sample_index LIMIT ?",
        (*values, limit),
    )
    found: list[LabelDifference] = []
    for row in rows:
        values_in_order = [*row[:7], Outcome(row[7]), row[8], Outcome(row[9]), *row[10:]]
        found.append(LabelDifference(*values_in_order))
    return found


def _where(dataset: str, model: str) -> tuple[str, tuple[str, ...]]:
    where = (" AND p.dataset = ?" if dataset else "") + (" AND a.model = ?" if model else "")
    return where, tuple(one for one in (dataset, model) if one)


def _outcome(word: str | None) -> Outcome | None:
    return None if word is None else Outcome(word)


_SAID: Final = "CASE WHEN l.value >= 1 THEN 'correct' WHEN l.value <= 0 THEN 'wrong' END"

_LABELLED: Final = (
    f"{TABLES} JOIN source_row r ON r.completion_id = c.id JOIN arm a ON a.id = c.arm_id"
)

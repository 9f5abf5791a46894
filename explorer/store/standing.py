"""What each completion's outcome stands at: the verifier's verdict, unless a person overrode it.

Every question about outcomes joins the same tables in the same way, written once here. Invariant:
an override outlives every verdict; a second opinion counts only as a disagreement, and only while
no person has settled the matter.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from explorer.core.second_opinion import SECOND_OF

_CASES: Final = " ".join(f"WHEN '{own}' THEN '{second}'" for own, second in SECOND_OF.items())

SECOND_NAME: Final = f"CASE p.verifier {_CASES} END"
"""SQL: name of the second verifier of problem `p`, NULL if it has none."""

TABLES: Final = (
    "completion c JOIN problem p ON p.id = c.problem_id"
    " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
    f" LEFT JOIN verdict s ON s.completion_id = c.id AND s.verifier = {SECOND_NAME}"
    " LEFT JOIN override o ON o.completion_id = c.id"
    " LEFT JOIN source_label l ON l.completion_id = c.id AND l.compared"
)
"""SQL: completions `c` with own verdict `v`, second opinion `s`, override `o` and the label `l` of
the source that is compared with them, if any."""

OUTCOME: Final = "COALESCE(o.outcome, v.outcome)"
"""SQL: the outcome that counts; NULL while ungraded."""

_DECIDED: Final = "('correct', 'wrong')"

DISAGREES: Final = (
    f"(o.outcome IS NULL AND v.outcome IN {_DECIDED} AND s.outcome IN {_DECIDED}"
    " AND v.outcome != s.outcome)"
)
"""SQL: whether the two verifiers contradict each other and no person has settled it."""

LABEL_DIFFERS: Final = (
    f"(({OUTCOME} = 'wrong' AND l.value >= 1) OR ({OUTCOME} = 'correct' AND l.value <= 0))"
)
"""SQL: whether a completion's source and what it stands at here contradict each other."""

COLUMNS: Final = (
    "completions", "recorded", "correct", "wrong", "undecided", "seconded", "disagreed",
    "overridden", "label_differs",
)  # fmt: skip
"""The counts of a tally, in the order of `SUMS`."""

SUMS: Final = ", ".join(
    [
        "COUNT(*)",
        "COALESCE(SUM(c.origin = 'recorded'), 0)",
        *(
            f"COALESCE(SUM({OUTCOME} = '{outcome}'), 0)"
            for outcome in ("correct", "wrong", "undecided")
        ),
        "COUNT(s.outcome)",
        f"COALESCE(SUM({DISAGREES}), 0)",
        "COUNT(o.outcome)",
        f"COALESCE(SUM({LABEL_DIFFERS}), 0)",
    ]
)
"""SQL: what `COLUMNS` are over rows of `TABLES`; an aggregate."""


@contextmanager
def counted(
    db: sqlite3.Connection, arm_id: int, problem_id: int, completion_ids: Iterable[int]
) -> Iterator[None]:
    """Keep a cell's tally true over a write that changes only what these completions stand at.

    Runs inside the caller's transaction.
    """
    ids = json.dumps(list(completion_ids))
    before = _sums(db, ids)
    yield
    after = _sums(db, ids)
    after.subtract(before)
    add(db, arm_id, problem_id, after)


def add(db: sqlite3.Connection, arm_id: int, problem_id: int, added: Mapping[str, int]) -> None:
    """Add to the counts of a cell; names as in `COLUMNS`, absent ones are zero."""
    add_all(db, {(arm_id, problem_id): added})


def add_all(db: sqlite3.Connection, added: Mapping[tuple[int, int], Mapping[str, int]]) -> None:
    """As `add`, to many cells."""
    db.executemany(
        f"INSERT INTO tally (arm_id, problem_id, {', '.join(COLUMNS)})"
        f" VALUES (?,?{',?' * len(COLUMNS)}) ON CONFLICT (arm_id, problem_id) DO UPDATE SET "
        + ", ".join(f"{column} = {column} + excluded.{column}" for column in COLUMNS),
        [(*cell, *(counts.get(column, 0) for column in COLUMNS)) for cell, counts in added.items()],
    )


def recount(db: sqlite3.Connection, problem_id: int) -> None:
    """Count all cells of a problem anew, after its verdicts were dropped."""
    cells = db.execute("SELECT arm_id FROM tally WHERE problem_id = ?", (problem_id,)).fetchall()
    for (arm_id,) in cells:
        sums = db.execute(
            f"SELECT {SUMS} FROM {TABLES} WHERE c.arm_id = ? AND c.problem_id = ?",
            (arm_id, problem_id),
        ).fetchone()
        db.execute(
            f"UPDATE tally SET {', '.join(f'{column} = ?' for column in COLUMNS)}"
            " WHERE arm_id = ? AND problem_id = ?",
            (*sums, arm_id, problem_id),
        )


def _sums(db: sqlite3.Connection, ids: str) -> Counter[str]:
    row = db.execute(
        f"SELECT {SUMS} FROM {TABLES} WHERE c.id IN (SELECT value FROM json_each(?))", (ids,)
    ).fetchone()
    return Counter(dict(zip(COLUMNS, row, strict=True)))

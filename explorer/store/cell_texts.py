"""Every text of a cell at once, for comparing completions with each other.

Invariant: only ids that the model itself drew are given; re-tokenised ones compare with nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from explorer.core.completion import Int32
from explorer.store.blobs import unpack_ints


def cell_texts(
    db: sqlite3.Connection, arm_id: int, problem_id: int
) -> Iterator[tuple[int, str, Int32 | None]]:
    """(completion id, text, [T] token ids or None) of a cell, by sample index."""
    rows = db.execute(
        "SELECT c.id, c.text, t.ids FROM completion c"
        " LEFT JOIN token_data t ON t.completion_id = c.id AND t.exact = 1"
        " WHERE c.arm_id = ? AND c.problem_id = ? ORDER BY c.sample_index",
        (arm_id, problem_id),
    )
    for completion_id, text, ids in rows:
        yield completion_id, text, None if ids is None else unpack_ints(ids)

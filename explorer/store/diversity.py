"""What the diversity of an arm is computed from: its counts, and entropies of its own scores.

Invariant: entropies are those of a scorer with the arm's own weights and tokenizer, along the
arm's own samples: of at most the first `PER_PROBLEM` completions of a problem, and at most
`MOST_TOKENS` of them, so that a cache of millions is not walked through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from explorer.store import noise, queries
from explorer.store.blobs import unpack_floats
from explorer.store.rows import Tally
from explorer.store.standing import COLUMNS
from explorer.store.study import PER_PROBLEM

MOST_TOKENS: Final = 500_000
"""Enough for a mean to three digits."""


class OwnEntropy(NamedTuple):
    """Mean entropy of the next token in nats, and how many tokens it is over."""

    mean: float
    tokens: int


def own_entropy(
    db: sqlite3.Connection, arm_id: int, problem_ids: Sequence[int]
) -> OwnEntropy | None:
    """The mean token entropy of an arm on these problems; None where it is not known."""
    arm = next((one for one in queries.arms(db) if one.id == arm_id), None)
    own = [one.id for one in noise.scorers(db) if arm is not None and noise.is_own(arm, one)]
    if not own:
        return None
    total, tokens = 0.0, 0
    for problem_id in problem_ids:
        rows = db.execute(
            "SELECT s.entropies FROM completion c JOIN score s ON s.completion_id = c.id"
            f" AND s.scorer_id IN ({','.join('?' * len(own))})"
            " WHERE c.arm_id = ? AND c.problem_id = ? AND c.sample_index < ?"
            " GROUP BY c.id ORDER BY c.sample_index",
            (*own, arm_id, problem_id, PER_PROBLEM),
        )
        for (blob,) in rows:
            values = unpack_floats(blob)
            known = values[np.isfinite(values)]
            total += float(known.sum(dtype=np.float64))
            tokens += len(known)
        if tokens >= MOST_TOKENS:
            break
    return OwnEntropy(total / tokens, tokens) if tokens else None


def tallies_of(db: sqlite3.Connection, arm_id: int, problem_ids: Sequence[int]) -> dict[int, Tally]:
    """An arm's counts by problem, of those of these problems that have graded samples."""
    wanted = set(problem_ids)
    found: dict[int, Tally] = {}
    rows = db.execute(
        f"SELECT problem_id, {', '.join(COLUMNS)} FROM tally WHERE arm_id = ?", (arm_id,)
    )
    for row in rows:
        tally = Tally(*row[1:])
        if row[0] in wanted and tally.n:
            found[row[0]] = tally
    return found

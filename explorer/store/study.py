"""Reading for a study of a whole set: what models think of stored completions, in means.

Invariant: of every (arm, problem) at most the first `PER_PROBLEM` completions are looked at, so the
cost follows the set, not how often it was sampled; no token is read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

PER_PROBLEM: Final = 64
"""Completions of an arm on a problem whose perplexity is looked at; the paper had 8 to 32."""


class MeanLogprob(NamedTuple):
    """Mean token log-probability of one completion under one model, raw, in nats."""

    arm_id: int
    problem_id: int
    scorer: str
    value: float


def mean_logprobs_of(
    db: sqlite3.Connection,
    arm_ids: Sequence[int],
    problem_ids: Sequence[int],
    per_problem: int = PER_PROBLEM,
) -> list[MeanLogprob]:
    """What is known of these cells: by the model that drew it (scorer '') and by others' scores."""
    cells = (json.dumps(list(arm_ids)), json.dumps(list(problem_ids)), per_problem)
    of_cells = (
        "FROM json_each(?) a CROSS JOIN json_each(?) p CROSS JOIN completion c"
        " ON c.arm_id = a.value AND c.problem_id = p.value AND c.sample_index < ?"
    )
    own = db.execute(
        f"SELECT c.arm_id, c.problem_id, '', c.mean_logprob {of_cells}"
        " WHERE c.mean_logprob IS NOT NULL",
        cells,
    ).fetchall()
    scored = db.execute(
        f"SELECT c.arm_id, c.problem_id, r.model, s.mean_logprob {of_cells}"
        " CROSS JOIN score s ON s.completion_id = c.id JOIN scorer r ON r.id = s.scorer_id"
        " WHERE s.mean_logprob IS NOT NULL",
        cells,
    ).fetchall()
    return [MeanLogprob(*row) for row in (*own, *scored)]

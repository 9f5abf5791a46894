"""Noise floors: measured from the scores that a model gave its own samples, kept per arm.

Invariant: only a scorer with the arm's own weights and tokenizer counts, and only tokens that
were drawn (exact ids, sampled log-probabilities). A floor is measured on at most `MOST_TOKENS`
tokens, the earliest completions first, so that measuring stays quick in a large cache.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from explorer.core.completion import Float32
from explorer.core.noise import NoiseFloor, noise_floor
from explorer.store import queries
from explorer.store.blobs import unpack_floats
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import ArmRow, ScorerRow

MOST_TOKENS: Final = 1_000_000
"""Enough for a 99 % quantile to three digits; a second of work."""


@dataclass(frozen=True, slots=True)
class FloorRow:
    """The floor of an arm as one scorer (the same weights) measured it."""

    arm_id: int
    scorer: ScorerRow
    floor: NoiseFloor


def is_own(arm: ArmRow, scorer: ScorerRow) -> bool:
    """Whether a scorer is the very model that an arm's completions were drawn from."""
    spec = arm.spec
    known = spec.checkpoint and not spec.checkpoint.startswith("unknown:")
    return bool(known) and (spec.checkpoint, spec.tokenizer) == (
        scorer.checkpoint,
        scorer.tokenizer,
    )


def measure(db: sqlite3.Connection, arm: ArmRow, scorer: ScorerRow) -> NoiseFloor | None:
    """Measure and keep the floor of an arm; None if there is nothing to measure it on."""
    if not is_own(arm, scorer):
        return None
    floor = noise_floor(_pairs(db, arm.id, scorer.id))
    if floor is not None:
        _keep(db, arm.id, scorer.id, floor)
    return floor


def measure_all(db: sqlite3.Connection) -> int:
    """Measure every floor that can be and is not kept yet; returns how many were measured."""
    kept = {(row.arm_id, row.scorer.id) for row in floors(db)}
    todo = [
        (arm, scorer)
        for arm in queries.arms(db)
        for scorer in scorers(db)
        if is_own(arm, scorer) and (arm.id, scorer.id) not in kept
    ]
    return sum(measure(db, arm, scorer) is not None for arm, scorer in todo)


def floors(db: sqlite3.Connection, arm_id: int | None = None) -> list[FloorRow]:
    """The floors that are kept, of one arm or all; what a screen reads."""
    where, values = ("", ()) if arm_id is None else (" WHERE n.arm_id = ?", (arm_id,))
    rows = db.execute(
        "SELECT n.arm_id, s.id, s.model, s.checkpoint, s.tokenizer, s.engine, s.dtype,"
        " n.completions, n.tokens, n.median, n.q95, n.q99, n.most, n.perplexity_difference"
        f" FROM noise n JOIN scorer s ON s.id = n.scorer_id{where} ORDER BY n.arm_id, s.id",
        values,
    )
    return [FloorRow(row[0], ScorerRow(*row[1:7]), _floor(row[7:])) for row in rows]


def scorers(db: sqlite3.Connection) -> list[ScorerRow]:
    """Every model that has scored something."""
    return [
        ScorerRow(*row)
        for row in db.execute(
            "SELECT id, model, checkpoint, tokenizer, engine, dtype FROM scorer ORDER BY id"
        )
    ]


def _floor(columns: tuple[Any, ...]) -> NoiseFloor:
    completions, tokens, median, q95, q99, most, difference = columns
    unknown = math.nan if difference is None else difference
    return NoiseFloor(completions, tokens, median, q95, q99, most, unknown)


def _pairs(
    db: sqlite3.Connection, arm_id: int, scorer_id: int
) -> Iterator[tuple[Float32, Float32]]:
    rows = db.execute(
        "SELECT t.logprobs, s.logprobs FROM completion c"
        " JOIN score s ON s.completion_id = c.id AND s.scorer_id = ?"
        " JOIN token_data t ON t.completion_id = c.id"
        " WHERE c.arm_id = ? AND t.exact = 1 AND t.logprobs IS NOT NULL"
        " AND length(t.logprobs) = length(s.logprobs)",
        (scorer_id, arm_id),
    )
    tokens = 0
    for drawn, forced in rows:
        yield unpack_floats(drawn), unpack_floats(forced)
        tokens += len(drawn) // 4
        if tokens >= MOST_TOKENS:
            return


def _keep(db: sqlite3.Connection, arm_id: int, scorer_id: int, floor: NoiseFloor) -> None:
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO noise VALUES (?,?,?,?,?,?,?,?,?)",
            (
                *(arm_id, scorer_id, floor.completions, floor.tokens, floor.median),
                *(floor.q95, floor.q99, floor.most, floor.perplexity_difference),
            ),
        )
        bump(db, Topic.SCORES)

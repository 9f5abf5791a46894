"""What samplers make of scored completions, kept per completion, scorer and sampler settings.

A row without values says that it was asked for and that the engine sees too little of the
distribution: bounds are then worked out from the alternatives of the score. Invariant: a row
belongs to the score that was stored with it; where another scoring has replaced that score by one
of another length, the row is not read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from explorer.core.arm import Sampling, canonical_json
from explorer.core.completion import TokenScores
from explorer.core.support import Truncation
from explorer.store.blobs import pack_floats, unpack_floats, unpack_ints
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump
from explorer.store.rows import ScorerRow

_COLUMNS: Final = ("tempered", "above", "kept", "short")


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One scorer's numbers about a completion, without the alternatives' texts.

    Attributes:
        scores: as stored; `top_texts` is empty.
        truncations: by sampler key; None where the engine could not say.
        vocabulary: tokens that the scorer knows, 0 if that is not known.
    """

    scorer: ScorerRow
    scores: TokenScores
    truncations: Mapping[str, Truncation | None]
    vocabulary: int


def sampler_key(sampling: Sampling) -> str:
    """What of the settings decides which tokens can be drawn, as it is stored."""
    return canonical_json(
        {
            "temperature": float(sampling.temperature),
            "top_k": sampling.top_k,
            "top_p": float(sampling.top_p),
        }
    )


def record(
    db: sqlite3.Connection,
    scorer_id: int,
    completion_id: int,
    sampling: Sampling,
    truncation: Truncation | None,
    vocabulary: int,
) -> None:
    """Store what a sampler makes of a completion; again replaces it."""
    blobs: list[bytes | None] = [None] * len(_COLUMNS)
    if truncation is not None:
        blobs = [pack_floats(getattr(truncation, column)) for column in _COLUMNS]
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO support VALUES (?,?,?,?,?,?,?,?)",
            (completion_id, scorer_id, sampler_key(sampling), vocabulary, *blobs),
        )
        bump(db, Topic.SCORES)


def missing(
    db: sqlite3.Connection, scorer_id: int, completion_ids: Iterable[int], sampling: Sampling
) -> list[int]:
    """Which of these completions the scorer has not been asked about under these settings."""
    query = (
        "SELECT 1 FROM support u JOIN score s USING (completion_id, scorer_id)"
        " WHERE u.completion_id = ? AND u.scorer_id = ? AND u.sampler = ?"
    )
    key = sampler_key(sampling)
    return [
        completion_id
        for completion_id in completion_ids
        if db.execute(query, (completion_id, scorer_id, key)).fetchone() is None
    ]


def scored(db: sqlite3.Connection, completion_id: int) -> list[ScoredRow]:
    """Every scorer's numbers about a completion, in the order in which they came."""
    rows = db.execute(
        "SELECT s.id, s.model, s.checkpoint, s.tokenizer, s.engine, s.dtype, score.logprobs,"
        " score.ranks, score.entropies, score.top, score.top_ids, score.top_logprobs"
        " FROM score JOIN scorer s ON s.id = score.scorer_id WHERE score.completion_id = ?"
        " ORDER BY score.created",
        (completion_id,),
    ).fetchall()
    found = []
    for row in rows:
        scorer = ScorerRow(*row[:6])
        logprobs, ranks, entropies, top, top_ids, top_logprobs = row[6:]
        scores = TokenScores(
            unpack_floats(logprobs),
            unpack_ints(ranks),
            unpack_floats(entropies),
            unpack_ints(top_ids).reshape(-1, top or 0) if top else np.zeros((0, 0), np.int32),
            unpack_floats(top_logprobs).reshape(-1, top) if top else np.zeros((0, 0), np.float32),
            [],
        )
        truncations, vocabulary = _truncations(db, completion_id, scorer.id, len(scores.logprobs))
        vocabulary = vocabulary or vocabulary_of(db, scorer)
        found.append(ScoredRow(scorer, scores, truncations, vocabulary))
    return found


def _truncations(
    db: sqlite3.Connection, completion_id: int, scorer_id: int, length: int
) -> tuple[dict[str, Truncation | None], int]:
    rows = db.execute(
        "SELECT sampler, vocabulary, tempered, above, kept, short FROM support"
        " WHERE completion_id = ? AND scorer_id = ?",
        (completion_id, scorer_id),
    )
    found: dict[str, Truncation | None] = {}
    vocabulary = 0
    for key, size, *blobs in rows:
        vocabulary = vocabulary or size
        if blobs[0] is None:
            found[key] = None
        elif len(blobs[0]) == 4 * length:
            found[key] = Truncation(*(unpack_floats(blob) for blob in blobs))
    return found, vocabulary


def vocabulary_of(db: sqlite3.Connection, scorer: ScorerRow) -> int:
    """How many tokens a scorer knows: as it said itself, or an arm of its weights; 0 = unknown."""
    row = db.execute(
        "SELECT vocabulary FROM support WHERE scorer_id = ? AND vocabulary > 0 LIMIT 1",
        (scorer.id,),
    ).fetchone()
    row = (
        row
        or db.execute(
            "SELECT CAST(f.value AS INTEGER) FROM arm a JOIN arm_fact f ON f.arm_id = a.id"
            " AND f.name = 'vocabulary' WHERE json_extract(a.spec, '$.checkpoint') = ? LIMIT 1",
            (scorer.checkpoint,),
        ).fetchone()
    )
    return int(row[0]) if row else 0

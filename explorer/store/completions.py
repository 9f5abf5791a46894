"""Appending completions, verdicts and scores, and keeping the tallies true.

Every function is one transaction: a killed process leaves either all of a batch or none of it,
and an (arm, problem, index) that is already there is left as it is.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from explorer.core.completion import (
    Completion,
    Int32,
    Origin,
    Outcome,
    Tokens,
    TokenScores,
    Verdict,
)
from explorer.core.second_opinion import SECOND_OF, disagree
from explorer.store import standing
from explorer.store.blobs import pack_floats, pack_ints, pack_texts
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump


class PackedTokens(NamedTuple):
    """`Tokens` as the blobs that are stored."""

    ids: bytes
    ends: bytes
    logprobs: bytes | None
    exact: bool


class PackedCompletion(NamedTuple):
    """A completion as the columns that are stored; for readers of large files."""

    sample_index: int
    seed: int
    text: str
    finish: str
    n_tokens: int | None
    mean_logprob: float | None
    origin: str
    source: str
    tokens: PackedTokens | None
    verdict: Verdict | None
    second: Verdict | None = None


def append(
    db: sqlite3.Connection,
    arm_id: int,
    problem_id: int,
    completions: Iterable[tuple[Completion, Verdict | None]],
) -> list[int | None]:
    """Store completions with the verdicts that are already known.

    Returns:
        The row id of each new completion, None where that index was already stored.
    """
    packed = [_pack(completion, verdict) for completion, verdict in completions]
    return append_packed(db, arm_id, problem_id, packed)


def append_packed(
    db: sqlite3.Connection, arm_id: int, problem_id: int, rows: Sequence[PackedCompletion]
) -> list[int | None]:
    """As `append`."""
    if not rows:
        return []
    with transaction(db):
        taken = _stored_indices(db, arm_id, problem_id, rows)
        (last,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM completion").fetchone()
        ids: list[int | None] = []
        new: list[tuple[int, PackedCompletion]] = []
        for row in rows:
            if row.sample_index in taken:
                ids.append(None)
                continue
            taken.add(row.sample_index)
            last += 1
            ids.append(last)
            new.append((last, row))
        _insert(db, arm_id, problem_id, new)
        said = [(row_id, one) for row_id, row in new for one in (row.verdict, row.second) if one]
        _insert_verdicts(db, said)
        _count_new(db, arm_id, problem_id, [row for _, row in new])
        bump(db, Topic.COUNTS)
    return ids


def add_tokens(db: sqlite3.Connection, completion_id: int, tokens: Tokens) -> None:
    """Give tokens to a completion that was stored as text only; others keep theirs."""
    ids, ends, logprobs, exact = _pack_tokens(tokens)
    with transaction(db):
        cursor = db.execute(
            "INSERT INTO token_data VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            (completion_id, ids, ends, logprobs, int(exact)),
        )
        if cursor.rowcount == 1:
            db.execute(
                "UPDATE completion SET n_tokens = ? WHERE id = ?", (len(tokens), completion_id)
            )
            bump(db, Topic.COUNTS)


def place_tokens(db: sqlite3.Connection, completion_id: int, ends: Int32) -> None:
    """Say what part of the text each token covers, where only their ids were imported."""
    with transaction(db):
        db.execute(
            "UPDATE token_data SET ends = ? WHERE completion_id = ? AND length(ends) = ?",
            (pack_ints(ends), completion_id, 4 * len(ends)),
        )
        bump(db, Topic.COUNTS)


def record_verdicts(
    db: sqlite3.Connection,
    arm_id: int,
    problem_id: int,
    verdicts: Mapping[int, Verdict],
) -> None:
    """Store or replace the verdicts of completions of one cell; keys are completion ids.

    Verdicts of the problem's own verifier count, those of its second one only as disagreements;
    an override stays what it is.
    """
    with transaction(db):
        with standing.counted(db, arm_id, problem_id, verdicts):
            _insert_verdicts(db, verdicts.items())
        bump(db, Topic.COUNTS)


def record_score(
    db: sqlite3.Connection, scorer_id: int, completion_id: int, scores: TokenScores
) -> None:
    """Store a model's scores of a completion; scoring again replaces them."""
    mean = float(scores.logprobs.mean()) if len(scores.logprobs) else None
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO score (completion_id, scorer_id, mean_logprob, logprobs,"
            " ranks, entropies, top, top_ids, top_logprobs, top_texts, created)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                completion_id,
                scorer_id,
                mean,
                pack_floats(scores.logprobs),
                pack_ints(scores.ranks),
                pack_floats(scores.entropies),
                scores.top_ids.shape[1] if scores.top_ids.ndim == 2 else 0,
                pack_ints(scores.top_ids),
                pack_floats(scores.top_logprobs),
                pack_texts(scores.top_texts),
                time.time(),
            ),
        )
        bump(db, Topic.SCORES)


def known_decisions(
    db: sqlite3.Connection, problem_id: int, verifier: str, version: str
) -> dict[str, tuple[Outcome, str]]:
    """Decisions already made for a problem: answer -> (outcome, detail)."""
    rows = db.execute(
        "SELECT answer, outcome, detail FROM decision"
        " WHERE problem_id = ? AND verifier = ? AND version = ?",
        (problem_id, verifier, version),
    )
    return {answer: (Outcome(outcome), detail) for answer, outcome, detail in rows}


def remember_decisions(
    db: sqlite3.Connection,
    problem_id: int,
    verifier: str,
    version: str,
    decisions: Mapping[str, tuple[Outcome, str]],
) -> None:
    """Keep decisions for later completions with the same answer."""
    with transaction(db):
        db.executemany(
            "INSERT OR REPLACE INTO decision VALUES (?,?,?,?,?,?)",
            [
                (problem_id, verifier, version, answer, outcome.value, detail)
                for answer, (outcome, detail) in decisions.items()
            ],
        )


def missing_indices(db: sqlite3.Connection, arm_id: int, problem_id: int, n: int) -> list[int]:
    """Which of the sample indices 0 … n-1 are not stored yet."""
    stored = {
        row[0]
        for row in db.execute(
            "SELECT sample_index FROM completion"
            " WHERE arm_id = ? AND problem_id = ? AND sample_index < ?",
            (arm_id, problem_id, n),
        )
    }
    return [index for index in range(n) if index not in stored]


def _pack(completion: Completion, verdict: Verdict | None) -> PackedCompletion:
    tokens = completion.tokens
    mean = None
    if tokens is not None and tokens.logprobs is not None and len(tokens):
        mean = float(np.mean(tokens.logprobs, dtype=np.float64))
    return PackedCompletion(
        sample_index=completion.index,
        seed=completion.seed,
        text=completion.text,
        finish=completion.finish.value,
        n_tokens=None if tokens is None else len(tokens),
        mean_logprob=mean,
        origin=completion.origin.value,
        source=completion.source,
        tokens=None if tokens is None else _pack_tokens(tokens),
        verdict=verdict,
    )


def _pack_tokens(tokens: Tokens) -> PackedTokens:
    logprobs = None if tokens.logprobs is None else pack_floats(tokens.logprobs)
    return PackedTokens(pack_ints(tokens.ids), pack_ints(tokens.ends), logprobs, tokens.exact)


def _stored_indices(
    db: sqlite3.Connection, arm_id: int, problem_id: int, rows: Sequence[PackedCompletion]
) -> set[int]:
    indices = [row.sample_index for row in rows]
    found = db.execute(
        "SELECT sample_index FROM completion"
        " WHERE arm_id = ? AND problem_id = ? AND sample_index BETWEEN ? AND ?",
        (arm_id, problem_id, min(indices), max(indices)),
    )
    return {row[0] for row in found}


def _insert(
    db: sqlite3.Connection,
    arm_id: int,
    problem_id: int,
    new: Sequence[tuple[int, PackedCompletion]],
) -> None:
    now = time.time()
    db.executemany(
        "INSERT INTO completion (id, arm_id, problem_id, created, sample_index, seed, text,"
        " finish, n_tokens, mean_logprob, origin, source) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        [(row_id, arm_id, problem_id, now, *row[:8]) for row_id, row in new],
    )
    db.executemany(
        "INSERT INTO token_data VALUES (?,?,?,?,?)",
        [(row_id, *row.tokens) for row_id, row in new if row.tokens],
    )


def _insert_verdicts(db: sqlite3.Connection, verdicts: Iterable[tuple[int, Verdict]]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO verdict VALUES (?,?,?,?,?,?,?)",
        [
            (row_id, v.verifier, v.version, v.outcome.value, v.answer, v.method, v.detail)
            for row_id, v in verdicts
        ],
    )


def _count_new(
    db: sqlite3.Connection, arm_id: int, problem_id: int, new: Sequence[PackedCompletion]
) -> None:
    (own,) = db.execute("SELECT verifier FROM problem WHERE id = ?", (problem_id,)).fetchone()
    added = Counter(
        row.verdict.outcome.value for row in new if row.verdict and row.verdict.verifier == own
    )
    for row in new:
        if row.second is not None and row.second.verifier == SECOND_OF.get(own):
            counts = row.verdict is not None and row.verdict.verifier == own
            first = row.verdict.outcome if row.verdict and counts else None
            added["seconded"] += 1
            added["disagreed"] += disagree(first, row.second.outcome)
    added["completions"] = len(new)
    added["recorded"] = sum(row.origin == Origin.RECORDED.value for row in new)
    standing.add(db, arm_id, problem_id, added)

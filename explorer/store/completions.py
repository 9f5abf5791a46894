"""Appending completions, verdicts and scores, and keeping the tallies true.

Every function is one transaction: a killed process leaves either all of a batch or none of it,
and an (arm, problem, index) that is already there is left as it is.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from explorer.core.completion import Completion, Origin, Outcome, TokenScores, Verdict
from explorer.store.blobs import pack_floats, pack_ints, pack_texts
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump


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
    ids: list[int | None] = []
    with transaction(db):
        added: Counter[str] = Counter()
        for completion, verdict in completions:
            row_id = _insert(db, arm_id, problem_id, completion)
            ids.append(row_id)
            if row_id is None:
                continue
            added["completions"] += 1
            added["recorded"] += completion.origin is Origin.RECORDED
            if verdict is not None:
                added[verdict.outcome.value] += 1
                _insert_verdict(db, row_id, verdict)
        _add_to_tally(db, arm_id, problem_id, added)
        bump(db, Topic.COUNTS)
    return ids


def record_verdicts(
    db: sqlite3.Connection,
    arm_id: int,
    problem_id: int,
    verdicts: Mapping[int, Verdict],
) -> None:
    """Store or replace the verdicts of completions of one cell; keys are completion ids."""
    with transaction(db):
        added: Counter[str] = Counter()
        for completion_id, verdict in verdicts.items():
            previous = db.execute(
                "SELECT outcome FROM verdict WHERE completion_id = ? AND verifier = ?",
                (completion_id, verdict.verifier),
            ).fetchone()
            if previous:
                added[previous[0]] -= 1
            added[verdict.outcome.value] += 1
            _insert_verdict(db, completion_id, verdict)
        _add_to_tally(db, arm_id, problem_id, added)
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


def _insert(
    db: sqlite3.Connection, arm_id: int, problem_id: int, completion: Completion
) -> int | None:
    tokens = completion.tokens
    logprobs = tokens.logprobs if tokens else None
    cursor = db.execute(
        "INSERT INTO completion (arm_id, problem_id, sample_index, seed, text, finish, n_tokens,"
        " mean_logprob, origin, source, created) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (arm_id, problem_id, sample_index) DO NOTHING",
        (
            arm_id,
            problem_id,
            completion.index,
            completion.seed,
            completion.text,
            completion.finish.value,
            len(tokens) if tokens else None,
            _mean(logprobs),
            completion.origin.value,
            completion.source,
            time.time(),
        ),
    )
    if cursor.rowcount != 1:
        return None
    row_id = cursor.lastrowid
    assert row_id is not None
    if tokens:
        db.execute(
            "INSERT INTO token_data VALUES (?,?,?,?,?)",
            (
                row_id,
                pack_ints(tokens.ids),
                pack_ints(tokens.ends),
                None if logprobs is None else pack_floats(logprobs),
                int(tokens.exact),
            ),
        )
    return row_id


def _mean(logprobs: Sequence[float] | np.ndarray | None) -> float | None:
    return None if logprobs is None or len(logprobs) == 0 else float(np.mean(logprobs))


def _insert_verdict(db: sqlite3.Connection, completion_id: int, verdict: Verdict) -> None:
    db.execute(
        "INSERT OR REPLACE INTO verdict VALUES (?,?,?,?,?,?,?)",
        (
            completion_id,
            verdict.verifier,
            verdict.version,
            verdict.outcome.value,
            verdict.answer,
            verdict.method,
            verdict.detail,
        ),
    )


def _add_to_tally(
    db: sqlite3.Connection, arm_id: int, problem_id: int, added: Mapping[str, int]
) -> None:
    columns = ("completions", "recorded", "correct", "wrong", "undecided")
    db.execute(
        "INSERT INTO tally VALUES (?,?,?,?,?,?,?) ON CONFLICT (arm_id, problem_id) DO UPDATE SET "
        + ", ".join(f"{column} = {column} + excluded.{column}" for column in columns),
        (arm_id, problem_id, *(added.get(column, 0) for column in columns)),
    )

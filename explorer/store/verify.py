"""Checking a cache against itself: re-derive every key and recount every tally."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from explorer.core.arm import ArmSpec, prompt_digest
from explorer.store.blobs import unpack_ints
from explorer.store.connection import database_path, store_errors
from explorer.store.standing import COLUMNS, SUMS, TABLES


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One row that does not say what its contents say."""

    table: str
    row: str
    stored: str
    derived: str


def verify(db: sqlite3.Connection) -> list[Disagreement]:
    """All disagreements; an intact cache has none. Of a damaged file, only its damage.

    Raises:
        StoreError: the file is too damaged to be checked.
    """
    with store_errors(database_path(db)):
        damage = _integrity(db)
        if damage:
            return damage
        return [*_references(db), *_arms(db), *_prompts(db), *_tokens(db), *_tallies(db)]


def _integrity(db: sqlite3.Connection) -> list[Disagreement]:
    rows = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
    return [Disagreement("file", "integrity", row, "ok") for row in rows if row != "ok"]


def _references(db: sqlite3.Connection) -> list[Disagreement]:
    return [
        Disagreement(row[0], str(row[1]), f"belongs to a missing {row[2]}", "ok")
        for row in db.execute("PRAGMA foreign_key_check")
    ]


def _arms(db: sqlite3.Connection) -> list[Disagreement]:
    found = []
    for arm_id, key, spec in db.execute("SELECT id, key, spec FROM arm"):
        derived = ArmSpec.from_json(json.loads(spec)).key()
        if derived != key:
            found.append(Disagreement("arm", str(arm_id), key, derived))
    return found


def _prompts(db: sqlite3.Connection) -> list[Disagreement]:
    found = []
    for arm_id, problem_id, ids, digest, images in db.execute(
        "SELECT arm_id, problem_id, ids, digest, images FROM prompt"
    ):
        shown = [image for _, image in json.loads(images)]
        derived = prompt_digest(unpack_ints(ids).tolist(), shown)
        if derived != digest:
            found.append(Disagreement("prompt", f"{arm_id}/{problem_id}", digest, derived))
    return found


def _tokens(db: sqlite3.Connection) -> list[Disagreement]:
    """Token arrays of a completion and of its scores must all have its number of tokens."""
    rows = db.execute(
        "SELECT 'token_data', c.id, c.n_tokens, length(t.ids) / 4 FROM completion c"
        " LEFT JOIN token_data t ON t.completion_id = c.id"
        " WHERE c.n_tokens IS NOT length(t.ids) / 4 OR length(t.ends) != length(t.ids)"
        " OR length(t.logprobs) != length(t.ids)"
        " UNION ALL SELECT 'score', c.id, c.n_tokens, length(s.logprobs) / 4 FROM score s"
        " JOIN completion c ON c.id = s.completion_id"
        " WHERE c.n_tokens IS NOT length(s.logprobs) / 4 OR length(s.ranks) != length(s.logprobs)"
    )
    return [Disagreement(row[0], str(row[1]), str(row[2]), str(row[3])) for row in rows]


def _tallies(db: sqlite3.Connection) -> list[Disagreement]:
    counted = {
        row[:2]: row[2:]
        for row in db.execute(
            f"SELECT c.arm_id, c.problem_id, {SUMS} FROM {TABLES} GROUP BY c.arm_id, c.problem_id"
        )
    }
    stored = {
        row[:2]: row[2:]
        for row in db.execute(f"SELECT arm_id, problem_id, {', '.join(COLUMNS)} FROM tally")
    }
    empty = (0,) * len(COLUMNS)
    return [
        Disagreement("tally", f"{cell[0]}/{cell[1]}", str(was), str(now))
        for cell in sorted(counted.keys() | stored.keys())
        if (was := stored.get(cell, empty)) != (now := counted.get(cell, empty))
    ]

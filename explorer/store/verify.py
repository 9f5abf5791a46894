"""Checking a cache against itself: re-derive every key and recount every tally."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from explorer.core.arm import ArmSpec, prompt_digest
from explorer.store.blobs import unpack_ints


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One row that does not say what its contents say."""

    table: str
    row: str
    stored: str
    derived: str


def verify(db: sqlite3.Connection) -> list[Disagreement]:
    """All disagreements; an intact cache has none."""
    return [*_integrity(db), *_arms(db), *_prompts(db), *_tallies(db)]


def _integrity(db: sqlite3.Connection) -> list[Disagreement]:
    rows = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
    return [Disagreement("file", "integrity", row, "ok") for row in rows if row != "ok"]


def _arms(db: sqlite3.Connection) -> list[Disagreement]:
    found = []
    for arm_id, key, spec in db.execute("SELECT id, key, spec FROM arm"):
        derived = ArmSpec.from_json(json.loads(spec)).key()
        if derived != key:
            found.append(Disagreement("arm", str(arm_id), key, derived))
    return found


def _prompts(db: sqlite3.Connection) -> list[Disagreement]:
    found = []
    for arm_id, problem_id, ids, digest in db.execute(
        "SELECT arm_id, problem_id, ids, digest FROM prompt"
    ):
        derived = prompt_digest(unpack_ints(ids).tolist())
        if derived != digest:
            found.append(Disagreement("prompt", f"{arm_id}/{problem_id}", digest, derived))
    return found


def _tallies(db: sqlite3.Connection) -> list[Disagreement]:
    counted = {
        row[:2]: row[2:]
        for row in db.execute(
            "SELECT c.arm_id, c.problem_id, COUNT(*), SUM(c.origin = 'recorded'),"
            " COALESCE(SUM(v.outcome = 'correct'), 0), COALESCE(SUM(v.outcome = 'wrong'), 0),"
            " COALESCE(SUM(v.outcome = 'undecided'), 0)"
            " FROM completion c JOIN problem p ON p.id = c.problem_id"
            " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
            " GROUP BY c.arm_id, c.problem_id"
        )
    }
    stored = {row[:2]: row[2:] for row in db.execute("SELECT * FROM tally")}
    empty = (0, 0, 0, 0, 0)
    return [
        Disagreement("tally", f"{cell[0]}/{cell[1]}", str(was), str(now))
        for cell in sorted(counted.keys() | stored.keys())
        if (was := stored.get(cell, empty)) != (now := counted.get(cell, empty))
    ]

"""What the parity linter needs of an arm, from a bounded part of its completions.

Invariant: however large a cache, at most `PROBLEMS` × `PER_PROBLEM` completions of an arm are
looked at, the same problems and indices for every arm, and the numbers say how many they were.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.store.blobs import unpack_ints

PROBLEMS: Final = 32
PER_PROBLEM: Final = 64


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What was found.

    Attributes:
        completions: how many were looked at.
        finishes: problem id -> (completions whose finish reason is known, those of them that ran
            out of tokens).
        verifiers: 'name version' of what graded them, by the problems' own verifiers.
        longest_prompt: tokens of the longest stored prompt of these problems, 0 if none is.
        samples: graded samples of each of these problems that has any.
    """

    completions: int
    finishes: dict[int, tuple[int, int]]
    verifiers: tuple[str, ...]
    longest_prompt: int
    samples: tuple[int, ...]


def problem_ids(db: sqlite3.Connection, dataset: str) -> list[int]:
    """Row ids of a dataset's problems, in file order."""
    rows = db.execute("SELECT id FROM problem WHERE dataset = ? ORDER BY position, id", (dataset,))
    return [row[0] for row in rows]


def spread(ids: Sequence[int], first: int = 0, most: int = PROBLEMS) -> list[int]:
    """At most `most` of these, evenly spread over the list, `first` among them if it is one."""
    if len(ids) <= most:
        return list(ids)
    step = len(ids) / most
    chosen = [ids[int(place * step)] for place in range(most)]
    if first in ids and first not in chosen:
        chosen[0] = first
    return chosen


def look(db: sqlite3.Connection, arm_id: int, problem_ids: Iterable[int]) -> LookedAt:
    """Finish reasons, verifiers and prompt lengths of an arm on these problems."""
    finishes: dict[int, tuple[int, int]] = {}
    verifiers: set[str] = set()
    samples: list[int] = []
    longest = completions = 0
    for problem_id in problem_ids:
        cell = (arm_id, problem_id, PER_PROBLEM)
        seen, n, cut = db.execute(
            "SELECT COUNT(*), COALESCE(SUM(finish != 'unknown'), 0),"
            " COALESCE(SUM(finish = 'length'), 0) FROM completion"
            " WHERE arm_id = ? AND problem_id = ? AND sample_index < ?",
            cell,
        ).fetchone()
        completions += seen
        if n:
            finishes[problem_id] = (n, cut)
        verifiers.update(
            " ".join(row)
            for row in db.execute(
                "SELECT DISTINCT v.verifier, v.version FROM completion c"
                " JOIN problem p ON p.id = c.problem_id"
                " JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
                " WHERE c.arm_id = ? AND c.problem_id = ? AND c.sample_index < ?",
                cell,
            )
        )
        row = db.execute(
            "SELECT length(ids) / 4 FROM prompt WHERE arm_id = ? AND problem_id = ?", cell[:2]
        ).fetchone()
        longest = max(longest, row[0] if row else 0)
        row = db.execute(
            "SELECT correct + wrong + undecided FROM tally WHERE arm_id = ? AND problem_id = ?",
            cell[:2],
        ).fetchone()
        samples += [row[0]] if row and row[0] else []
    return LookedAt(completions, finishes, tuple(sorted(verifiers)), longest, tuple(samples))


def holding(db: sqlite3.Connection, arm_id: int, problem_ids: Iterable[int], word: str) -> int:
    """How many of the completions looked at hold a word."""
    return sum(
        db.execute(
            "SELECT COUNT(*) FROM completion WHERE arm_id = ? AND problem_id = ?"
            " AND sample_index < ? AND instr(text, ?) > 0",
            (arm_id, problem_id, PER_PROBLEM, word),
        ).fetchone()[0]
        for problem_id in problem_ids
    )


def cut_by_words(
    db: sqlite3.Connection, arm_id: int, problem_ids: Iterable[int], ends: frozenset[int]
) -> int:
    """Completions that stopped on a token that ends none: a stop string did it.

    Only where token ids are stored as they were drawn, and the end tokens are known.
    """
    found = 0
    for problem_id in problem_ids if ends else ():
        rows = db.execute(
            "SELECT substr(t.ids, -4) FROM completion c JOIN token_data t ON t.completion_id = c.id"
            " WHERE c.arm_id = ? AND c.problem_id = ? AND c.sample_index < ?"
            " AND c.finish = 'stop' AND t.exact = 1 AND length(t.ids) >= 4",
            (arm_id, problem_id, PER_PROBLEM),
        )
        found += sum(int(unpack_ints(last)[0]) not in ends for (last,) in rows)
    return found

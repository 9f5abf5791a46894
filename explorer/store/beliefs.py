"""The prior of an arm's p on a problem: fitted to the arm's other problems of the dataset.

Invariant: the problem itself is left out, so that its samples are not counted twice, and a prior
does not move while that problem is sampled.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Final, NamedTuple

from explorer.core.belief import FEWEST, UNIFORM, Prior, fit_prior

LEAST_PROBLEMS: Final = 10
"""Fewer others than these say too little: then the prior is uniform (`core.belief.fit_prior`)."""


class FittedPrior(NamedTuple):
    """A prior and how many other problems stand behind it; 0 where it is uniform."""

    prior: Prior
    problems: int

    def label(self) -> str:
        """`fitted to 39 other problems`, `uniform`."""
        return f"fitted to {self.problems:,} other problems" if self.problems else "uniform"


def prior_of(db: sqlite3.Connection, arm_id: int, problem_id: int) -> FittedPrior:
    """The prior of an arm on a problem."""
    rows = db.execute(
        "SELECT t.correct, t.correct + t.wrong + t.undecided AS n FROM problem one"
        " JOIN problem p ON p.dataset = one.dataset AND p.id != one.id"
        " JOIN tally t ON t.problem_id = p.id AND t.arm_id = ?"
        " WHERE one.id = ? AND n >= ? ORDER BY t.correct, n",
        (arm_id, problem_id, FEWEST),
    ).fetchall()
    if len(rows) < LEAST_PROBLEMS:
        return FittedPrior(UNIFORM, 0)
    return FittedPrior(_fitted(tuple(rows)), len(rows))


@lru_cache(maxsize=64)
def _fitted(tallies: tuple[tuple[int, int], ...]) -> Prior:
    """Kept, because a screen asks for it with each batch that is stored of its problem."""
    return fit_prior([c for c, _ in tallies], [n for _, n in tallies])

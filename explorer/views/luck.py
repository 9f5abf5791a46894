"""'Was it luck?' for a problem and for a dataset: reviewed reasoning, and guessing without any.

Invariant: it speaks of the same arms and ks as the report that it stands in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.store import queries
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmColumn
from explorer.views.cot import CotCell, CotMean, cot_means, read_cells
from explorer.views.guesses import Guess, GuessEffect, guess_arm, guess_effect, guess_of


@dataclass(frozen=True, slots=True)
class ArmCot:
    """A model's counts of sound reasoning on one problem."""

    column: ArmColumn
    cells: tuple[CotCell, ...]


@dataclass(frozen=True, slots=True)
class ProblemLuck:
    """What was reviewed and guessed on one problem; empty where nothing was."""

    ks: tuple[int, ...] = ()
    cot: tuple[ArmCot, ...] = ()
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmMeans:
    """A model's mean CoT-pass@k, by voice."""

    column: ArmColumn
    means: tuple[CotMean, ...]


@dataclass(frozen=True, slots=True)
class SetLuck:
    """What was reviewed and guessed on a dataset; empty where nothing was."""

    ks: tuple[int, ...] = ()
    cot: tuple[ArmMeans, ...] = ()
    guesses: tuple[GuessEffect, ...] = ()


NO_LUCK: Final = ProblemLuck()
NO_SET_LUCK: Final = SetLuck()
"""What a problem and a dataset have before anything was reviewed or guessed."""


def read_problem_luck(
    db: sqlite3.Connection,
    columns: Sequence[ArmColumn],
    problem_id: int,
    tallies: Mapping[int, Tally],
    ks: Sequence[int],
) -> ProblemLuck:
    """Read it for one problem; `tallies` are by arm id."""
    shown = [column for column in columns if column.arm is not None]
    by_cell = {(arm_id, problem_id): tally for arm_id, tally in tallies.items()}
    cells = read_cells(db, [column.arm_id for column in shown], [problem_id], by_cell)
    cot = tuple(
        ArmCot(column, cells[column.arm_id, problem_id])
        for column in shown
        if (column.arm_id, problem_id) in cells
    )
    arms = queries.arms(db)
    sizes = {arm_id: tally.completions for arm_id, tally in tallies.items()}
    guesses = []
    for column in columns:
        arm = guess_arm(column, arms, sizes)
        found = guess_of(arm, tallies[arm.id], ks) if arm is not None else None
        if found is not None:
            guesses.append(found)
    return ProblemLuck(tuple(ks), cot, tuple(guesses))


def read_set_luck(
    db: sqlite3.Connection,
    columns: Sequence[ArmColumn],
    rows: Sequence[ProblemRow],
    tallies: Mapping[tuple[int, int], Tally],
    ks: Sequence[int],
) -> SetLuck:
    """Read it for the problems of a report; `tallies` are by (arm id, problem id)."""
    shown = [column for column in columns if column.arm is not None]
    ids = [row.id for row in rows]
    cells = read_cells(db, [column.arm_id for column in shown], ids, tallies)
    cot = []
    for column in shown:
        own = {one: cells[column.arm_id, one] for one in ids if (column.arm_id, one) in cells}
        counts = {
            one: tally for one in ids if (tally := tallies.get((column.arm_id, one))) is not None
        }
        if own:
            cot.append(ArmMeans(column, cot_means(own, counts, ks)))
    arms = queries.arms(db)
    wanted = set(ids)
    sizes: dict[int, int] = {}
    for (arm_id, problem_id), tally in tallies.items():
        if problem_id in wanted:
            sizes[arm_id] = sizes.get(arm_id, 0) + tally.completions
    guesses = []
    for column in columns:
        arm = guess_arm(column, arms, sizes)
        effect = guess_effect(column, arm, rows, tallies, ks) if arm is not None else None
        if effect is not None:
            guesses.append(effect)
    return SetLuck(tuple(ks), tuple(cot), tuple(guesses))

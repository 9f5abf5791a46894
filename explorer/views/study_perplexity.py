"""Perplexities over a set, as boxes: who read what, and how many completions that rests on.

exp(−mean log-probability) of the response tokens, raw (temperature 1). The paper's figure 6 asks
whether what the RL model writes was already likely under base: base on base, base on RL, RL on RL,
base on distilled. Invariant: a model's reading of its own samples is the one stored while drawing
them, where there is one; boxes of one table are over the same problems, those that all have.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explorer.core.boxes import Box, box
from explorer.store.study import PER_PROBLEM, MeanLogprob, mean_logprobs_of
from explorer.views.arms import ArmColumn
from explorer.views.text import one_line


@dataclass(frozen=True, slots=True)
class PerplexityLine:
    """One box.

    Attributes:
        reader, writer: whose probabilities, and whose samples.
        box: of the completions; `typical` is of the problems, the median completion of each.
    """

    reader: ArmColumn
    writer: ArmColumn
    box: Box
    typical: Box

    @property
    def label(self) -> str:
        """`base on rl`, `rl on itself`."""
        itself = self.reader is self.writer
        writer = "itself" if itself else one_line(self.writer.name, 24)
        return f"{one_line(self.reader.name, 24)} on {writer}"


@dataclass(frozen=True, slots=True)
class Perplexities:
    """All boxes, and the problems that they are over.

    Attributes:
        left_out: problems of the selection that some box knows nothing of.
        unscored: writers that their base has not scored a completion of.
    """

    lines: tuple[PerplexityLine, ...]
    problems: int
    left_out: int
    unscored: tuple[str, ...]
    per_problem: int = PER_PROBLEM


def read_perplexities(
    db: sqlite3.Connection, columns: Sequence[ArmColumn], problem_ids: Sequence[int]
) -> Perplexities:
    """The boxes of the arms shown over these problems."""
    drawn = [column for column in columns if column.arm is not None]
    found = mean_logprobs_of(db, [column.arm_id for column in drawn], problem_ids)
    return perplexities(drawn, problem_ids, found)


def perplexities(
    columns: Sequence[ArmColumn], problem_ids: Sequence[int], found: Sequence[MeanLogprob]
) -> Perplexities:
    """The boxes, from mean log-probabilities."""
    known: dict[tuple[int, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        known[one.arm_id, one.scorer][one.problem_id].append(one.value)
    by_name = {column.name: column for column in columns}
    wanted: list[tuple[ArmColumn, ArmColumn, dict[int, list[float]]]] = []
    unscored = []
    for writer in columns:
        base = by_name.get(writer.model.base or writer.name)
        own = known.get((writer.arm_id, "")) or known.get((writer.arm_id, writer.model.name))
        if base is not None and base is not writer:
            read = known.get((writer.arm_id, base.name))
            if read:
                wanted.append((base, writer, read))
            elif own:
                unscored.append(one_line(writer.name, 24))
        if own and writer.role != "distilled":
            wanted.append((writer, writer, own))
    wanted.sort(key=lambda pair: (pair[0].role != "base", pair[1].role != "base"))
    shared = [one for one in problem_ids if all(one in cells for _, _, cells in wanted)]
    lines = [_line(reader, writer, cells, shared) for reader, writer, cells in wanted]
    left_out = len(problem_ids) - len(shared) if wanted else 0
    return Perplexities(tuple(lines), len(shared) if wanted else 0, left_out, tuple(unscored))


def _line(
    reader: ArmColumn, writer: ArmColumn, cells: dict[int, list[float]], shared: Sequence[int]
) -> PerplexityLine:
    each = [np.exp(-np.asarray(cells[one])) for one in shared]
    every = np.concatenate(each) if each else np.zeros(0)
    return PerplexityLine(reader, writer, box(every), box([float(np.median(one)) for one in each]))

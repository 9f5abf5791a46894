"""The 2×2 of a list: what the base solves and what the model compared solves, with n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.core.coverage import CoverageCounts, count_classes
from explorer.views.arms import ArmChoice
from explorer.views.problem_list import ProblemLine
from explorer.views.text import one_line


@dataclass(frozen=True, slots=True)
class CoverageTable:
    """The 2×2 and what it rests on.

    Attributes:
        base, other: names of the models compared.
        marker, colour: how the other one is marked everywhere.
        unsampled: problems of the list that one of the two was not sampled on.
        n_least, n_most: graded samples per problem and model, over the problems counted.
    """

    base: str
    other: str
    marker: str
    colour: str
    counts: CoverageCounts
    unsampled: int
    n_least: int
    n_most: int

    @property
    def n_label(self) -> str:
        """`n 64`, or `n 32–256`."""
        if self.n_least == self.n_most:
            return f"n {self.n_most}"
        return f"n {self.n_least}–{self.n_most}"


def coverage_table(lines: Sequence[ProblemLine], choice: ArmChoice) -> CoverageTable | None:
    """The 2×2 of the lines; None while no base and other model are shown together."""
    pair = choice.pair()
    if pair is None:
        return None
    base, other = pair
    counted = [line for line in lines if line.coverage is not None]
    sizes = [line.cells[one].n for line in counted for one in pair]
    return CoverageTable(
        base=one_line(choice.columns[base].name),
        other=one_line(choice.columns[other].name),
        marker=choice.columns[other].mark.marker,
        colour=choice.columns[other].mark.colour,
        counts=count_classes(line.coverage for line in counted),
        unsampled=len(lines) - len(counted),
        n_least=min(sizes, default=0),
        n_most=max(sizes, default=0),
    )

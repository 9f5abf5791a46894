"""A whole set as the paper looks at one: gaps, coverage, histograms, groups, for any arms at once.

It stands on the `SetReport` that is printed, so that screen, text and figures say the same numbers.
Invariants: everything is computed from counts; pairs are sorted by Δ_SE, smallest (best) first, and
each says the k it was taken at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from explorer.core.coverage import Bin, Coverage, accuracy_histogram, classify
from explorer.core.intervals import bootstrap_mean
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmColumn
from explorer.views.problem_list import EMPTY
from explorer.views.report_tables import Comparison, SetReport, set_report
from explorer.views.text import one_line

Counts = Mapping[tuple[int, int], Tally]

MOST_GROUPS: Final = 40
"""A column with more different values than this groups nothing."""

STEPS: Final = (Coverage.SHRUNK, Coverage.EXPANDED, Coverage.PRESERVED, Coverage.OUT)
"""The cells of a 2×2 in the order in which they are listed: what was lost comes first."""


@dataclass(frozen=True, slots=True)
class Member:
    """A problem of a cell with its counts; `uncertain` while undecided samples could move it."""

    row: ProblemRow
    base: Tally
    other: Tally
    uncertain: bool


@dataclass(frozen=True, slots=True)
class StudyPair:
    """A model against its base, with the problems of each cell of the 2×2."""

    comparison: Comparison
    cells: Mapping[Coverage, tuple[Member, ...]]


@dataclass(frozen=True, slots=True)
class Histogram:
    """The paper's twelve accuracy bins of an arm, over the problems that it has samples of."""

    column: ArmColumn
    bins: tuple[Bin, ...]

    @property
    def problems(self) -> int:
        return sum(one.problems for one in self.bins)


@dataclass(frozen=True, slots=True)
class GroupCell:
    """Mean accuracy of an arm in a group, with its band; NaN without samples."""

    problems: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Group:
    """The problems that share a value of a column; cells in the order of the arms."""

    value: str
    problems: int
    cells: tuple[GroupCell, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Accuracy by a column; `columns` are those that could be chosen."""

    by: str
    groups: tuple[Group, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """What a set adds up to.

    Attributes:
        report: pass@k and comparisons, as `rlvr-explorer report` prints them.
        pairs: RL models sorted by Δ_SE, then others likewise; those without one come last.
        histograms: of the arms that have samples.
    """

    report: SetReport
    pairs: tuple[StudyPair, ...]
    histograms: tuple[Histogram, ...]
    grouping: Grouping
    rows: tuple[ProblemRow, ...]

    @property
    def columns(self) -> tuple[ArmColumn, ...]:
        return tuple(line.column for line in self.report.arms)

    @property
    def drawn(self) -> tuple[ArmColumn, ...]:
        """The arms that have graded samples here."""
        return tuple(line.column for line in self.report.arms if line.problems)


def study(
    report: SetReport, rows: Sequence[ProblemRow], tallies: Counts, group_by: str = ""
) -> Study:
    """The study of these problems, `report` being their report; '' groups by the first column."""
    pairs = [_pair(one, rows, tallies) for one in report.comparisons]
    pairs.sort(key=_by_gap)
    drawn = [line.column for line in report.arms if line.problems]
    histograms = tuple(_histogram(column, rows, tallies) for column in drawn)
    return Study(
        report, tuple(pairs), histograms, grouping(drawn, rows, tallies, group_by), tuple(rows)
    )


def study_of(
    dataset: str,
    rows: Sequence[ProblemRow],
    columns: Sequence[ArmColumn],
    tallies: Counts,
    group_by: str = "",
) -> Study:
    """The study with its report, from counts alone."""
    return study(set_report(dataset, rows, columns, tallies), rows, tallies, group_by)


def grouping(
    columns: Sequence[ArmColumn], rows: Sequence[ProblemRow], tallies: Counts, by: str = ""
) -> Grouping:
    """Mean accuracy of each arm in each group of a column, in natural order of its values."""
    known = group_columns(rows)
    chosen = by or next(iter(known), "")
    members: dict[str, list[ProblemRow]] = {}
    for row in rows:
        if chosen and (value := _value(row, chosen)):
            members.setdefault(value, []).append(row)
    groups = [
        Group(one_line(value, 40), len(group), _group_cells(columns, group, tallies))
        for value, group in sorted(members.items(), key=lambda item: _in_order(item[0]))
    ]
    return Grouping(chosen, tuple(groups[:MOST_GROUPS]), known)


def group_columns(rows: Sequence[ProblemRow]) -> tuple[str, ...]:
    """Columns with between 2 and `MOST_GROUPS` values: family and level, then the dataset's own."""
    names = dict.fromkeys(["family", "level", "note", "verifier"])
    for row in rows:
        names.update(dict.fromkeys(row.problem.extra))
    known = []
    for name in names:
        values = {value for row in rows if (value := _value(row, name))}
        if 2 <= len(values) <= MOST_GROUPS:
            known.append(name)
    return tuple(known)


def _by_gap(pair: StudyPair) -> tuple[bool, bool, float]:
    gap = pair.comparison.gap
    return pair.comparison.other.role != "rl", math.isnan(gap), gap


def _value(row: ProblemRow, column: str) -> str:
    if column in ("family", "level", "note", "verifier"):
        return str(getattr(row.problem, column)).strip()
    value = row.problem.extra.get(column)
    return str(value).strip() if isinstance(value, str | int | float | bool) else ""


def _in_order(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, value


def _group_cells(
    columns: Sequence[ArmColumn], rows: Sequence[ProblemRow], tallies: Counts
) -> tuple[GroupCell, ...]:
    """The cells of a group; arms that have all of its problems are resampled together."""
    rates = np.array(
        [
            [one.correct / one.n if one.n else math.nan for one in cells]
            for row in rows
            for cells in [[tallies.get((column.arm_id, row.id), EMPTY) for column in columns]]
        ]
    )
    known = ~np.isnan(rates)
    whole = known.all(axis=0)
    band = bootstrap_mean(rates[:, whole])
    ends = iter(zip(band.lower.tolist(), band.upper.tolist(), strict=True))
    cells = []
    for place in range(len(columns)):
        own = rates[known[:, place], place]
        if not len(own):
            cells.append(GroupCell(0, math.nan, math.nan, math.nan))
            continue
        if whole[place]:
            lower, upper = next(ends)
        else:
            alone = bootstrap_mean(own[:, None])
            lower, upper = float(alone.lower[0]), float(alone.upper[0])
        cells.append(GroupCell(len(own), float(own.mean()), lower, upper))
    return tuple(cells)


def _histogram(column: ArmColumn, rows: Sequence[ProblemRow], tallies: Counts) -> Histogram:
    counts = [tallies.get((column.arm_id, row.id), EMPTY) for row in rows]
    bins = accuracy_histogram([one.correct for one in counts], [one.n for one in counts])
    return Histogram(column, tuple(bins))


def _pair(comparison: Comparison, rows: Sequence[ProblemRow], tallies: Counts) -> StudyPair:
    cells: dict[Coverage, list[Member]] = {step: [] for step in STEPS}
    for row in rows:
        base = tallies.get((comparison.base.arm_id, row.id), EMPTY)
        other = tallies.get((comparison.other.arm_id, row.id), EMPTY)
        found = classify(base, other)
        if found is not None:
            cells[found.coverage].append(Member(row, base, other, found.uncertain))
    return StudyPair(comparison, {step: tuple(members) for step, members in cells.items()})

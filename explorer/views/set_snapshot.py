"""What the Problems screen reads: the list under a filter, then its curves and 2×2.

The list is yielded before the curves, whose bootstrap takes longer. Invariant: problems are read
again only when problems changed, tallies only when counts changed; typing a filter reads nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from explorer.settings import Settings
from explorer.store import queries
from explorer.store.revisions import Topic
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmChoice, ArmPick, choose
from explorer.views.coverage import CoverageTable, coverage_table
from explorer.views.crossing import Crossing, crossing
from explorer.views.curves import CurveSet, set_curves
from explorer.views.filter import Filter, FilterError, ModelName, parse
from explorer.views.problem_list import (
    Order,
    ProblemLine,
    SetCounts,
    build_lines,
    count_lines,
    sort_lines,
)
from explorer.views.text import one_line


@dataclass(frozen=True, slots=True)
class SetList:
    """The list as it is shown.

    Attributes:
        datasets: all that have problems; `dataset` is the one shown, '' if there is none.
        lines: those that pass the filter, in order.
        filter_error: why the filter was not applied; the lines are then unfiltered.
    """

    datasets: tuple[str, ...]
    dataset: str
    choice: ArmChoice
    lines: Sequence[ProblemLine]
    order: Order
    filter_text: str
    filter_error: FilterError | None
    counts: SetCounts


@dataclass(frozen=True, slots=True)
class SetPanel:
    """What is beneath the list: curves, 2×2 and crossing of the lines shown."""

    curves: CurveSet
    coverage: CoverageTable | None
    filtered: bool
    crossing: Crossing | None = None


class SetCache:
    """What was read already; used on the reading thread only."""

    def __init__(self) -> None:
        self.problems: tuple[int, str, list[ProblemRow]] = (-1, "", [])
        self.tallies: tuple[tuple[int, int], dict[tuple[int, int], Tally]] = ((-1, -1), {})
        self.lines: tuple[object, ArmChoice | None, list[ProblemLine]] = (None, None, [])


@dataclass(frozen=True, eq=False)
class SetSubject:
    """Watch a dataset through a filter.

    Attributes:
        dataset: its name, or that of a problem in it (`dataset/name`); '' means the first one.
        cache: shared by successive subjects of one screen.
    """

    settings: Settings
    cache: SetCache
    dataset: str = ""
    pick: ArmPick = field(default_factory=ArmPick)
    filter_text: str = ""
    order: Order = field(default_factory=Order)
    panel: bool = True

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.PROBLEMS.value, Topic.COUNTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        datasets = tuple(queries.datasets(db))
        dataset = _dataset_of(self.dataset, datasets)
        choice, lines = self._lines(db, revisions, dataset)
        wanted, error = self._filter(choice)
        shown = sort_lines(wanted.select(lines), self.order, choice)
        counts = count_lines(len(lines), shown)
        yield SetList(datasets, dataset, choice, shown, self.order, self.filter_text, error, counts)
        if self.panel:
            yield SetPanel(
                set_curves(choice.columns, shown),
                coverage_table(shown, choice),
                filtered=bool(wanted.tests),
                crossing=_crossing(choice, shown),
            )

    def _filter(self, choice: ArmChoice) -> tuple[Filter, FilterError | None]:
        try:
            return parse(self.filter_text, model_names(choice)), None
        except FilterError as error:
            return Filter("", ()), error

    def _lines(
        self, db: sqlite3.Connection, revisions: Mapping[str, int], dataset: str
    ) -> tuple[ArmChoice, list[ProblemLine]]:
        cache = self.cache
        problems, counts = revisions[Topic.PROBLEMS.value], revisions[Topic.COUNTS.value]
        if cache.problems[:2] != (problems, dataset):
            cache.problems = (problems, dataset, queries.problems(db, dataset))
        if cache.tallies[0] != (problems, counts):
            cache.tallies = ((problems, counts), queries.tallies(db))
        key = (problems, counts, dataset, self.pick)
        if cache.lines[0] != key or cache.lines[1] is None:
            tallies = cache.tallies[1]
            sizes = queries.arm_sizes(db, dataset)
            choice = choose(queries.arms(db), queries.models(db), sizes, self.settings, self.pick)
            cache.lines = (key, choice, build_lines(cache.problems[2], tallies, choice))
        assert cache.lines[1] is not None
        return cache.lines[1], cache.lines[2]


def _crossing(choice: ArmChoice, lines: Sequence[ProblemLine]) -> Crossing | None:
    pair = choice.pair()
    if pair is None:
        return None
    base, other = (one_line(choice.columns[position].name, limit=24) for position in pair)
    return crossing(base, other, [(line.cells[pair[0]], line.cells[pair[1]]) for line in lines])


def _dataset_of(wanted: str, datasets: Sequence[str]) -> str:
    """The dataset of that name, or of the problem `dataset/name`; else the first there is."""
    fitting = [name for name in datasets if f"{wanted}/".startswith(f"{name}/")]
    return max(fitting, key=len) if fitting else next(iter(datasets), "")


def model_names(choice: ArmChoice) -> list[ModelName]:
    """The names that a filter may use, in the order of `ProblemLine.cells`."""
    return [ModelName(column.name, column.role) for column in choice.columns]

"""The lines of the Study screen's list: a part's table, its notes, and what lies beneath them.

Invariant: a line is made from its number and the width alone, so that the list can draw any of them
at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from explorer.tui.render.cells import wrap
from explorer.tui.render.study_rows import (
    box_tail,
    cell_heading,
    gap_tail,
    has_histogram_tail,
    histogram_tail,
    layout,
    member_row,
    row,
    small_histograms,
)
from explorer.tui.widgets.line import Pieces
from explorer.views.study_grids import (
    Grid,
    answers_grid,
    coverage_grid,
    difference_grid,
    gap_grid,
    group_grid,
    histogram_grid,
    pass_grid,
    perplexity_grid,
    series_grid,
)
from explorer.views.study_snapshot import Part, Section, StudyView

if TYPE_CHECKING:
    from explorer.views.diversity import Diversity
    from explorer.views.study_perplexity import Perplexities
    from explorer.views.study_series import Series


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list: how it is drawn, and what it stands for.

    Attributes:
        problem_id: the problem that it opens.
        pair: the pair that it chooses, −1 for none.
        arm: the arm whose curve is looked at while the cursor is here.
    """

    draw: Callable[[int], Pieces]
    problem_id: int = 0
    pair: int = -1
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the list is about.

    Attributes:
        part: what only this section needs, None while it is read.
        skip: columns that are left out at the left of a table that does not fit.
        pair: number of the pair whose problems are listed.
    """

    section: Section
    view: StudyView
    part: Part | None
    skip: int = 0
    pair: int = 0


def grid_of(shown: Shown) -> Grid | None:
    """The table of the section, None while what it needs is being read."""
    found = shown.view.study
    plain = {
        Section.CURVES: pass_grid,
        Section.GAPS: gap_grid,
        Section.COVERAGE: coverage_grid,
        Section.HISTOGRAM: histogram_grid,
        Section.GROUPS: group_grid,
    }
    if shown.section in plain:
        return plain[shown.section](found)
    if shown.part is None:
        return None
    if shown.section is Section.PERPLEXITY:
        return perplexity_grid(cast("Perplexities", shown.part))
    if shown.section is Section.SERIES:
        return series_grid(cast("Series", shown.part), found.columns)
    return answers_grid(cast("Diversity", shown.part))


def lines_of_study(shown: Shown, grid: Grid, width: int) -> list[Entry]:
    """All lines of the list."""
    choosing = shown.section is Section.COVERAGE
    entries = [
        Entry(
            _line(shown, grid, place),
            pair=place if choosing else -1,
            arm=_arm_of(shown, place),
        )
        for place in range(len(grid.rows))
    ]
    entries += [_said(line) for note in grid.notes for line in wrap(note, width - 3)]
    if shown.section is Section.CURVES:
        entries += _differences(shown)
    elif shown.section is Section.HISTOGRAM and grid.rows:
        entries += _small(shown, grid, width)
    elif choosing:
        entries += _members(shown)
    return entries


def _arm_of(shown: Shown, place: int) -> str:
    """The arm of a row of the table of curves."""
    if shown.section is not Section.CURVES:
        return ""
    from explorer.views.text import one_line

    return one_line(shown.view.study.drawn[place].name, limit=24)


def _differences(shown: Shown) -> list[Entry]:
    from explorer.views.text import one_line

    others = difference_grid(shown.view.study)
    if not others.rows:
        return []
    pairs = [pair.comparison for pair in shown.view.study.pairs if pair.comparison.problems]
    names = [one_line(pair.other.name, limit=24) for pair in pairs]
    return [
        _said(""),
        _said(others.title, "strong bold"),
        *(
            Entry(_line(shown, others, place), arm=name)
            for place, name in zip(range(len(others.rows)), names, strict=True)
        ),
    ]


def _small(shown: Shown, grid: Grid, width: int) -> list[Entry]:
    """Histograms of a row each, where their bars have no room beside the numbers."""
    study, how = shown.view.study, layout(grid, width)
    if not how.cut and has_histogram_tail(study, how.tail):
        return []
    title = "Share of each arm's problems, one scale"
    rows = [Entry(lambda _, one=one: one) for one in small_histograms(study)]  # type: ignore[misc]
    return [_said(""), _said(title, "strong bold"), *rows]


def _members(shown: Shown) -> list[Entry]:
    """The problems of each cell of the chosen model's 2×2."""
    pairs = [pair for pair in shown.view.study.pairs if pair.comparison.problems]
    if not pairs:
        return []
    pair = pairs[min(shown.pair, len(pairs) - 1)]
    entries: list[Entry] = []
    for coverage, members in pair.cells.items():
        letter, count = coverage.value, len(members)
        entries += [_said("")]
        entries.append(
            Entry(lambda width, a=letter, b=count: cell_heading(pair, a, b, width))  # type: ignore[misc]
        )
        entries += [
            Entry(lambda width, one=member: member_row(one, width), problem_id=member.row.id)  # type: ignore[misc]
            for member in members
        ]
    return entries


def _line(shown: Shown, grid: Grid, number: int) -> Callable[[int], Pieces]:
    def draw(width: int) -> Pieces:
        how = layout(grid, width, shown.skip)
        pieces = list(row(grid, how, number))
        if how.cut:
            return pieces
        if shown.section is Section.HISTOGRAM:
            return [*pieces, *histogram_tail(shown.view.study, number, how.tail)]
        if shown.section is Section.GAPS:
            return [*pieces, *gap_tail(shown.view.study, number, how.tail)]
        if shown.section is Section.PERPLEXITY and shown.part is not None:
            return [*pieces, *box_tail(cast("Perplexities", shown.part), number, how.tail)]
        return pieces

    return draw


def _said(text: str, colour: str = "faint") -> Entry:
    return Entry(lambda _width: [(text, colour)])

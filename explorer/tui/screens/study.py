"""The study of a whole set: curves, gaps, coverage, histogram, perplexity, series, answers, groups.

Invariant: it shows the problems and arms of the list that it was opened from, through a filter of
its own; every table is the one that `rlvr-explorer report --study` prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from explorer.tui.keys import APP, GO, VIEW
from explorer.tui.render.cells import wrap
from explorer.tui.render.study_rows import (
    box_tail,
    cell_heading,
    gap_tail,
    heading,
    histogram_tail,
    layout,
    member_row,
    row,
)
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.filter_bar import FilterBar
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.pick_list import PickList
from explorer.views.numbers import plural
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
from explorer.views.study_snapshot import Part, Section, StudyCache, StudySubject, StudyView

if TYPE_CHECKING:
    from explorer.views.diversity import Diversity
    from explorer.views.set_snapshot import SetSubject
    from explorer.views.study_perplexity import Perplexities
    from explorer.views.study_series import Series

SECTIONS = tuple(Section)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list: how it is drawn, the problem it opens, or the pair that it chooses."""

    draw: Callable[[int], Pieces]
    problem_id: int = 0
    pair: int = -1


class StudyScreen(FrameScreen):
    """A set through the paper's eyes.

    Args:
        listed: the dataset, arms and filter that it starts with.
    """

    AUTO_FOCUS = "PickList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,n", "section(1)", "Next part", key_display="tab", id="study.next", group=VIEW,
                tooltip="Go to the next part; 1 to 8 go straight there"),
        Binding("shift+tab,p", "section(-1)", "Previous part", show=False, id="study.previous",
                group=VIEW, tooltip="Go to the part before"),
        *(Binding(str(place + 1), f"part({place})", part.value.capitalize(), show=False,
                  id=f"study.part{place + 1}", group=VIEW, tooltip=f"Show {part.value}")
          for place, part in enumerate(SECTIONS)),
        Binding("slash", "filter", "Filter", id="study.filter", group=VIEW,
                tooltip="Study only some problems: class:S base<5% rl>0.5 family:trees"),
        Binding("c", "choose", "Choose", id="study.choose", group=VIEW,
                tooltip="Choose the column of the groups, or the field of the series"),
        Binding("m", "model", "Model", show=False, id="study.model", group=GO,
                tooltip="List the problems of the next model's coverage"),
        Binding("q,backspace,escape", "back", "Back", id="screen.back", group=APP,
                tooltip="Clear the filter, or go back to the problems"),
    ]  # fmt: skip

    def __init__(self, listed: SetSubject) -> None:
        super().__init__()
        self.listed = replace(listed, panel=False)
        self.cache = StudyCache(listed.cache)
        self.section = Section.CURVES
        self.view: StudyView | None = None
        self.parts: dict[str, Part] = {}
        self.entries: list[Entry] = []
        self.grid: Grid | None = None
        self.pair = 0
        self.group_by = ""
        self.x_field = ""
        self._opened_with = listed.filter_text
        self.trail = [("  Study", "strong")]

    def compose_body(self) -> ComposeResult:
        yield Line(id="study-parts")
        yield CurveChart(id="study-chart")
        yield Line(id="study-title")
        yield Line(id="study-heading")
        yield PickList(widget_id="study-list")
        yield FilterBar(id="filter")

    def watch_cache(self) -> None:
        subject = StudySubject(self.listed, self.cache, self.section, self.group_by, self.x_field)
        self.explorer.reader.watch(self, "study", subject)

    def take(self, key: str, value: object) -> None:
        if key != "study":
            return
        if isinstance(value, StudyView):
            self.view = value
            shown = value.shown
            trail = [("  Study", "strong"), (f"  {shown.dataset}", "text")]
            self.set_trail([*trail, (f"  {shown.choice.sampling.label()}", "muted")])
            bar = self.query_one(FilterBar)
            bar.show_state(shown.filter_text, shown.filter_error, shown.counts)
            self.query_one(CurveChart).show(value.curves)
        else:
            self.parts[_section_of(value)] = cast("Part", value)
        self._show(keep=True)

    def _show(self, keep: bool = False) -> None:
        chart = self.query_one(CurveChart)
        chart.display = self.section is Section.CURVES and self.size.height >= 20
        tabs: list[tuple[str, str]] = []
        roomy = self.size.width >= 100
        for place, part in enumerate(SECTIONS):
            here = part is self.section
            text = f"{place + 1} {part.value}" if here or roomy else part.value
            tabs.append((text, "accent bold" if here else "muted"))
            tabs.append(("  ", "muted"))
        self.query_one("#study-parts", Line).say(tabs)
        if self.view is None:
            return
        self.grid = self._grid()
        pick = self.query_one(PickList)
        width = pick.size.width or self.size.width
        title = self.grid.title if self.grid else "reading …"
        self.query_one("#study-title", Line).say([(title, "strong bold")])
        self.entries = self._entries(width)
        pick.show(len(self.entries), self._draw, "There is nothing here yet.", keep=keep)
        how = layout(self.grid, width) if self.grid and self.grid.rows else None
        line = heading(self.grid, how) if self.grid and how else ()
        self.query_one("#study-heading", Line).say(line)
        counts = self.view.shown.counts
        self.say_status([(counts.sentence(), "muted")], [(self._rests_on(), "muted")])

    def _rests_on(self) -> str:
        curves = self.view.curves if self.view else None
        if self.section is not Section.CURVES or curves is None:
            return ""
        left = f", {curves.left_out} sampled too little" if curves.left_out else ""
        return f"curves: {plural(curves.problems, 'problem')}{left}"

    def _grid(self) -> Grid | None:
        assert self.view is not None
        found = self.view.study
        plain = {
            Section.CURVES: pass_grid,
            Section.GAPS: gap_grid,
            Section.COVERAGE: coverage_grid,
            Section.HISTOGRAM: histogram_grid,
            Section.GROUPS: group_grid,
        }
        if self.section in plain:
            return plain[self.section](found)
        part = self.parts.get(self.section)
        if part is None:
            return None
        if self.section is Section.PERPLEXITY:
            return perplexity_grid(cast("Perplexities", part))
        if self.section is Section.SERIES:
            return series_grid(cast("Series", part))
        return answers_grid(cast("Diversity", part))

    def _entries(self, width: int) -> list[Entry]:
        grid, view = self.grid, self.view
        if grid is None or view is None:
            return []
        choosing = self.section is Section.COVERAGE
        entries = [
            Entry(self._line(grid, place), pair=place if choosing else -1)
            for place in range(len(grid.rows))
        ]
        entries += [_said(line) for note in grid.notes for line in wrap(note, width - 3)]
        if self.section is Section.CURVES:
            others = difference_grid(view.study)
            if others.rows:
                entries += [_said(""), _said(others.title, "strong bold")]
                entries += [Entry(self._line(others, place)) for place in range(len(others.rows))]
        if choosing:
            entries += self._members()
        return entries

    def _members(self) -> list[Entry]:
        """The problems of each cell of the chosen model's 2×2."""
        assert self.view is not None
        pairs = [pair for pair in self.view.study.pairs if pair.comparison.problems]
        if not pairs:
            return []
        pair = pairs[min(self.pair, len(pairs) - 1)]
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

    def _line(self, grid: Grid, number: int) -> Callable[[int], Pieces]:
        def draw(width: int) -> Pieces:
            how = layout(grid, width)
            pieces = list(row(grid, how, number))
            if self.view is None or how.cut:
                return pieces
            if self.section is Section.HISTOGRAM:
                return [*pieces, *histogram_tail(self.view.study, number, how.tail)]
            if self.section is Section.GAPS:
                return [*pieces, *gap_tail(self.view.study, number, how.tail)]
            if self.section is Section.PERPLEXITY:
                part = cast("Perplexities", self.parts[self.section])
                return [*pieces, *box_tail(part, number, how.tail)]
            return pieces

        return draw

    def _draw(self, number: int, width: int) -> Pieces:
        return self.entries[number].draw(width)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show, keep=True)

    def on_pick_list_opened(self, event: PickList.Opened) -> None:
        from explorer.tui.screens.problem import ProblemScreen

        entry = self.entries[event.row]
        if entry.pair >= 0:
            self.pair = entry.pair
            self._show(keep=True)
        elif entry.problem_id:
            ids = tuple(one.problem_id for one in self.entries if one.problem_id)
            settings, pick = self.listed.settings, self.listed.pick
            self.app.push_screen(ProblemScreen(settings, entry.problem_id, ids, pick))

    def action_section(self, step: int) -> None:
        self.action_part((SECTIONS.index(self.section) + step) % len(SECTIONS))

    def action_part(self, place: int) -> None:
        self.section = SECTIONS[place]
        self._show()
        self.watch_cache()

    def action_model(self) -> None:
        if self.view is not None and self.view.study.pairs:
            self.pair = (self.pair + 1) % len(self.view.study.pairs)
            self.action_part(SECTIONS.index(Section.COVERAGE))

    def action_choose(self) -> None:
        """The column of the groups or the field of the series, whichever is shown."""
        from explorer.tui.screens.choose import ChooseScreen
        from explorer.views.text import one_line

        if self.view is None:
            return
        by_field = self.section is Section.SERIES
        known = self.view.study.grouping.columns
        if by_field:
            part = self.parts.get(Section.SERIES)
            known = cast("Series", part).fields if part is not None else ()
        if not known:
            self.notify("There is nothing to choose from here.", markup=False)
            return

        def chosen(position: int | None) -> None:
            if position is None:
                return
            if by_field:
                self.x_field = known[position]
            else:
                self.group_by, self.section = known[position], Section.GROUPS
            self.watch_cache()

        title = "Series over" if by_field else "Accuracy by"
        self.app.push_screen(ChooseScreen(title, [one_line(name, 40) for name in known]), chosen)

    def action_filter(self) -> None:
        self.query_one(FilterBar).edit(self.listed.filter_text)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        if event.text != self.listed.filter_text:
            self.listed = replace(self.listed, filter_text=event.text)
            self.watch_cache()

    def on_filter_bar_closed(self) -> None:
        self.query_one(PickList).focus()

    def action_back(self) -> None:
        if self.listed.filter_text != self._opened_with:
            self.listed = replace(self.listed, filter_text=self._opened_with)
            self.watch_cache()
        else:
            super().action_back()


def _said(text: str, colour: str = "faint") -> Entry:
    return Entry(lambda _width: [(text, colour)])


def _section_of(part: object) -> Section:
    from explorer.views.study_perplexity import Perplexities
    from explorer.views.study_series import Series

    if isinstance(part, Perplexities):
        return Section.PERPLEXITY
    return Section.SERIES if isinstance(part, Series) else Section.ANSWERS

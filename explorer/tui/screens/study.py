"""The study of a whole set: curves, gaps, coverage, histogram, perplexity, series, answers, groups.

Invariant: it shows the problems and arms of the list that it was opened from, through a filter of
its own; every table is the one that `rlvr-explorer report --study` prints.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from explorer.tui.keys import APP, GO, SAMPLE, VIEW
from explorer.tui.render.study_lines import Entry, Shown, grid_of, lines_of_study
from explorer.tui.render.study_rows import Layout, heading, layout
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.filter_bar import FilterBar
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.pick_list import PickList
from explorer.views.numbers import plural
from explorer.views.study_grids import Grid
from explorer.views.study_snapshot import Part, Section, StudyCache, StudySubject, StudyView

if TYPE_CHECKING:
    from explorer.views.curves import CurveSet
    from explorer.views.series_plot import SeriesPlot
    from explorer.views.set_snapshot import SetSubject
    from explorer.views.study_series import Series

SECTIONS = tuple(Section)


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
        Binding("y", "statistic", "Statistic", show=False, id="study.statistic", group=VIEW,
                tooltip="Draw the series for another k, or for coverage"),
        Binding("less_than_sign", "columns(-1)", "Columns before", show=False, id="study.before",
                key_display="<", group=VIEW, tooltip="Columns that are out of sight at the left"),
        Binding("greater_than_sign", "columns(1)", "Columns after", show=False, id="study.after",
                key_display=">", group=VIEW, tooltip="Columns that are out of sight at the right"),
        Binding("m", "model", "Model", show=False, id="study.model", group=GO,
                tooltip="List the problems of the next model's coverage"),
        Binding("s", "sample", "Sample set", id="study.sample", group=SAMPLE,
                tooltip="Sample what is shown within a budget, where it changes the answer most"),
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
        self.skip = 0
        self.group_by = ""
        self.x_field = ""
        self.statistic = 1
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
        else:
            self.parts[_section_of(value)] = cast("Part", value)
        self._show(keep=True)

    def _show(self, keep: bool = False) -> None:
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
        shown = self._shown()
        self.grid = grid_of(shown)
        pick = self.query_one(PickList)
        width = pick.size.width or self.size.width
        title = self.grid.title if self.grid else "reading …"
        self.entries = lines_of_study(shown, self.grid, width) if self.grid else []
        pick.show(len(self.entries), self._draw, "There is nothing here yet.", keep=keep)
        how = self._layout()
        in_sight = [(self._columns_in_sight(how) or self._what_is_drawn(), "muted")]
        self.query_one("#study-title", Line).say([(title, "strong bold")], in_sight)
        line = heading(self.grid, how) if self.grid and how else ()
        self.query_one("#study-heading", Line).say(line)
        counts = self.view.shown.counts
        self.say_status([(counts.sentence(), "muted")], [(self._rests_on(), "muted")])
        self._show_chart()

    def _shown(self) -> Shown:
        assert self.view is not None
        part = self.parts.get(self.section)
        return Shown(self.section, self.view, part, self.skip, self.pair)

    def _layout(self) -> Layout | None:
        if self.grid is None or not self.grid.rows:
            return None
        pick = self.query_one(PickList)
        width = pick.scrollable_content_region.width or pick.size.width or self.size.width
        return layout(self.grid, width, self.skip)

    def _columns_in_sight(self, how: Layout | None) -> str:
        others = len(self.grid.headers) - 1 if self.grid else 0
        if how is None or not how.is_window:
            return ""
        return f"columns {how.columns[1]}–{how.columns[-1]} of {others}  < >"

    def _what_is_drawn(self) -> str:
        plot = self._plot()
        return f"drawn: {plot.statistic}  y c for others" if plot is not None and plot.lines else ""

    def _show_chart(self) -> None:
        """The curves, or the series of the chosen statistic; other parts have no chart."""
        drawn: CurveSet | SeriesPlot | None = None
        if self.section is Section.CURVES and self.view is not None:
            drawn = self.view.curves
        elif (plot := self._plot()) is not None and plot.lines:
            drawn = plot
        chart = self.query_one(CurveChart)
        chart.display = drawn is not None and self.size.height >= 20
        if drawn is not None:
            entry = self.entries[self.query_one(PickList).cursor] if self.entries else None
            chart.show(drawn, entry.arm if entry else "")

    def _plot(self) -> SeriesPlot | None:
        from explorer.views.series_plot import chosen_statistic, series_plot

        part = self.parts.get(Section.SERIES)
        if self.section is not Section.SERIES or part is None or self.view is None:
            return None
        found = cast("Series", part)
        known = {column.name: column.mark for column in self.view.study.columns}
        return series_plot(found, chosen_statistic(found, self.statistic), known)

    def _rests_on(self) -> str:
        curves = self.view.curves if self.view else None
        if self.section is not Section.CURVES or curves is None:
            return ""
        left = f", {curves.left_out} sampled too little" if curves.left_out else ""
        return f"curves: {plural(curves.problems, 'problem')}{left}"

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

    def on_pick_list_moved(self) -> None:
        self._show_chart()  # the arm under the cursor lies on top

    def action_section(self, step: int) -> None:
        self.action_part((SECTIONS.index(self.section) + step) % len(SECTIONS))

    def action_part(self, place: int) -> None:
        self.section, self.skip = SECTIONS[place], 0
        self._show()
        self.watch_cache()

    def action_columns(self, step: int) -> None:
        """Columns of a table that is wider than the screen."""
        how = self._layout()
        if how is None or not how.is_window or not (how.before if step < 0 else how.after):
            return
        in_sight = len(how.columns) - 1
        self.skip = how.columns[-1] if step > 0 else max(0, how.columns[1] - 1 - in_sight)
        self._show(keep=True)

    def action_model(self) -> None:
        if self.view is not None and self.view.study.pairs:
            self.pair = (self.pair + 1) % len(self.view.study.pairs)
            self.action_part(SECTIONS.index(Section.COVERAGE))

    def action_statistic(self) -> None:
        """What the series is drawn of."""
        from explorer.tui.screens.choose import ChooseScreen
        from explorer.views.study_series import statistic_name

        part = self.parts.get(Section.SERIES)
        known = cast("Series", part).statistics if part is not None else ()
        if self.section is not Section.SERIES or not known:
            self.notify("Only the series is drawn of one statistic.", markup=False)
            return

        def chosen(position: int | None) -> None:
            if position is not None:
                self.statistic = known[position]
                self._show(keep=True)

        names = [statistic_name(one) for one in known]
        self.app.push_screen(ChooseScreen("Draw the series of", names), chosen)

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

    def action_sample(self) -> None:
        from explorer.tui.screens.guide import offer

        offer(self.explorer, self.view)

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


def _section_of(part: object) -> Section:
    from explorer.views.study_perplexity import Perplexities
    from explorer.views.study_series import Series

    if isinstance(part, Perplexities):
        return Section.PERPLEXITY
    return Section.SERIES if isinstance(part, Series) else Section.ANSWERS

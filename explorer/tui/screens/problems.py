"""The home screen: a dataset's problems, how each arm does on them, and what that adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from explorer.errors import ExplorerError
from explorer.tui.keys import APP, GO, VIEW
from explorer.tui.render.parity_rows import parity_mark, parity_rows
from explorer.tui.screens.diversity import diversity_page
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.filter_bar import FilterBar
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.problem_table import ProblemTable
from explorer.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from explorer.settings import Settings
    from explorer.views.arms import ArmPick
    from explorer.views.diversity import Diversity
    from explorer.views.links import TraceLink
    from explorer.views.parity import Parity, ParitySubject
    from explorer.views.problem_list import Order
    from explorer.views.set_snapshot import SetCache, SetList, SetPanel

PANEL_FROM = 30
"""Height from which curves and 2×2 are shown without being asked for."""


class ProblemsScreen(FrameScreen):
    """The list, its filter and its order.

    Args:
        settings: the workspace.
        link: a problem to open once it is known, `name` or `dataset/name`.
    """

    AUTO_FOCUS = "ProblemTable"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="problems.filter", group=VIEW,
                tooltip="Show only some: class:S base<5% rl>0.5 family:trees"),
        Binding("o", "order", "Sort", id="problems.order", group=VIEW,
                tooltip="Sort by the next column"),
        Binding("O", "reverse", "Reverse", show=False, id="problems.reverse", group=VIEW,
                tooltip="Sort from the other end"),
        Binding("v", "panel", "Curves", id="problems.panel", group=VIEW,
                tooltip="Show or hide the set's pass@k curves and 2×2"),
        Binding("a", "settings", "Settings", id="problems.arms", group=VIEW,
                tooltip="Choose the sampling settings whose arms are shown"),
        Binding("A", "arms", "Arms", show=False, id="problems.stored", group=VIEW,
                tooltip="Show any stored arm, under settings of its own, beside the others"),
        Binding("e", "parity", "Parity", show=False, id="problems.parity", group=VIEW,
                tooltip="What differs between the arms besides their weights"),
        Binding("y", "diversity", "Diversity", show=False, id="problems.diversity", group=VIEW,
                tooltip="How varied each arm's answers are over the problems shown, and Cover@τ"),
        Binding("ctrl+f", "search", "Search", show=False, id="problems.search", group=GO,
                tooltip="Search the texts of all completions of the dataset"),
        Binding("S", "study", "Study", id="problems.study", group=GO,
                tooltip="The whole set: Δ_SE, crossing, coverage, histogram, perplexity, series"),
        Binding("d", "dataset", "Dataset", id="problems.dataset", group=GO,
                tooltip="Go to another dataset"),
        Binding("q,backspace,escape", "back", "Quit", id="screen.back", group=APP,
                tooltip="Clear the filter, or leave; sampling goes on"),
    ]  # fmt: skip

    def __init__(self, settings: Settings, link: str = "") -> None:
        super().__init__()
        self.settings = settings
        self.shown: SetList | None = None
        self.panel: SetPanel | None = None
        self.parity: Parity | None = None
        self.filter_text = ""
        self._link = link
        self._trace_link: TraceLink | None = None
        self._dataset = link  # the view finds the dataset in it
        self._pick: ArmPick | None = None
        self._order: Order | None = None
        self._cache: SetCache | None = None
        self._panel_wanted: bool | None = None
        self._parity_of: ParitySubject | None = None
        self.trail = [("  Problems", "strong")]

    def compose_body(self) -> ComposeResult:
        table = ProblemTable()
        yield table.header
        yield table
        yield Rows(id="message")
        with Vertical(id="panel"):
            yield Line(id="panel-title")
            with Horizontal(id="panel-body"):
                yield CurveChart(id="set-chart")
                yield Rows(id="coverage")
        yield FilterBar(id="filter")

    def watch_cache(self) -> None:
        from explorer.views.arms import ArmPick
        from explorer.views.problem_list import Order
        from explorer.views.set_snapshot import SetCache, SetSubject

        if self._link and self._trace_link is None:
            from explorer.views.links import split_link

            self._link, self._trace_link = split_link(self._link)
            self._dataset = self._link
        self._cache = self._cache or SetCache()
        self._pick = self._pick or ArmPick()
        self._order = self._order or Order()
        subject = SetSubject(
            self.settings,
            self._cache,
            self._dataset,
            self._pick,
            self.filter_text,
            self._order,
            panel=self._panel_shown(),
        )
        self.explorer.reader.watch(self, "set", subject)

    def take(self, key: str, value: object) -> None:
        if key == "parity":
            self.parity = cast("Parity", value)
            if self.shown is not None:
                self._say_counts(self.shown)
        if key == "diversity":
            self.explorer.reader.forget(self, "diversity")
            self.app.push_screen(diversity_page(cast("Diversity", value)))
        if key != "set":
            return
        if hasattr(value, "lines"):
            self._take_list(cast("SetList", value))
        else:
            self._take_panel(cast("SetPanel", value))

    def _take_list(self, shown: SetList) -> None:
        self.shown = shown
        self._dataset = shown.dataset
        self.query_one(ProblemTable).show_list(shown)
        self._watch_parity(shown)
        trail: Pieces = [("  Problems", "strong")]
        if shown.dataset:
            trail = [*trail, (f"  {shown.dataset}", "text")]
        trail = [*trail, (f"  {shown.choice.sampling.label()}", "muted")]
        self.set_trail(trail)
        self._say_counts(shown)
        self._say_message()
        self.query_one(FilterBar).show_state(shown.filter_text, shown.filter_error, shown.counts)
        if self._link and shown.lines:
            self._follow_link(shown)

    def _watch_parity(self, shown: SetList) -> None:
        """Once the list is there: parity takes longer, and nobody waits for it."""
        from explorer.views.arms import ArmPick
        from explorer.views.parity import ParitySubject

        subject = ParitySubject(self.settings, shown.dataset, self._pick or ArmPick())
        if shown.lines and subject != self._parity_of:
            self._parity_of, self.parity = subject, None
            self.explorer.reader.watch(self, "parity", subject)

    def _take_panel(self, panel: SetPanel) -> None:
        from explorer.tui.render.set_panel import coverage_rows, panel_title

        self.panel = panel
        self.query_one("#set-chart", CurveChart).show(panel.curves)
        self.query_one("#panel-title", Line).say(*panel_title(panel))
        self.query_one("#coverage", Rows).say(coverage_rows(panel.coverage))

    def _say_counts(self, shown: SetList) -> None:
        order = [*parity_mark(self.parity)]
        if shown.order.key != "file" or shown.order.reverse:
            key = "file order" if shown.order.key == "file" else shown.order.key
            arrow = "descending" if shown.order.reverse else "ascending"
            order = [(f"by {key}, {arrow}", "muted"), *([("  ", "muted")] if order else []), *order]
        self.say_status([(shown.counts.sentence(), "muted")], order)

    def _say_message(self) -> None:
        rows: list[Pieces] = []
        if self.shown is None or not self.shown.counts.total:
            if self.explorer.preparing or self.shown is None:
                rows = [
                    [("Preparing the cache: reading problems and recorded completions …", "muted")]
                ]
            else:
                rows = [
                    [("There are no problems here yet.", "text")],
                    [("Name a problem file in explorer.toml as [datasets.NAME].", "muted")],
                ]
        elif not self.shown.lines:
            rows = [[("No problem passes this filter.  ", "text"), ("q clears it.", "muted")]]
        message = self.query_one("#message", Rows)
        message.display = bool(rows)
        message.say([[(" ", "text"), *row] for row in rows])

    def show_trouble(self, error: ExplorerError | None, preparing: bool = False) -> None:
        super().show_trouble(error, preparing)
        if self.is_mounted:
            self._say_message()

    def on_resize(self) -> None:
        self._show_panel()

    def _panel_shown(self) -> bool:
        if self._panel_wanted is None:
            return self.size.height >= PANEL_FROM
        return self._panel_wanted

    def _show_panel(self) -> None:
        panel = self.query_one("#panel", Vertical)
        before, panel.display = panel.display, self._panel_shown()
        if panel.display and not before and self._cache is not None:
            self.watch_cache()

    def on_problem_table_opened(self, event: ProblemTable.Opened) -> None:
        self._open(event.line.id)

    def _open(self, problem_id: int) -> None:
        from explorer.tui.screens.problem import ProblemScreen

        if self.shown is None or self._pick is None:
            return
        ids = tuple(line.id for line in self.shown.lines)
        screen = ProblemScreen(self.settings, problem_id, ids, self._pick)
        self.app.push_screen(screen)

    def _follow_link(self, shown: SetList) -> None:
        link, self._link = self._link, ""
        name = link.removeprefix(f"{shown.dataset}/")
        for line in shown.lines:
            if line.problem.name in (name, link):
                self.query_one(ProblemTable).go_to(line.id)
                self._open(line.id)
                if self._trace_link is not None:
                    from explorer.tui.places import open_link

                    open_link(self.explorer, self._trace_link)
                return
        self.notify(f"There is no problem '{name}' here.", severity="warning", markup=False)

    def go_to(self, problem_id: int) -> None:
        """Put the cursor on the problem that was looked at last."""
        self.query_one(ProblemTable).go_to(problem_id)

    def action_search(self) -> None:
        from explorer.tui.screens.search import SearchScreen

        if self.shown is not None:
            self.app.push_screen(SearchScreen(self.shown.dataset))

    def action_filter(self) -> None:
        self.query_one(FilterBar).edit(self.filter_text)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        if event.text != self.filter_text:
            self.filter_text = event.text
            self.watch_cache()

    def on_filter_bar_closed(self) -> None:
        self.query_one(ProblemTable).focus()

    def action_order(self) -> None:
        from explorer.views.problem_list import Order, sort_keys

        if self.shown is None or self._order is None:
            return
        keys = sort_keys(self.shown.choice)
        at = keys.index(self._order.key) if self._order.key in keys else 0
        key = keys[(at + 1) % len(keys)]
        # rates and gaps are read from the top, names and classes from the beginning
        self._order = Order(key, reverse=key not in ("file", "id", "level", "class"))
        self.watch_cache()

    def action_reverse(self) -> None:
        from dataclasses import replace

        if self._order is not None:
            self._order = replace(self._order, reverse=not self._order.reverse)
            self.watch_cache()

    def action_panel(self) -> None:
        self._panel_wanted = not self._panel_shown()
        self._show_panel()

    def action_parity(self) -> None:
        from explorer.tui.screens.text import TextScreen

        if self.parity is not None:
            self.app.push_screen(TextScreen("Parity of the arms", parity_rows(self.parity)))

    def action_diversity(self) -> None:
        from explorer.views.diversity import DiversitySubject

        if self.shown is None or self._pick is None or not self.shown.lines:
            return
        ids = tuple(line.id for line in self.shown.lines)
        subject = DiversitySubject(self.settings, self.shown.dataset, ids, self._pick)
        self.explorer.reader.watch(self, "diversity", subject)

    def action_study(self) -> None:
        from dataclasses import replace

        from explorer.tui.screens.study import StudyScreen
        from explorer.views.set_snapshot import SetSubject

        if self.shown is None or self._cache is None or self._pick is None:
            return
        dataset, text = self.shown.dataset, self.filter_text
        pick = replace(self._pick, unlisted=True)
        subject = SetSubject(self.settings, self._cache, dataset, pick, text)
        self.app.push_screen(StudyScreen(subject))

    def action_dataset(self) -> None:
        if self.shown is None or len(self.shown.datasets) < 2:
            self.notify("There is only one dataset in this cache.", markup=False)
            return
        from explorer.tui.screens.choose import ChooseScreen

        datasets = self.shown.datasets
        current = datasets.index(self.shown.dataset) if self.shown.dataset in datasets else 0

        def chosen(position: int | None) -> None:
            if position is not None and datasets[position] != self._dataset:
                self._dataset = datasets[position]
                self.watch_cache()

        self.app.push_screen(ChooseScreen("Dataset", datasets, current), chosen)

    def action_settings(self) -> None:
        from dataclasses import replace

        from explorer.tui.screens.choose import ChooseScreen
        from explorer.views.numbers import plural

        if self.shown is None or self._pick is None:
            return
        choice, pick = self.shown.choice, self._pick
        texts = [
            f"{option.preset or '–':<10} {option.sampling.label()}   "
            f"{plural(option.completions, 'completion')}"
            for option in choice.options
        ]
        samplings = [option.sampling for option in choice.options]
        current = samplings.index(choice.sampling) if choice.sampling in samplings else 0

        def chosen(position: int | None) -> None:
            if position is not None:
                self._pick = replace(pick, sampling=samplings[position])
                self.watch_cache()

        self.app.push_screen(ChooseScreen("Sampling settings", texts, current), chosen)

    def action_arms(self) -> None:
        from explorer.tui.screens.arms import ArmsScreen

        def chosen(pick: ArmPick) -> None:
            self._pick = pick
            self.watch_cache()

        if self.shown is not None and self._pick is not None:
            self.app.push_screen(ArmsScreen(self.shown.choice, self._pick, chosen))

    def action_back(self) -> None:
        if self.filter_text:
            self.filter_text = ""
            self.watch_cache()
        else:
            self.app.exit()

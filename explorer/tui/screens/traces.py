"""Traces side by side, one column per arm, each token coloured by what the base thinks of it.

The screen only wires: columns hold what they show, `views` decides what it means, the reader
brings snapshots. Invariant: nothing moves the reader's place but the reader's own keys; new
completions and new scores change counts and colours only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from explorer.store.rows import ProblemRow, TraceRow
from explorer.tui.keys import GO, MOVE, SAMPLE, VIEW
from explorer.tui.screens.traces_asking import AskingScreen
from explorer.tui.widgets.fact_lines import FactLines
from explorer.tui.widgets.legend import LegendLine
from explorer.tui.widgets.token_view import TokenView
from explorer.tui.widgets.trace_column import TraceColumn
from explorer.views.arms import arm_label
from explorer.views.branches import Branches, BranchesSubject
from explorer.views.latex import readable
from explorer.views.noise import threshold_of
from explorer.views.numbers import plural
from explorer.views.overlay import Overlay
from explorer.views.palette import arm_marks
from explorer.views.text import lines_of, one_line
from explorer.views.trace_branches import branch_facts
from explorer.views.trace_facts import Fact, fit, inspect
from explorer.views.trace_samples import SampleFilter
from explorer.views.trace_snapshot import Cells, CellsSubject, ScoringSubject, TraceSubject

SIDE_BY_SIDE_FROM = 100
"""Terminal width from which more than one column is shown."""

NARROWEST_COLUMN = 40
"""Cells per column; where not all fit, the columns around the focused one are shown."""

MOST_COLUMNS = 3


class TracesScreen(AskingScreen):
    """The viewer.

    Args:
        problem_id: the problem whose completions are read.
        arm_ids: one column per arm, in this order.
    """

    CSS_PATH = "traces.tcss"
    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right_square_bracket", "sample(1)", "Next", group=GO, key_display="n",
                id="traces.next", tooltip="Next sample"),
        Binding("p,left_square_bracket", "sample(-1)", "Previous", group=GO, key_display="p",
                id="traces.previous", tooltip="Previous sample", show=False),
        Binding("r", "choose('right')", "Right", group=GO, id="traces.right",
                tooltip="Step through right samples only"),
        Binding("w", "choose('wrong')", "Wrong", group=GO, id="traces.wrong",
                tooltip="Step through wrong samples only"),
        Binding("d", "choose('disagree')", "Disagree", group=GO, id="traces.disagree", show=False,
                tooltip="Step through samples that the verifiers disagree on"),
        Binding("a", "choose('all')", "All", group=GO, id="traces.all",
                tooltip="Step through all samples"),
        Binding("o", "cycle", "Overlay", group=VIEW, id="traces.overlay",
                tooltip="Next colouring; 1 to 5 choose one"),
        Binding("full_stop", "notable(1)", "Notable", group=MOVE, key_display=".",
                id="traces.notable", tooltip="Next token of level 2 or more"),
        Binding("comma", "notable(-1)", "Previous notable", show=False, group=MOVE,
                key_display=",", id="traces.notable.previous",
                tooltip="Previous token of level 2 or more"),
        Binding("tab,l", "column(1)", "Column", group=MOVE, key_display="tab",
                id="traces.column", tooltip="Next column"),
        Binding("shift+tab,h", "column(-1)", "Previous column", show=False, group=MOVE,
                id="traces.column.previous", tooltip="Previous column"),
        Binding("b", "score(False)", "Score", group=SAMPLE, id="traces.score",
                tooltip="Score this sample under its base model"),
        Binding("B", "score(True)", "Score all", show=False, group=SAMPLE, id="traces.score.all",
                tooltip="Score all of the column's samples under its base model"),
        Binding("v", "override", "Verdict", group=SAMPLE, id="traces.override",
                tooltip="Say that this sample is correct or wrong, over the verifier"),
        Binding("e", "evidence", "Evidence", group=GO, id="traces.evidence",
                tooltip="Could the base have drawn this? Support and likelihood"),
        Binding("c", "fork", "Go on", show=False, group=SAMPLE, id="traces.fork",
                tooltip="Let a model go on from the token under the cursor"),
        Binding("C", "branches", "Branches", show=False, group=GO, id="traces.branches",
                tooltip="Where models went on from this trace, and how often they were right"),
        Binding("i", "statement", "Problem", group=VIEW, id="traces.statement",
                tooltip="Show or hide the problem's statement"),
        Binding("y", "copy(False)", "Copy", group=VIEW, id="traces.copy",
                tooltip="Copy what is said of the token under the cursor"),
        Binding("Y", "copy(True)", "Copy trace", show=False, group=VIEW, id="traces.copy.trace",
                tooltip="Copy the whole trace"),
        Binding("equals_sign", "link", "Link", group=VIEW, key_display="=", id="traces.link",
                tooltip="Scroll all columns together, or not"),
        Binding("number_sign", "gutter", "Digits", show=False, group=VIEW, key_display="#",
                id="traces.gutter", tooltip="Show or hide the digits beside notable lines"),
        Binding("left", "token(-1)", "Previous token", show=False, group=MOVE,
                id="traces.token.previous", tooltip="Previous token"),
        Binding("right", "token(1)", "Next token", show=False, group=MOVE,
                id="traces.token.next", tooltip="Next token"),
        Binding("up,k", "line(-1)", "Line up", show=False, group=MOVE,
                id="traces.line.up", tooltip="The token above"),
        Binding("down,j", "line(1)", "Line down", show=False, group=MOVE,
                id="traces.line.down", tooltip="The token below"),
        Binding("pageup", "page(-1.0)", "Page up", show=False, group=MOVE,
                id="traces.page.up", tooltip="A page up"),
        Binding("pagedown,space", "page(1.0)", "Page down", show=False, group=MOVE,
                id="traces.page.down", tooltip="A page down"),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False, group=MOVE,
                id="traces.half.up", tooltip="Half a page up"),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False, group=MOVE,
                id="traces.half.down", tooltip="Half a page down"),
        Binding("g,home", "edge(-1)", "First token", show=False, group=MOVE,
                id="traces.first", tooltip="The first token"),
        Binding("G,end", "edge(1)", "Last token", show=False, group=MOVE,
                id="traces.last", tooltip="The last token"),
        *(
            Binding(str(place), f"show('{overlay}')", f"Overlay: {overlay}", show=False,
                    group=VIEW, id=f"traces.overlay.{overlay}", tooltip=f"Colour by {overlay}")
            for place, overlay in enumerate(Overlay, 1)
        ),
    ]  # fmt: skip

    def __init__(self, problem_id: int, arm_ids: Sequence[int]) -> None:
        super().__init__()
        self.problem_id = problem_id
        self.arm_ids = tuple(arm_ids)
        self.overlay = Overlay.SURPRISAL
        self.linked = False
        self.problem: ProblemRow | None = None
        self.remark = ""
        self._columns = [TraceColumn(place, arm) for place, arm in enumerate(self.arm_ids)]
        self._focused_place = 0
        self.trail = [("  Traces", "strong")]

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="traces-statement", can_focus=False):
            yield Static("", markup=False, id="traces-statement-text")
        with Horizontal(id="traces-columns"):
            yield from self._columns
        yield LegendLine(widget_id="traces-legend")
        yield FactLines(3, widget_id="traces-inspector")

    # --- reading -------------------------------------------------------------------------------

    @property
    def columns(self) -> list[TraceColumn]:
        return self._columns

    @property
    def column(self) -> TraceColumn:
        """The column that has the keyboard."""
        return self._columns[self._focused_place]

    def on_mount(self) -> None:
        self._to_column(0)

    def watch_cache(self) -> None:
        reader = self.explorer.reader
        reader.watch(self, "cells", CellsSubject(self.problem_id, self.arm_ids))
        reader.watch(self, "scoring", ScoringSubject(self.problem_id, self.arm_ids))

    def take(self, key: str, value: object) -> None:
        """Hand a snapshot to the columns it is about."""
        if isinstance(value, Cells):
            self._take_cells(value)
        elif isinstance(value, TraceRow):
            for column in self._columns:
                column.take_trace(value)
        elif key == "scoring" and isinstance(value, dict):
            for column in self._columns:
                column.take_scoring(value.get(column.arm_id))
            self._write_legend()
            self._inspect()
        elif isinstance(value, Branches):
            for column in self._columns:
                column.take_branches(value)
            self._inspect()
        self.arrive()

    def _take_cells(self, cells: Cells) -> None:
        self.problem = cells.problem
        by_arm = {cell.arm.id: cell for cell in cells.cells}
        shown = [cell for arm_id in self.arm_ids if (cell := by_arm.get(arm_id))]
        marks = arm_marks([cell.arm.model.role for cell in shown])
        for column in self._columns:
            if column.arm_id in by_arm:
                column.called = arm_label(by_arm[column.arm_id].arm, shown[0].arm.spec.sampling)
        for cell, mark in zip(shown, marks, strict=True):
            for column in self._columns:
                if column.arm_id == cell.arm.id and column.take_cell(cell, mark):
                    self._watch(column)
        self._write_trail()
        self._write_status()
        self._write_legend()

    def _watch(self, column: TraceColumn) -> None:
        completion = column.samples.current
        if completion is not None:
            branches = BranchesSubject(completion)
            self.explorer.reader.watch(self, f"branches-{column.place}", branches)
            # last, since what is asked last is read first: the text before what hangs on it
            self.explorer.reader.watch(self, f"trace-{column.place}", TraceSubject(completion))

    # --- keys ----------------------------------------------------------------------------------

    def action_sample(self, by: int) -> None:
        if self.column.step(by):
            self._watch(self.column)
            self._say("")
        else:
            self._say("that was the last sample" if by > 0 else "that was the first sample")

    def action_choose(self, wanted: str) -> None:
        if self.column.choose(SampleFilter(wanted)):
            self._watch(self.column)
        self._say("")

    def action_cycle(self) -> None:
        self.action_show(self.overlay.following)

    def action_show(self, overlay: str) -> None:
        self.overlay = Overlay(overlay)
        for column in self._columns:
            column.overlay(self.overlay)
        self._write_legend()
        self._say("")

    def action_column(self, by: int) -> None:
        self._to_column((self._focused_place + by) % len(self._columns))

    def action_token(self, step: int) -> None:
        self.column.view.to_token(step)

    def action_line(self, step: int) -> None:
        self.column.view.to_line(step)

    def action_page(self, pages: float) -> None:
        self.column.view.by_pages(pages)

    def action_edge(self, side: int) -> None:
        self.column.view.to_edge(side)

    def action_notable(self, step: int) -> None:
        if not self.column.view.to_notable(step):
            self._say(f"no notable token {'further on' if step > 0 else 'before this'}")

    def action_link(self) -> None:
        self.linked = not self.linked
        self._say("")

    def action_gutter(self) -> None:
        for column in self._columns:
            column.view.set_gutter(not column.view.show_gutter)

    def action_statement(self) -> None:
        self.toggle_class("-statement")

    # --- what the columns report ---------------------------------------------------------------

    @on(TokenView.CursorMoved)
    def _cursor_moved(self, message: TokenView.CursorMoved) -> None:
        if message.view is self.column.view:
            self._inspect()
            self._write_status()

    @on(TokenView.Clicked)
    def _clicked(self, message: TokenView.Clicked) -> None:
        for column in self._columns:
            if column.view is message.view:
                self._to_column(column.place)

    @on(TokenView.Scrolled)
    def _scrolled(self, message: TokenView.Scrolled) -> None:
        if self.linked:
            for column in self._columns:
                if column.view is not message.view:
                    column.view.follow(message.lines)

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._write_all)

    # --- drawing -------------------------------------------------------------------------------

    def _to_column(self, place: int) -> None:
        """Give the keyboard to a column."""
        self._focused_place = place
        self._arrange()
        for column in self._columns:
            column.activate(column is self.column)
        self._write_status()
        self._write_legend()
        self._inspect()

    def _arrange(self) -> None:
        """Show as many columns as the width allows, the focused one among them."""
        width = self.app.size.width
        room = 1 if width < SIDE_BY_SIDE_FROM else min(MOST_COLUMNS, width // NARROWEST_COLUMN)
        first = min(max(0, self._focused_place - room + 1), max(0, len(self._columns) - room))
        for column in self._columns:
            column.set_class(not first <= column.place < first + room, "-hidden")
            column.view.set_ruled(column.place > first)

    def _write_all(self) -> None:
        for column in self._columns:
            column.write_header()
        self._write_status()
        self._write_legend()
        self._inspect()

    def _say(self, remark: str) -> None:
        self.remark = remark
        self._write_status()
        self._inspect()

    def _title(self) -> str:
        if self.problem is None:
            return f"problem {self.problem_id}"
        return one_line(f"{self.problem.problem.dataset}/{self.problem.problem.name}", 40)

    def _write_trail(self) -> None:
        gold = one_line(self.problem.problem.gold, 24) if self.problem else ""
        trail = [("  Traces", "strong"), (f"  {self._title()}", "text")]
        self.set_trail([*trail, (f"  gold {gold}", "muted")] if gold else trail)
        if self.problem is not None:
            self._write_statement(self.problem)

    def _write_status(self) -> None:
        """Which columns there are when not all are shown; the last remark."""
        left: list[tuple[str, str]] = []
        if any(column.has_class("-hidden") for column in self._columns):
            for column in self._columns:
                here = column is self.column
                name = f"[{column.name_shown}]" if here else f" {column.name_shown} "
                left.append((name, "accent bold" if here else "muted"))
            left.append(("  ", "text"))
        if self.remark:
            left.append((self.remark, "accent"))
        right: list[tuple[str, str]] = []
        colouring, text = self.column.view.colouring, self.column.view.text
        if colouring is not None and text is not None and colouring.overlay is not Overlay.PLAIN:
            known = f"{colouring.notable_count} notable of {plural(text.n_units, 'token')}"
            right.append(("no colour" if colouring.missing else known, "muted"))
        if self.linked:
            right.append((" · columns linked" if right else "columns linked", "accent"))
        self.say_status(left, right)

    def _write_statement(self, problem: ProblemRow) -> None:
        text = "\n".join(lines_of(readable(problem.problem.statement)))
        statement = self.query_one("#traces-statement-text", Static)
        if statement.content != text:
            statement.update(text)

    def _write_legend(self) -> None:
        base, noise = one_line(self.column.base, 20), self.column.noise
        self.query_one(LegendLine).explain(self.overlay, base, noise, self.unit)

    def _inspect(self) -> None:
        inspector = self.query_one("#traces-inspector", FactLines)
        column = self.column
        text, trace, known = column.view.text, column.trace, column.likelihoods
        lines: list[list[Fact]] = [[], [], []]
        if text is not None and trace is not None and known is not None:
            if text.n_units:
                floor = threshold_of(column.noise)
                lines = inspect(text, column.view.cursor, trace, known, floor)
                lines[0] += branch_facts(column.branches, column.view.token)
            else:
                said = "Only the text of this completion is recorded: no tokens to inspect."
                lines[0] = [Fact(said, said, "muted", 1)]
        for row, facts in enumerate(lines):
            inspector.say(row, fit(facts, inspector.room, cell_len))

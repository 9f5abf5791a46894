"""A trace's branches: how often each prefix of it, handed to a model, leads to a right answer.

Invariant: a row is one branch, and the chart over the rows is drawn from the same counts; the
chosen row, its mark in the chart and the cursor of the Traces screen beneath are at one token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from explorer.tui.keys import MOVE, SAMPLE
from explorer.tui.render.cells import fit
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.pick_list import PickList
from explorer.tui.widgets.rows import Rows
from explorer.tui.widgets.value_chart import ValueChart
from explorer.views.numbers import bar, plural
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.branch_line import BranchLine
    from explorer.views.branches import Branches


class BranchesScreen(FrameScreen):
    """The branches of one completion.

    Args:
        completion_id: the trace.
        title: safe name of the trace.
        token: the token that the cursor begins at.
        show_token: told of the token that a person moves to.
    """

    AUTO_FOCUS = "#branch-list"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "Cancel", id="branches.cancel", group=SAMPLE,
                tooltip="Stop drawing for this problem; what is stored stays"),
        Binding("d", "drop", "Largest drop", id="branches.drop", group=MOVE,
                tooltip="To the branch after which a curve falls most"),
    ]  # fmt: skip

    def __init__(
        self,
        completion_id: int,
        title: str,
        token: int = 0,
        show_token: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self.completion_id = completion_id
        self.branches: Branches | None = None
        self._token = token
        self._show_token = show_token
        self._begun_at: int | None = None
        self.trail = [("  Branches", "strong"), (f"  {title}", "text")]

    def compose_body(self) -> ComposeResult:
        yield ValueChart(id="branch-chart")
        yield Rows(id="branch-curve")
        yield PickList(widget_id="branch-list")

    def watch_cache(self) -> None:
        from explorer.views.branches import BranchesSubject

        self.explorer.reader.watch(self, "branches", BranchesSubject(self.completion_id))

    def take(self, key: str, value: object) -> None:
        if key != "branches":
            return
        first, self.branches = self.branches is None, cast("Branches", value)
        lines = self.branches.lines
        pick = self.query_one(PickList)
        pick.show(len(lines), self._row, keep=True)
        if first:
            before = [row for row, one in enumerate(lines) if one.branch.position <= self._token]
            self._begun_at = before[-1] if before else 0
            pick.move_to(self._begun_at)
        self._draw_chart()
        said: list[Pieces] = [[(f" {text}", "strong")] for text in self.branches.sentences()]
        if not lines:
            said = [[(" No model was made to go on from this trace yet: c in Traces.", "muted")]]
        self.query_one("#branch-curve", Rows).say(said)
        drawn = sum(line.tally.completions for line in lines)
        many = f"{len(lines):,} branch{'' if len(lines) == 1 else 'es'}"
        self.say_status([(f"{many} · {plural(drawn, 'completion')}", "muted")])

    def _row(self, place: int, width: int) -> Pieces:
        assert self.branches is not None, "rows are drawn once there are some"
        return branch_row(self.branches.lines[place], width)

    def _draw_chart(self) -> None:
        found, row = self.branches, self.query_one(PickList).cursor
        chart = self.query_one(ValueChart)
        chart.display = found is not None and bool(found.curves)
        if found is not None and found.lines:
            chart.show(found.curves, found.n_tokens, found.lines[row].branch.position)

    @on(PickList.Moved)
    def _moved(self, event: PickList.Moved) -> None:
        self._draw_chart()
        begun_at, self._begun_at = self._begun_at, None
        if event.row == begun_at:
            return  # where the screen opened: nobody has moved yet
        if self.branches is not None and event.row < len(self.branches.lines):
            token = self.branches.lines[event.row].branch.position
            if self._show_token is not None:
                self._show_token(min(token, self.branches.n_tokens - 1))

    def action_drop(self) -> None:
        found, pick = self.branches, self.query_one(PickList)
        drops = [one.drop.token for one in found.curves if one.drop] if found else []
        if found is None or not drops:
            self.notify("No curve falls here.", markup=False, timeout=2)
            return
        here = found.lines[pick.cursor].branch.position
        token = next((one for one in sorted(drops) if one > here), min(drops))
        pick.move_to(next(i for i, one in enumerate(found.lines) if one.branch.position == token))

    @on(PickList.Opened)
    def _opened(self, event: PickList.Opened) -> None:
        if self.branches is None or event.row >= len(self.branches.lines):
            return
        line = self.branches.lines[event.row]
        if line.branch.arm_id is None or not line.tally.completions:
            self.notify("Nothing is drawn of this branch yet.", markup=False, timeout=2)
            return
        self.explorer.open_traces(self.branches.problem_id, [line.branch.arm_id])

    def action_cancel(self) -> None:
        from functools import partial

        from explorer.tui.screens.problem_sampling import cancel_problem

        if self.branches is not None:
            job = partial(cancel_problem, self.branches.problem_id)
            self.explorer.ask("Cancelled; what is stored stays.", job)


def branch_row(line: BranchLine, width: int) -> Pieces:
    """Model, what it was handed, a bar, the rate with its interval, and the last words handed."""
    swapped = line.branch.swapped_id is not None
    name = one_line(line.branch.model, limit=12)
    where = ("└ " if swapped else "") + line.where()
    filled, rest = bar(line.rate if line.tally.n else 0.0, 12)
    counts = line.counts()
    pieces: list[tuple[str, str]] = [
        (f" {fit(name, 10)} ", "text"),
        (fit(where, 20), "strong" if not swapped else "muted"),
        (" ", "text"),
        (filled, "accent"),
        (rest, "line"),
        (f" {fit(counts, 22)} ", "text" if line.tally.n else "muted"),
    ]
    used = 12 + 20 + 1 + 12 + 24
    room = width - used - 1
    if room > 8 and line.after:
        pieces.append((fit("…" + line.after[-(room - 1) :], room), "faint"))
    return pieces

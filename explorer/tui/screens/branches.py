"""A trace's branches: how often each prefix of it, handed to a model, leads to a right answer.

Invariant: a row is one branch; the bar is its pass rate, so that read downwards they are the
trace's value in that model's hands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from explorer.tui.keys import SAMPLE
from explorer.tui.render.cells import fit
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.pick_list import PickList
from explorer.tui.widgets.rows import Rows
from explorer.views.numbers import bar
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.branches import Branches, BranchLine


class BranchesScreen(FrameScreen):
    """The branches of one completion.

    Args:
        completion_id: the trace.
        title: safe name of the trace.
    """

    AUTO_FOCUS = "#branch-list"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "Cancel", id="branches.cancel", group=SAMPLE,
                tooltip="Stop drawing for this problem; what is stored stays"),
    ]  # fmt: skip

    def __init__(self, completion_id: int, title: str) -> None:
        super().__init__()
        self.completion_id = completion_id
        self.branches: Branches | None = None
        self.trail = [("  Branches", "strong"), (f"  {title}", "text")]

    def compose_body(self) -> ComposeResult:
        yield Rows(id="branch-curve")
        yield PickList(widget_id="branch-list")

    def watch_cache(self) -> None:
        from explorer.views.branches import BranchesSubject

        self.explorer.reader.watch(self, "branches", BranchesSubject(self.completion_id))

    def take(self, key: str, value: object) -> None:
        if key != "branches":
            return
        self.branches = cast("Branches", value)
        lines = self.branches.lines
        self.query_one(PickList).show(len(lines), self._row, keep=True)
        said: list[Pieces] = [[(f" {text}", "strong")] for text in self.branches.sentences()]
        if not lines:
            said = [[(" No model was made to go on from this trace yet: c in Traces.", "muted")]]
        self.query_one("#branch-curve", Rows).say(said)
        drawn = sum(line.tally.completions for line in lines)
        self.say_status([(f"{len(lines)} branches · {drawn:,} completions", "muted")])

    def _row(self, place: int, width: int) -> Pieces:
        assert self.branches is not None, "rows are drawn once there are some"
        return branch_row(self.branches.lines[place], width)

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

        from explorer.tui.screens.problem import _cancel

        if self.branches is not None:
            job = partial(_cancel, self.branches.problem_id)
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

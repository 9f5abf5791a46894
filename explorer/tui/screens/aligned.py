"""Two traces beside each other, where they part, and what both models think of it.

Invariant: aligning happens on a worker thread; what is shown is always one whole alignment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.worker import Worker

from explorer.store import queries
from explorer.tui.keys import MOVE, VIEW
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.fact_lines import FactLines
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.side_view import SideView
from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS, ArmMark, arm_marks
from explorer.views.parting import parting_facts
from explorer.views.side_by_side import Aligned, By, Pair, align_pair
from explorer.views.side_lines import headline
from explorer.views.text import one_line
from explorer.views.trace_facts import fit

if TYPE_CHECKING:
    from explorer.views.saved_view import SavedView


@dataclass(frozen=True, slots=True)
class PairSubject:
    """Watch two completions: verdicts and scores."""

    left: int
    right: int

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"scores", "counts"})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterable[Pair | None]:
        left, right = queries.trace(db, self.left), queries.trace(db, self.right)
        arms = {arm.id: arm for arm in queries.arms(db)}
        if left is None or right is None:
            yield None
        else:
            yield Pair(left, arms[left.arm_id], right, arms[right.arm_id])


class AlignedScreen(FrameScreen):
    """The two traces.

    Args:
        left: completion id of the trace that was asked about.
        right: of the one that it is held against.
    """

    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,full_stop", "difference(1)", "Next difference", key_display="n",
                id="aligned.next", group=MOVE, tooltip="Next difference"),
        Binding("p,comma", "difference(-1)", "Previous", key_display="p", id="aligned.previous",
                group=MOVE, tooltip="Previous difference"),
        Binding("s,o", "switch", "Tokens/steps", key_display="s", id="aligned.by", group=VIEW,
                tooltip="Align on tokens or on calculations"),
        Binding("g,home", "edge(-1)", "Parting", key_display="g", id="aligned.first", group=MOVE,
                tooltip="Back to where they part"),
        Binding("G,end", "edge(1)", "Last difference", show=False, id="aligned.last", group=MOVE),
        Binding("j,down", "scroll(1)", "Down", show=False, id="aligned.down", group=MOVE),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="aligned.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="aligned.pagedown",
                group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="aligned.pageup", group=MOVE),
    ]  # fmt: skip

    class Ready(Message):
        """An alignment is done."""

        def __init__(self, pair: Pair, aligned: Aligned) -> None:
            super().__init__()
            self.pair = pair
            self.aligned = aligned

    def __init__(self, left: int, right: int) -> None:
        super().__init__()
        self.ids = (left, right)
        self.by = By.TOKENS
        self.pair: Pair | None = None
        self.aligned: Aligned | None = None
        self.trail = [("  Aligned", "strong")]

    def compose_body(self) -> ComposeResult:
        yield Line(id="aligned-heading")
        yield SideView(widget_id="aligned-view")
        yield FactLines(3, widget_id="aligned-facts")

    def watch_cache(self) -> None:
        self.explorer.reader.watch(self, "pair", PairSubject(*self.ids))

    def take(self, key: str, value: object) -> None:
        if key != "pair" or value is None:
            return
        before, self.pair = self.pair, cast("Pair", value)
        if before is None:
            self._align()
        else:
            self._say()  # newer scores change what is said, never where the texts part

    def _align(self) -> None:
        pair, by = self.pair, self.by
        if pair is not None:
            self.run_worker(
                lambda: self.post_message(self.Ready(pair, align_pair(pair, by))),
                thread=True, exclusive=True, exit_on_error=False, group="aligning",
                description="aligning",
            )  # fmt: skip

    def on_aligned_screen_ready(self, event: Ready) -> None:
        self.aligned = event.aligned
        self.query_one(SideView).show(event.aligned, self._marks())
        self._say()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker.error is not None:  # a bug: it must not pass in silence
            raise event.worker.error

    def on_resize(self) -> None:
        self.call_after_refresh(self._say)

    def _marks(self) -> tuple[ArmMark, ArmMark]:
        assert self.pair is not None
        left, right = arm_marks([self.pair.left_arm.model.role, self.pair.right_arm.model.role])
        return left, right

    def _say(self) -> None:
        pair, aligned = self.pair, self.aligned
        if pair is None or aligned is None or not self.is_mounted:
            return
        view = self.query_one(SideView)
        pieces: list[tuple[str, str]] = []
        sides = ((pair.left, pair.left_arm), (pair.right, pair.right_arm))
        for (trace, arm), mark in zip(sides, self._marks(), strict=True):
            outcome = str(trace.head.outcome or "")
            pieces.append((f"{mark.marker} {one_line(arm.model.name, 20)}", f"{mark.colour} bold"))
            pieces.append((f" #{trace.head.index} ", "text"))
            pieces.append((OUTCOME_MARKS[outcome], OUTCOME_COLOURS[outcome]))
            pieces.append((f" {one_line(trace.head.answer, 16) or 'no answer'}    ", "text"))
        self.query_one("#aligned-heading", Line).say(pieces)
        self.set_trail([("  Aligned", "strong"), (f"  on {aligned.by}", "text")])
        right = [(aligned.remark, "undecided")] if aligned.remark else []
        self.say_status([(headline(aligned), "muted")], right)
        facts = self.query_one("#aligned-facts", FactLines)
        for row, said in enumerate(parting_facts(pair, aligned, view.chosen)):
            facts.say(row, fit(said, facts.room, cell_len))

    def saved_view(self) -> SavedView:
        from explorer.views.saved_view import SavedView

        pair, aligned = self.pair, self.aligned
        if pair is None or aligned is None:
            return super().saved_view()
        about = {
            "aligned_on": str(aligned.by),
            "aligned_items": aligned.same,
            "items": [aligned.left_items, aligned.right_items],
            "differences": [[one.left, one.right] for one in aligned.differences],
        }
        return SavedView("aligned", pair.left.problem_id, self.ids, about)

    def action_difference(self, step: int) -> None:
        if self.aligned is None or not self.aligned.differences:
            return
        view = self.query_one(SideView)
        last = len(self.aligned.differences) - 1
        view.choose(max(0, min(view.chosen + step, last)))
        self._say()

    def action_edge(self, side: int) -> None:
        if self.aligned is not None and self.aligned.differences:
            last = len(self.aligned.differences) - 1
            self.query_one(SideView).choose(0 if side < 0 else last)
            self._say()

    def action_switch(self) -> None:
        self.by = By.STEPS if self.by is By.TOKENS else By.TOKENS
        self._align()

    def action_scroll(self, step: int) -> None:
        self.query_one(SideView).by_lines(step)

    def action_page(self, step: int) -> None:
        view = self.query_one(SideView)
        view.by_lines(step * max(1, view.size.height - 1))

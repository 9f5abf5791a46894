"""The base completions most like a trace; Enter lays one beside it.

Invariant: comparing happens on a worker thread that says how far it is; the order can be switched
meanwhile, and a closed screen ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.worker import Worker, get_current_worker

from explorer.core.nearest import Order
from explorer.tui.keys import VIEW
from explorer.tui.render.nearest_row import heading, row
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.pick_list import PickList
from explorer.views.nearest import Field, NearestSubject, NearLine, compared, in_order
from explorer.views.numbers import count, plural
from explorer.views.palette import ArmMark, arm_marks
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.saved_view import SavedView


class NearestScreen(FrameScreen):
    """The table.

    Args:
        completion_id: the trace.
        arm_ids: whose completions it is compared with; empty = its base's.
    """

    AUTO_FOCUS = "PickList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "order", "Order", id="nearest.order", group=VIEW,
                tooltip="Order by shared steps, by token prefix, by text"),
        Binding("a", "arms", "Arm", id="nearest.arms", group=VIEW,
                tooltip="Compare with the completions of another arm"),
    ]  # fmt: skip

    class Compared(Message):
        """Some more peers have been compared; `done` when all are."""

        def __init__(self, field: Field, lines: list[NearLine], done: bool) -> None:
            super().__init__()
            self.field = field
            self.lines = lines
            self.done = done

    def __init__(self, completion_id: int, arm_ids: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.completion_id = completion_id
        self.arm_ids = arm_ids
        self.order = Order.STEPS
        self.field: Field | None = None
        self.lines: list[NearLine] = []
        self.done = False
        self._found: list[NearLine] = []
        self._marks: dict[int, ArmMark] = {}
        self.trail = [("  Nearest samples", "strong")]

    def compose_body(self) -> ComposeResult:
        yield Line(id="nearest-heading")
        yield PickList(widget_id="nearest-list")

    def watch_cache(self) -> None:
        subject = NearestSubject(self.completion_id, self.arm_ids)
        self.explorer.reader.watch(self, "field", subject)

    def take(self, key: str, value: object) -> None:
        if key != "field" or value is None:
            return
        field = cast("Field", value)
        self.field, self.done, self._found = field, False, []
        own = [field.arm, *(arm for arm in field.arms if arm.id != field.arm.id)]
        marks = arm_marks([arm.model.role for arm in own])
        self._marks = {arm.id: mark for arm, mark in zip(own, marks, strict=True)}
        name = f"{field.problem.problem.dataset}/{field.problem.problem.name}"
        trail = [("  Nearest", "strong"), (f"  {one_line(name, 40)}", "text")]
        about = f"  {one_line(field.arm.model.name, 20)} #{field.trace.head.index}"
        self.set_trail([*trail, (about, self._marks[field.arm.id].colour)])
        self._show()
        self.run_worker(
            self._compare, thread=True, exclusive=True, exit_on_error=False, group="nearest",
            description="comparing samples",
        )  # fmt: skip

    def _compare(self) -> None:
        field, worker = self.field, get_current_worker()
        assert field is not None
        for part in compared(field):
            if worker.is_cancelled:
                return
            self.post_message(self.Compared(field, part, done=False))
        self.post_message(self.Compared(field, [], done=True))

    def on_nearest_screen_compared(self, event: Compared) -> None:
        if event.field is self.field:
            self._found += event.lines
            self.done = event.done
            self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker.error is not None:  # a bug: it must not pass in silence
            raise event.worker.error

    def _show(self) -> None:
        field = self.field
        if field is None or not self.is_mounted:
            return
        pick = self.query_one(PickList)
        chosen = self.lines[pick.cursor].likeness.id if pick.cursor < len(self.lines) else None
        stays = self.done or pick.cursor > 0  # on the first row one looks for the nearest of all
        self.lines = in_order(self._found, self.order)
        names = ", ".join(one_line(arm.model.name, 20) for arm in field.arms) or "the base"
        nothing = f"There is no other completion of {names} of this problem yet."
        pick.show(len(self.lines), self._row, "" if field.peers else nothing)
        if chosen is not None and stays:
            at = [line.likeness.id for line in self.lines]
            pick.move_to(at.index(chosen) if chosen in at else 0)
        self._say(field, names)

    def _say(self, field: Field, names: str) -> None:
        width = self.query_one(PickList).size.width or self.size.width
        self.query_one("#nearest-heading", Line).say(heading(width, self.order))
        same = sum(line.likeness.same_answer for line in self.lines)
        total = len(field.peers)
        if not self.done and total:
            said = f"comparing {count(len(self._found))} of {plural(total, 'sample')} of {names} …"
        else:
            said = f"{plural(total, 'sample')} of {names} · {count(same)} with the same answer"
        right = "" if field.same_tokens else "no token prefix: other or unknown tokens"
        self.say_status([(said, "muted")], [(right or f"by {self.order}", "muted")])

    def _row(self, number: int, width: int) -> list[tuple[str, str]]:
        line = self.lines[number]
        return list(row(line, self._marks[line.peer.arm.id], width))

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def saved_view(self) -> SavedView:
        from explorer.views.nearest import as_dict
        from explorer.views.saved_view import SavedView

        field = self.field
        if field is None:
            return super().saved_view()
        about = {"nearest_to": self.completion_id, "order": str(self.order), "whole": self.done}
        rows = [as_dict(line) for line in self.lines]
        traces = (self.completion_id,)
        return SavedView("nearest", field.problem.id, traces, about, rows)

    def action_order(self) -> None:
        members = list(Order)
        self.order = members[(members.index(self.order) + 1) % len(members)]
        self._show()

    def action_arms(self) -> None:
        from explorer.tui.screens.choose import ChooseScreen

        field = self.field
        if field is None:
            return
        choices = [*field.arms, *field.others]
        texts = [f"{one_line(arm.model.name):<16} {arm.spec.sampling.label()}" for arm in choices]

        def chosen(position: int | None) -> None:
            if position is not None:
                self.arm_ids = (choices[position].id,)
                self.watch_cache()

        if choices:
            self.app.push_screen(ChooseScreen("Compare with", texts), chosen)

    def on_pick_list_opened(self, event: PickList.Opened) -> None:
        from explorer.tui.screens.aligned import AlignedScreen

        if event.row < len(self.lines):
            peer = self.lines[event.row].peer
            self.app.push_screen(AlignedScreen(self.completion_id, peer.head.id))

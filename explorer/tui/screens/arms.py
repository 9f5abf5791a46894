"""Which stored arms are shown: any of them, whatever their settings, beside each other.

Invariant: an arm that is switched on becomes a column of its own under a name that says what
differs; counts of two arms are never put together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from explorer.tui.keys import GO, VIEW
from explorer.tui.render.cells import fit
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.pick_list import PickList
from explorer.views.arms import ArmChoice, ArmPick, shown_arms, with_arms
from explorer.views.numbers import plural
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.store.rows import ArmRow


class ArmsScreen(FrameScreen):
    """The stored arms of a dataset, each on or off.

    Args:
        choice: what is shown, and all that could be.
        pick: what led to it.
        done: told of the new pick when the screen closes, if anything was switched.
    """

    AUTO_FOCUS = "PickList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "switch", "On or off", id="arms.toggle", group=VIEW,
                tooltip="Show this arm, or leave it out"),
        Binding("q,escape,backspace", "back", "Done", id="screen.back", group=GO,
                tooltip="Back, with the arms that are on"),
    ]  # fmt: skip

    def __init__(self, choice: ArmChoice, pick: ArmPick, done: Callable[[ArmPick], object]) -> None:
        super().__init__()
        self.choice = choice
        self.on_now = shown_arms(choice)
        self._pick = pick
        self._done = done
        self.trail = [("  Arms", "strong")]

    def compose_body(self) -> ComposeResult:
        yield Line(id="arms-heading")
        yield PickList(widget_id="arm-list")

    def on_mount(self) -> None:
        super().on_mount()
        usual = self.choice.sampling.label()
        self.query_one("#arms-heading", Line).say(
            [(f" Shown with {usual} unless their name says otherwise; never pooled", "muted")]
        )
        self._show()

    def _show(self) -> None:
        nothing = "Nothing is stored of this dataset yet."
        self.query_one(PickList).show(len(self.choice.stored), self._row, nothing, keep=True)
        self.say_status(
            [(f"{len(self.on_now)} of {plural(self._count, 'stored arm')} on", "muted")]
        )

    @property
    def _count(self) -> int:
        return len(self.choice.stored)

    def _row(self, place: int, width: int) -> Pieces:
        arm, n = self.choice.stored[place]
        shown = arm.id in self.on_now
        pieces: list[tuple[str, str]] = [
            ("[x] " if shown else "[ ] ", "accent bold" if shown else "faint"),
            (fit(one_line(arm.model.name), 16), "strong" if shown else "text"),
            (f" {fit(plural(n, 'completion'), 20, 'right')}  ", "muted"),
            (fit(arm.spec.sampling.label(), 34), "text" if shown else "muted"),
        ]
        return [*pieces, (f"  {_engine(arm)}", "faint")] if width >= 100 else pieces

    @on(PickList.Opened)
    def _opened(self, event: PickList.Opened) -> None:
        self.action_switch()

    def action_switch(self) -> None:
        place = self.query_one(PickList).cursor
        if place < len(self.choice.stored):
            self.on_now ^= {self.choice.stored[place][0].id}
            self._show()

    def action_back(self) -> None:
        if self.on_now != shown_arms(self.choice):
            self._done(with_arms(self.choice, self._pick, self.on_now))
        super().action_back()


def _engine(arm: ArmRow) -> str:
    key = arm.key.removeprefix("a1:")[:8]
    return f"{one_line(arm.spec.engine)} {one_line(arm.spec.dtype)} · {key}"

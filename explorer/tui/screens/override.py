"""The dialogue behind `v` in Traces: a person's word over the verifier's, with a remark."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from explorer.core.completion import Outcome
from explorer.store.rows import TraceRow
from explorer.tui.keys import APP, MOVE
from explorer.views.text import one_line

LONGEST_NOTE = 500

_CHOICES = (
    ("correct", "it counts as correct, whatever the verifier says"),
    ("wrong", "it counts as wrong, whatever the verifier says"),
    ("verifier", "take an override back: the verifier's word counts"),
)


class Said(NamedTuple):
    """What was chosen; `outcome` is None for the verifier's own."""

    outcome: Outcome | None
    note: str


class OverrideScreen(ModalScreen[Said | None]):
    """Asks what a completion is.

    Args:
        trace: the completion, with the override that it has.
        author: the name under which it will be kept.
    """

    AUTO_FOCUS = "OptionList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="override.back", group=APP),
        Binding("down", "move('cursor_down')", "Next", show=False, id="override.down", group=MOVE),
        Binding("up", "move('cursor_up')", "Previous", show=False, id="override.up", group=MOVE),
    ]

    def __init__(self, trace: TraceRow, author: str) -> None:
        super().__init__()
        self._trace = trace
        self._author = author

    def compose(self) -> ComposeResult:
        trace = self._trace
        said = str(trace.head.verified or "ungraded")
        title = f"Sample #{trace.head.index}: the verifier says {said}"
        if trace.second is not None:
            title += f", {one_line(trace.second.verifier)} says {trace.second.outcome}"
        note = trace.override.note if trace.override else ""
        with Vertical(classes="dialog"):
            yield Static(title, classes="dialog-title", markup=False)
            yield OptionList(*(Option(Text(f"{name:<10}{what}")) for name, what in _CHOICES))
            yield Static("why (optional)", classes="dialog-label", markup=False)
            yield Input(note, max_length=LONGEST_NOTE, compact=True, id="override-note")
            who = one_line(self._author, 30)
            hint = f"kept as {who} · enter says it · tab to the note · esc back"
            yield Static(hint, classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        wrong = self._trace.head.outcome is Outcome.CORRECT
        place = 2 if self._trace.override is not None else int(wrong)
        self.query_one(OptionList).highlighted = place

    def action_move(self, action: str) -> None:
        getattr(self.query_one(OptionList), f"action_{action}")()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._finish()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._finish()

    def _finish(self) -> None:
        name = _CHOICES[self.query_one(OptionList).highlighted or 0][0]
        outcome = None if name == "verifier" else Outcome(name)
        self.dismiss(Said(outcome, " ".join(self.query_one(Input).value.split())))


def job(said: Said, completion_id: int, author: str) -> Callable[[sqlite3.Connection], object]:
    """What writes it."""

    def write(db: sqlite3.Connection) -> None:
        from explorer.store.overrides import clear, override

        if said.outcome is None:
            clear(db, [completion_id])
        else:
            override(db, [completion_id], said.outcome, author, said.note)

    return write


def sentence(said: Said, index: int) -> str:
    """What is then said of it."""
    if said.outcome is None:
        return f"Sample #{index} is the verifier's again."
    return f"Sample #{index} counts as {said.outcome} now."

"""A small list to choose one thing from, over the screen that asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from explorer.tui.keys import APP, MOVE


class ChooseScreen(ModalScreen[int | None]):
    """Returns the position of what was chosen, or None.

    Args:
        question: the title.
        choices: safe text, one per line.
        current: which one the cursor starts on.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,backspace", "dismiss", "Back", id="choose.back", group=APP),
        Binding("j", "move('cursor_down')", "Next", show=False, id="choose.down", group=MOVE),
        Binding("k", "move('cursor_up')", "Previous", show=False, id="choose.up", group=MOVE),
    ]

    def __init__(self, question: str, choices: Sequence[str], current: int = 0) -> None:
        super().__init__()
        self._question = question
        self._choices = choices
        self._current = current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield OptionList(*(Option(Text(choice)) for choice in self._choices))
            yield Static("enter choose · q back", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._current

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)

    def action_move(self, action: str) -> None:
        getattr(self.query_one(OptionList), f"action_{action}")()

"""The dialogue behind `S`: how many completions each arm shall have, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from explorer.tui.keys import APP

if TYPE_CHECKING:
    from explorer.core.arm import Sampling


class Wanted(NamedTuple):
    """What was chosen."""

    n: int
    sampling: Sampling


class SampleScreen(ModalScreen[Wanted | None]):
    """Asks for n and a preset.

    Args:
        models: safe names of the models that will be sampled.
        n: what is proposed.
        presets: settings to choose from, by name; the current ones first.
    """

    AUTO_FOCUS = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="sample.back", group=APP),
        Binding("down", "settings", "Settings", show=False, id="sample.down", group=APP),
    ]

    def __init__(self, models: str, n: int, presets: Mapping[str, Sampling]) -> None:
        super().__init__()
        self._models = models
        self._n = n
        self._presets = presets

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Sample {self._models}", classes="dialog-title", markup=False)
            yield Static("completions that each arm shall have", markup=False)
            yield Input(str(self._n), type="integer", compact=True, id="sample-n")
            yield Static("settings", classes="dialog-label", markup=False)
            yield OptionList(
                *(
                    Option(Text(f"{name:<12} {sampling.label()}"))
                    for name, sampling in self._presets.items()
                )
            )
            yield Static("", id="sample-error", markup=False)
            yield Static(
                "enter asks · tab or ↓ to the settings · esc back",
                classes="dialog-hint",
                markup=False,
            )

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(OptionList).highlighted = 0

    def action_settings(self) -> None:
        self.query_one(OptionList).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._finish()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._finish()

    def _finish(self) -> None:
        text = self.query_one(Input).value.strip()
        n = int(text) if text.isdecimal() else 0
        if not 1 <= n <= 1_000_000:
            self.query_one("#sample-error", Static).update("a number from 1 to 1,000,000")
            self.query_one(Input).focus()
            return
        position = self.query_one(OptionList).highlighted or 0
        self.dismiss(Wanted(n, list(self._presets.values())[position]))

"""The dialogue behind `u`: how many samples of each model may be spent until it is settled."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from explorer.core.sequential import BATCH, DEFAULT_CAP
from explorer.tui.keys import APP
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.core.arm import Sampling
    from explorer.tui.app import ExplorerApp
    from explorer.views.problem_page import ProblemPage
    from explorer.views.sureness import Sureness


class SettleScreen(ModalScreen[int | None]):
    """Asks for the cap.

    Args:
        names: safe names of the base and of the model compared with it.
        outlook: what is known now.
    """

    AUTO_FOCUS = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="settle.back", group=APP),
    ]

    def __init__(self, names: Sequence[str], outlook: str) -> None:
        super().__init__()
        self._names = names
        self._outlook = outlook

    def compose(self) -> ComposeResult:
        base, other = self._names
        with Vertical(classes="dialog"):
            title = f"Which solves it more often, {base} or {other}?"
            yield Static(title, classes="dialog-title", markup=False)
            yield Static(self._outlook, markup=False)
            yield Static(
                f"Draws batches of {BATCH} of the one in more doubt, until it is settled.",
                markup=False,
            )
            yield Static("at most, of each", classes="dialog-label", markup=False)
            yield Input(str(DEFAULT_CAP), type="integer", compact=True, id="settle-cap")
            yield Static("", id="settle-error", markup=False)
            yield Static("enter draws · esc back", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        cap = int(text) if text.isdecimal() else 0
        if not 1 <= cap <= 1_000_000:
            self.query_one("#settle-error", Static).update("a number from 1 to 1,000,000")
            return
        self.dismiss(cap)


def offer(app: ExplorerApp, page: ProblemPage, sureness: Sureness | None) -> None:
    """Ask for the cap and then the sampler, if the models compared can be sampled from here."""
    pair = page.choice.pair()
    if pair is None:
        app.notify("This needs a base and another model side by side.", markup=False)
        return
    columns = [page.choice.columns[position] for position in pair]
    if not all(column.configured for column in columns):
        app.notify(
            "Both models must be in explorer.toml to be sampled.",
            severity="warning",
            markup=False,
        )
        return
    order = next(iter(sureness.orders), None) if sureness else None
    outlook = order.outlook() if order else "not both have graded samples yet"
    base, other = (one_line(column.name) for column in columns)

    def chosen(cap: int | None) -> None:
        if cap is None:
            return
        names = (columns[0].name, columns[1].name)
        job = partial(_request, names, page.row.id, page.choice.sampling, cap)
        said = f"Drawing {base} and {other} until it is settled, at most {cap:,} of each."
        app.ask(said, job, then_sample=True)

    app.push_screen(SettleScreen((base, other), outlook), chosen)


def _request(
    names: tuple[str, str], problem_id: int, sampling: Sampling, cap: int, db: sqlite3.Connection
) -> None:
    from explorer.store.settling import ask_to_settle

    ask_to_settle(db, *names, problem_id, sampling, cap)

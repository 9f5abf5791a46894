"""The dialogue behind `c`: which model goes on from the token under the cursor, and how often."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from explorer.core.branching import grid
from explorer.tui.keys import APP
from explorer.views.numbers import percent
from explorer.views.text import one_line
from explorer.views.trace_glyphs import visible

if TYPE_CHECKING:
    from explorer.core.arm import Sampling
    from explorer.store.rows import TraceRow
    from explorer.tui.app import ExplorerApp

TIMES: Final = 16
"""How often a model goes on, unless a person says otherwise."""

ALTERNATIVES: Final = 4
"""Other tokens offered in place of the one under the cursor."""


class Way(NamedTuple):
    """One way to go on.

    Attributes:
        places: how many tokens are kept, one branch each.
        swapped: id and text of the token that follows them instead; None for the trace's own.
        label: safe text.
    """

    model: str
    places: tuple[int, ...]
    swapped: tuple[int, str] | None
    label: str


class Chosen(NamedTuple):
    """What was chosen."""

    way: Way
    n: int


class ForkScreen(ModalScreen[Chosen | None]):
    """Asks how often and which way.

    Args:
        title: safe text.
        ways: what can be chosen.
    """

    AUTO_FOCUS = "OptionList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,q", "dismiss", "Back", id="fork.back", group=APP),
    ]

    def __init__(self, title: str, ways: Sequence[Way]) -> None:
        super().__init__()
        self._title = title
        self._ways = ways

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield OptionList(*(Option(Text(way.label)) for way in self._ways))
            yield Static("times", classes="dialog-label", markup=False)
            yield Input(str(TIMES), type="integer", compact=True, id="fork-n")
            yield Static("", id="fork-error", markup=False)
            yield Static(
                "enter goes on · tab to the number · esc back", classes="dialog-hint", markup=False
            )

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(OptionList).highlighted = 0

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._finish()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._finish()

    def _finish(self) -> None:
        text = self.query_one(Input).value.strip()
        n = int(text) if text.isdecimal() else 0
        if not 1 <= n <= 100_000:
            self.query_one("#fork-error", Static).update("a number from 1 to 100,000")
            return
        self.dismiss(Chosen(self._ways[self.query_one(OptionList).highlighted or 0], n))


def ways_of(trace: TraceRow, token: int, models: Sequence[str], base: str) -> list[Way]:
    """From here as written, over the whole trace, then with another token, base first."""
    assert trace.tokens is not None, "only tokens can be gone on from"
    ordered = sorted(models, key=lambda name: name != base)
    own = int(trace.tokens.ids[token]) if token < len(trace.tokens) else -1
    others = _alternatives(trace, token, own, base)
    ways = []
    for model in ordered:
        name = one_line(model, limit=20)
        ways.append(Way(model, (token,), None, f"{name} from here"))
    for model in ordered:
        name = one_line(model, limit=20)
        places = grid(len(trace.tokens))
        ways.append(Way(model, places, None, f"{name} over the trace, {len(places)} places"))
    for model in ordered:
        name = one_line(model, limit=20)
        for token_id, text, chance in others:
            label = f"{name} with ‘{one_line(visible(text, ' '), limit=16)}’ instead"
            ways.append(Way(model, (token,), (token_id, text), f"{label}  {percent(chance)}"))
    return ways


def offer(app: ExplorerApp, trace: TraceRow, token: int, base: str, sampling: Sampling) -> None:
    """Ask which way, then the sampler."""
    models = list(app.settings.models)
    if not models:
        app.notify("No model is in explorer.toml, so none can go on.", markup=False)
        return
    if not sampling.is_known:
        sampling = app.settings.presets[app.settings.default_preset]
    ways = ways_of(trace, token, models, base)
    title = f"Go on from token {token + 1}, after {token} tokens"

    def chosen(found: Chosen | None) -> None:
        if found is None:
            return
        job = partial(_request, trace.head.id, found, sampling)
        where = "here" if len(found.way.places) == 1 else f"{len(found.way.places)} places"
        said = f"Asked {one_line(found.way.model)} to go on {found.n:,} times from {where}."
        app.ask(said, job, then_sample=True)

    app.push_screen(ForkScreen(title, ways), chosen)


def _alternatives(trace: TraceRow, token: int, own: int, base: str) -> list[tuple[int, str, float]]:
    """The likeliest other tokens at this place, as the base's scores, or else any, know them."""
    from math import exp

    scores = sorted(trace.scores.items(), key=lambda item: item[0].model != base)
    for _, one in scores:
        if token < len(one.top_texts):
            found = zip(
                one.top_ids[token].tolist(),
                one.top_texts[token],
                one.top_logprobs[token].tolist(),
                strict=False,
            )
            other = [(int(i), text, exp(logprob)) for i, text, logprob in found if i != own]
            return other[:ALTERNATIVES]
    return []


def _request(completion_id: int, found: Chosen, sampling: Sampling, db: sqlite3.Connection) -> None:
    from explorer.store.branches import ask_for_branch

    way = found.way
    for place in way.places:
        ask_for_branch(db, completion_id, place, way.model, sampling, found.n, way.swapped)

"""The dialogue behind `s` in Study: how many of everything, within what budget, at what cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from explorer.tui.keys import APP
from explorer.tui.reader import Snapshot
from explorer.tui.render.cells import wrap
from explorer.tui.render.runs_rows import table_rows
from explorer.tui.screens.frame import HEIGHTS
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import Rows
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.store.guides import Wish
    from explorer.tui.app import ExplorerApp
    from explorer.views.guide_estimate import Estimate
    from explorer.views.study_snapshot import StudyView

MOST: Final = 100_000
"""Most completions of a cell that can be asked for."""

PROPOSED: Final = 256
"""Completions of each that are proposed: what the paper takes its sampling-efficiency gap at."""

FIELDS: Final = (("samples", "samples"), ("tokens", "tokens"), ("minutes", "minutes"))


class GuideScreen(ModalScreen["Wish | None"]):
    """Asks for n and limits, and shows what they cost before it starts.

    Args:
        wish: what is proposed.
    """

    AUTO_FOCUS = "#guide-n"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="guide.back", group=APP),
        Binding("down", "app.focus_next", "Next field", show=False, id="guide.next", group=APP),
        Binding("up", "app.focus_previous", "Field before", show=False, id="guide.previous",
                group=APP),
    ]  # fmt: skip

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = list(HEIGHTS)
        self.wish = wish
        self.estimate: Estimate | None = None

    def compose(self) -> ComposeResult:
        from explorer.views.numbers import plural

        wish = self.wish
        models = ", ".join(one_line(name, 24) for name in wish.models)
        problems = plural(len(wish.problem_ids), "problem")
        with Vertical(classes="dialog", id="guide-dialog"):
            yield Static("Sample this set", classes="dialog-title", markup=False)
            named = one_line(wish.named, 40)
            what = f"{models} on {problems} ({named}), {wish.sampling.label()}"
            yield Static(what, id="guide-what", markup=False)
            with Horizontal(classes="guide-fields"):
                yield Static("of each problem", classes="guide-label", markup=False)
                yield Input(str(wish.n), compact=True, id="guide-n")
            for name, label in FIELDS:
                with Horizontal(classes="guide-fields"):
                    yield Static(f"at most, {label}", classes="guide-label", markup=False)
                    yield Input(placeholder="no limit", compact=True, id=f"guide-{name}")
            yield Static("", id="guide-error", markup=False)
            yield Rows(id="guide-estimate")
            yield Static(
                "enter begins · tab or ↓ next field · esc back",
                classes="dialog-hint",
                markup=False,
            )

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self._ask_estimate()

    def on_unmount(self) -> None:
        self._explorer.reader.forget(self)

    @property
    def _explorer(self) -> ExplorerApp:
        return cast("ExplorerApp", self.app)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._ask_estimate()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        found, fault = self._read()
        if found is None:
            self._say_fault(fault)
            return
        self.dismiss(found)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def on_snapshot(self, event: Snapshot) -> None:
        event.stop()
        estimate = cast("Estimate", event.value)
        if estimate.wish == self._read()[0]:
            self.estimate = estimate
            self._draw()

    def _ask_estimate(self) -> None:
        from explorer.views.guide_estimate import EstimateSubject

        found, fault = self._read()
        self._say_fault(fault)
        if found is not None:
            self._explorer.reader.watch(self, "estimate", EstimateSubject(found))

    def _say_fault(self, fault: str) -> None:
        self.query_one("#guide-error", Static).update(fault)
        self.query_one("#guide-error").display = bool(fault)

    def _read(self) -> tuple[Wish | None, str]:
        """What the fields say, or what is wrong with them."""
        from explorer.core.guidance import default_ks
        from explorer.store.guides import Limits
        from explorer.views.guides import amount

        text = self.query_one("#guide-n", Input).value
        n = amount(text) or 0
        if not 1 <= n <= MOST:
            return None, f"a number from 1 to {MOST:,}"
        limits: list[int | None] = []
        for name, label in FIELDS:
            text = self.query_one(f"#guide-{name}", Input).value.strip()
            value = amount(text) if text else None
            if text and value is None:
                return None, f"{label}: a number such as 5000, 20k or 2M, or nothing"
            limits.append(value)
        samples, tokens, minutes = limits
        found = Limits(samples, tokens, None if minutes is None else 60.0 * minutes)
        return replace(self.wish, n=n, ks=default_ks(n), limits=found), ""

    def _draw(self) -> None:
        from explorer.views.guide_estimate import HEADINGS

        box = self.query_one("#guide-estimate", Rows)
        found = self.estimate
        if found is None:
            box.say([[("reading …", "muted")]])
            return
        width = box.size.width or 70
        cells = list(zip(*found.table(), strict=True))
        columns = [
            (title, [(text, "text") for text in column], "right" if place else "left")
            for place, (title, column) in enumerate(zip(HEADINGS, cells, strict=True))
        ]
        gap: list[Pieces] = [] if self.size.height < 30 else [[]]
        rows: list[Pieces] = [*table_rows(columns, width), *gap]
        for text in (*found.sentences(), *found.bases()):
            own = "text" if text in found.sentences() else "muted"
            rows += [[(f" {line}", own)] for line in wrap(text, width - 2)]
        box.say(rows)


def offer(app: ExplorerApp, view: StudyView | None) -> None:
    """Ask for n and a budget, and then the sampler; what is shown says models and problems."""
    wish = None if view is None else _wish(view)
    if wish is None:
        app.notify(
            "None of these models is in explorer.toml, so none can be sampled.",
            severity="warning",
            markup=False,
        )
        return
    if not wish.problem_ids:
        app.notify("No problem is shown.", markup=False)
        return

    def chosen(found: Wish | None) -> None:
        if found is not None:
            said = "Guided sampling has begun: r shows how far it is, and pauses it."
            app.ask(said, partial(_request, found), then_sample=True)

    app.push_screen(GuideScreen(wish), chosen)


def _wish(view: StudyView) -> Wish | None:
    from explorer.core.guidance import default_ks
    from explorer.store.guides import Wish
    from explorer.views.guides import pairs_of

    columns = [column for column in view.shown.choice.columns if column.configured]
    if not columns:
        return None
    names: Sequence[str] = [column.name for column in columns]
    return Wish(
        models=tuple(names),
        pairs=pairs_of(names, {column.name: column.model.base for column in columns}),
        problem_ids=tuple(row.id for row in view.study.rows),
        named=view.shown.filter_text or "all",
        sampling=view.shown.choice.sampling,
        n=PROPOSED,
        ks=default_ks(PROPOSED),
    )


def _request(wish: Wish, db: sqlite3.Connection) -> None:
    from explorer.store.guides import ask

    ask(db, wish)

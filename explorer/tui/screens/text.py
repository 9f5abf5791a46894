"""A page of safe text over the screen that asked: the exact prompt, a log, a long error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from explorer.tui.keys import APP, MOVE
from explorer.tui.render.cells import wrap
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import Rows

LEAST_COLUMN: Final = 20
"""Cells below which a last piece gets no column of its own."""


class TextScreen(ModalScreen[None]):
    """Scrollable text.

    Args:
        title: what it is.
        rows: pieces of one line each, or what makes them for a width; long lines are wrapped, in
            the style of their last piece.
        hint: the keys, in a line.
    """

    AUTO_FOCUS = "VerticalScroll"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,backspace,enter,p,question_mark", "dismiss", "Back", key_display="q",
                id="text.back", group=APP),
        Binding("j", "scroll(1)", "Down", show=False, id="text.down", group=MOVE),
        Binding("k", "scroll(-1)", "Up", show=False, id="text.up", group=MOVE),
        Binding("space", "page(1)", "Page down", show=False, id="text.page", group=MOVE),
        Binding("b", "page(-1)", "Page up", show=False, id="text.pageup", group=MOVE),
        Binding("g", "edge(-1)", "Top", show=False, id="text.top", group=MOVE),
        Binding("G", "edge(1)", "End", show=False, id="text.end", group=MOVE),
    ]  # fmt: skip

    def __init__(
        self,
        title: str,
        rows: Sequence[Pieces] | Callable[[int], Sequence[Pieces]],
        hint: str = "j k scroll · q back",
    ) -> None:
        super().__init__()
        self._title = title
        self._rows = rows
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="page"):
            yield Static(self._title, classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Rows(id="text-rows")
            yield Static(self._hint, classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def retitle(self, title: str) -> None:
        """Say that this is something else."""
        self._title = title
        self.query_one(".dialog-title", Static).update(title)

    def show(self, rows: Sequence[Pieces]) -> None:
        """Show other text."""
        self._rows = rows
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        if width <= 0:
            return
        rows = self._rows(width) if callable(self._rows) else self._rows
        laid = [part for row in rows for part in _folded(row, width)]
        self.query_one("#text-rows", Rows).say(laid)

    def _scroller(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def action_scroll(self, step: int) -> None:
        self._scroller().scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        self._scroller().scroll_relative(y=step * (self.size.height // 2), animate=False)

    def action_edge(self, direction: int) -> None:
        if direction < 0:
            self._scroller().scroll_home(animate=False)
        else:
            self._scroller().scroll_end(animate=False)


def _folded(row: Pieces, width: int) -> list[Pieces]:
    """A row in as many lines as it needs: its last piece is wrapped beneath where it begins."""
    if sum(cell_len(text) for text, _ in row) <= width:
        return [row]
    *head, (text, name) = row
    if not head:
        return [[(line, name)] for line in wrap(text, width)]
    indent = sum(cell_len(part) for part, _ in head)
    if width - indent < LEAST_COLUMN:
        whole = "".join(part for part, _ in row)
        return [[(line, name)] for line in wrap(whole, width)]
    first, *rest = wrap(text.strip(), width - indent - 1)
    gap = " " * (indent + 1)
    return [[*head, (f" {first}", name)], *([(gap + line, name)] for line in rest)]

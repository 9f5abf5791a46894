"""A virtualised list of one-line rows to move through and choose from.

Invariant: only rows on the screen are made; a cursor move repaints two rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.keys import GO, MOVE
from explorer.tui.render.cells import strip_of
from explorer.tui.theme import Palette, ink, palette_for
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import piece_style

Draw = Callable[[int, int], Pieces]
"""(row, width) -> its pieces."""


class PickList(ScrollView, can_focus=True):
    """Rows drawn by a function of their number."""

    DEFAULT_CSS = """
    PickList {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next row", show=False, id="pick.down", group=MOVE),
        Binding("k,up", "move(-1)", "Previous row", show=False, id="pick.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="pick.pagedown",
                group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="pick.pageup", group=MOVE),
        Binding("g,home", "edge(-1)", "First row", show=False, id="pick.top", group=MOVE),
        Binding("G,end", "edge(1)", "Last row", show=False, id="pick.bottom", group=MOVE),
        Binding("enter,right,l", "open", "Open", key_display="enter", id="pick.open", group=GO,
                tooltip="Open this row"),
    ]  # fmt: skip

    class Opened(Message):
        """A row was chosen."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.cursor = 0
        self.count = 0
        self.placeholder = ""
        self._draw: Draw = lambda _row, _width: ()

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def show(self, count: int, draw: Draw, placeholder: str = "", keep: bool = False) -> None:
        """Show `count` rows; `keep` leaves the cursor where it is.

        Args:
            placeholder: a safe sentence to show where there are no rows.
        """
        self.count, self._draw, self.placeholder = count, draw, placeholder
        self.cursor = max(0, min(self.cursor if keep else 0, count - 1))
        self.virtual_size = Size(self._width, max(1, count))
        self._scroll_to_cursor()
        self.refresh()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width or self.size.width

    def render_line(self, y: int) -> Strip:
        width, row = self._width, y + self.scroll_offset.y
        ground = ink(self.palette.text, self.palette.background)
        if row >= self.count:
            if row == 0 and self.placeholder:
                return strip_of([(f" {self.placeholder}", ink(self.palette.muted))], width, ground)
            return Strip.blank(width, ground)
        here = row == self.cursor
        if here:
            ground = ink(self.palette.strong, self.palette.cursor)
        mark = ("▸" if here else " ", ink(self.palette.accent))
        pieces = [(text, piece_style(name, self.palette)) for text, name in self._draw(row, width)]
        return strip_of([mark, *pieces], width, ground)

    def on_resize(self, event: Resize) -> None:
        self.virtual_size = Size(self._width, max(1, self.count))
        self._scroll_to_cursor()
        self.refresh()

    def move_to(self, row: int) -> None:
        """Put the cursor on a row and bring it into sight."""
        row = max(0, min(row, self.count - 1))
        before, self.cursor = self.cursor, row
        for one in {before, row}:
            y = one - self.scroll_offset.y
            if 0 <= y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))
        self._scroll_to_cursor()
        if row != before:
            self.post_message(self.Moved(row))

    def _scroll_to_cursor(self) -> None:
        height, top = max(1, self.scrollable_content_region.height), self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def action_move(self, step: int) -> None:
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        self.move_to(self.cursor + step * max(1, self.size.height - 1))

    def action_edge(self, direction: int) -> None:
        self.move_to(0 if direction < 0 else self.count - 1)

    def action_open(self) -> None:
        if self.count:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: Click) -> None:
        row = event.y + self.scroll_offset.y
        if row == self.cursor:
            self.action_open()
        elif row < self.count:
            self.move_to(row)

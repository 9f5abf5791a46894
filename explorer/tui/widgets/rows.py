"""Several lines of coloured pieces, as tall as they are many; repaints only lines that changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.render.cells import strip_of
from explorer.tui.theme import Palette, ink, palette_for
from explorer.tui.widgets.line import Pieces


class Rows(Widget):
    """Lines of text; a piece's colour name may carry attributes and `on COLOUR`."""

    DEFAULT_CSS = """
    Rows { height: auto; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[Pieces] = ()

    def say(self, rows: Sequence[Pieces]) -> None:
        """Show these lines."""
        before, self.rows = self.rows, [list(row) for row in rows]
        if len(before) != len(self.rows):
            self.refresh(layout=True)
            return
        for y, (was, now) in enumerate(zip(before, self.rows, strict=True)):
            if was != now:
                self.refresh(Region(0, y, max(1, self.size.width), 1))

    @property
    def text(self) -> str:
        """All that it says."""
        return "\n".join("".join(text for text, _ in row) for row in self.rows)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.rows)

    def render_line(self, y: int) -> Strip:
        blank = self.rich_style
        pieces = self.rows[y] if y < len(self.rows) else ()
        palette = self.palette
        return strip_of(
            [(text, piece_style(name, palette)) for text, name in pieces], self.size.width, blank
        )


def piece_style(name: str, palette: Palette) -> Style:
    """The style of `text`, `rl bold` or `strong on cursor`."""
    front, _, back = name.partition(" on ")
    colour, _, attributes = front.partition(" ")
    return ink(palette.colour(colour), palette.colour(back) if back else "", attributes)

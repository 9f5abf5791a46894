"""One-line widgets: they hold pieces of styled text and repaint only when those change."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.render.cells import fit, strip_of
from explorer.tui.theme import Palette, ink, palette_for

Pieces = Sequence[tuple[str, str]]
"""Text and the name of its colour; a name may have ' bold' behind it."""


class Line(Widget):
    """Text at the left and text at the right; what gives way where there is no room is `keep`."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; }
    """

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
        keep: int = 0,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.keep = keep
        """Pieces at the left that stay where all do not fit; 0: the right gives way instead."""
        self.left: Pieces = ()
        self.right: Pieces = ()

    def say(self, left: Pieces, right: Pieces = ()) -> None:
        """Show these pieces."""
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    @property
    def text(self) -> str:
        """All that it says, for tests and for people who read with a screen reader."""
        return "".join(text for text, _ in (*self.left, *self.right))

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        blank = self.rich_style
        if y:
            return Strip.blank(width, blank)
        shown = list(self.left)
        left = sum(cell_len(text) for text, _ in shown)
        right = sum(cell_len(text) for text, _ in self.right)
        while self.keep and left + right + 4 > width and len(shown) > self.keep:
            left -= cell_len(shown.pop()[0])
        pieces = [(text, self._style(name)) for text, name in shown]
        if self.right and left + right + 2 <= width - 2:
            pieces = [(" ", blank), *pieces, (" " * (width - left - right - 2), blank)]
            pieces += [(text, self._style(name)) for text, name in self.right]
        elif left + 2 > width:
            pieces = [(" ", blank), *self._cut(pieces, width - 2)]
        else:
            pieces = [(" ", blank), *pieces]
        return strip_of(pieces, width, blank)

    def _cut(self, pieces: list[tuple[str, Style]], width: int) -> list[tuple[str, Style]]:
        kept: list[tuple[str, Style]] = []
        for text, style in pieces:
            if cell_len(text) > width:
                return [*kept, (fit(text, width), style)]
            kept.append((text, style))
            width -= cell_len(text)
        return kept

    def _style(self, name: str) -> Style:
        colour, _, attributes = name.partition(" ")
        back = self.styles.background.hex if self.styles.background.a else ""
        return ink(self.palette.colour(colour), back.lower()[:7], attributes)

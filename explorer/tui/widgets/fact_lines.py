"""Lines of coloured facts that repaint only the rows that changed.

Invariant: text reaches the terminal as `Strip` segments, never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.theme import Palette, ink, palette_for
from explorer.views.trace_facts import SEPARATOR, Said

Chunk = tuple[str, Style]


class FactLines(Widget):
    """A fixed number of lines, each a sequence of facts with separators between."""

    DEFAULT_CSS = """
    FactLines { height: auto; width: 1fr; }
    """

    def __init__(
        self,
        rows: int,
        *,
        widget_id: str | None = None,
        classes: str | None = None,
        indent: int = 1,
    ) -> None:
        super().__init__(id=widget_id, classes=classes)
        self.styles.height = rows
        self._rows: list[list[Said]] = [[] for _ in range(rows)]
        self._indent = indent
        self._raised = False

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    @property
    def said(self) -> list[list[Said]]:
        """What the rows say."""
        return self._rows

    @property
    def room(self) -> int:
        """Cells that a row can hold, 0 before the first layout."""
        return max(0, self.size.width - self._indent)

    def say(self, row: int, facts: Sequence[Said]) -> None:
        """Put facts in a row; repaints it if they differ from what it says."""
        if list(facts) != self._rows[row]:
            self._rows[row] = list(facts)
            self.refresh(Region(0, row, max(self.size.width, 1), 1))

    def raise_ground(self, raised: bool) -> None:
        """Stand out from the page, or not; without CSS, so that nothing else is styled anew."""
        if raised != self._raised:
            self._raised = raised
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row, padded to the width."""
        chunks = self.chunks(y) if y < len(self._rows) else []
        segments = [Segment(" " * self._indent), *(Segment(*chunk) for chunk in chunks)]
        ground = Style(bgcolor=self.palette.raised if self._raised else self.rich_style.bgcolor)
        return Strip(segments).crop_extend(0, self.size.width, None).apply_style(ground)

    def chunks(self, row: int) -> list[Chunk]:
        """A row as styled text; neighbours of one style are one chunk."""
        palette = self.palette
        chunks: list[Chunk] = []
        for place, fact in enumerate(self._rows[row]):
            if place:
                chunks.append((SEPARATOR, ink(palette.faint)))
            chunks.append((fact.text, tone_style(palette, fact)))
        return chunks


def tone_style(palette: Palette, fact: Said) -> Style:
    """The style of a fact."""
    return ink(palette.colour(fact.tone), attributes="bold" if fact.bold else "")

"""A canvas of braille dots, 2×4 to a cell, on which later layers win the colour of a cell."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.strip import Strip

from explorer.tui.render.cells import strip_of

_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK: Final = 0x2800


class Canvas:
    """Dots, and characters that stand on top of them.

    Args:
        width, height: in cells; dots are addressed 0 … 2·width-1 and 0 … 4·height-1, from the
            top left.
        blank: style of empty cells.
    """

    def __init__(self, width: int, height: int, blank: Style) -> None:
        self.width, self.height = width, height
        self._blank = blank
        self._dots = [[0] * width for _ in range(height)]
        self._styles: list[list[Style | None]] = [[None] * width for _ in range(height)]
        self._layers = [[-1] * width for _ in range(height)]
        self._characters: dict[tuple[int, int], tuple[str, Style]] = {}
        self._ground: dict[tuple[int, int], tuple[str, Style]] = {}
        self._backs: dict[int, Style] = {}

    def dot(self, x: int, y: int, style: Style, layer: int) -> None:
        """Set a dot; a cell keeps only the dots of its highest layer."""
        column, row = x >> 1, y >> 2
        if not (0 <= column < self.width and 0 <= row < self.height):
            return
        if layer < self._layers[row][column]:
            return
        if layer > self._layers[row][column] or self._styles[row][column] != style:
            self._dots[row][column] = 0
        self._layers[row][column] = layer
        self._styles[row][column] = style
        self._dots[row][column] |= _DOTS[y & 3][x & 1]

    def line(
        self, start: tuple[int, int], end: tuple[int, int], style: Style, layer: int, gap: int = 0
    ) -> None:
        """A line of dots, both ends included; `gap` leaves out dots so that it looks dotted."""
        (x0, y0), (x1, y1) = start, end
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            if gap and step % (gap + 1):
                continue
            x = round(x0 + (x1 - x0) * step / steps)
            y = round(y0 + (y1 - y0) * step / steps)
            self.dot(x, y, style, layer)

    def put(self, column: int, row: int, text: str, style: Style) -> None:
        """Characters on top of the dots; what falls outside is left out."""
        for offset, character in enumerate(text):
            if 0 <= column + offset < self.width and 0 <= row < self.height:
                self._characters[row, column + offset] = (character, style)

    def rule(self, row: int, character: str, style: Style) -> None:
        """A row of characters beneath everything else."""
        for column in range(self.width):
            self._ground[row, column] = (character, style)

    def shade(self, column: int, background: Style) -> None:
        """Give a column of cells a background."""
        if 0 <= column < self.width:
            self._backs[column] = background

    def strips(self) -> list[Strip]:
        """The rows, top first."""
        return [self._row(row) for row in range(self.height)]

    def _row(self, row: int) -> Strip:
        pieces: list[tuple[str, Style]] = []
        for column in range(self.width):
            back = self._backs.get(column)
            top = self._characters.get((row, column))
            bits = self._dots[row][column]
            if top:
                text, style = top
            elif bits:
                text, style = chr(_BLANK + bits), self._styles[row][column] or self._blank
            else:
                text, style = self._ground.get((row, column), (" ", self._blank))
            pieces.append((text, style + back if back else style))
        return strip_of(pieces, self.width, self._blank)

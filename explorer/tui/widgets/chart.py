"""The chart widget: draws anew only for other data, another size or another theme."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.render.chart import chart
from explorer.tui.theme import Palette, palette_for

if TYPE_CHECKING:
    from explorer.views.curves import CurveSet
    from explorer.views.series_plot import SeriesPlot


class CurveChart(Widget):
    """pass@k curves, or a series, in whatever room there is."""

    DEFAULT_CSS = """
    CurveChart { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.curves: CurveSet | SeriesPlot | None = None
        self.focused = ""
        self.drawn = 0
        self._key: object = None
        self._strips: list[Strip] = []

    def show(self, curves: CurveSet | SeriesPlot, focus: str = "") -> None:
        """Show these; repaints only the rows that they change.

        Args:
            focus: label of the curve that is looked at.
        """
        if (curves, focus) == (self.curves, self.focused):
            return
        before, self.curves, self.focused = self._strips, curves, focus
        width, height = self.size
        if not before or not width or not height:
            self.refresh()
            return
        now = self._drawn()
        for y, (one, other) in enumerate(zip_longest(before, now)):
            if one != other:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self.curves is None:
            return Strip.blank(width, self.rich_style)
        strips = self._drawn()
        return strips[y] if y < len(strips) else Strip.blank(width, self.rich_style)

    def _drawn(self) -> list[Strip]:
        assert self.curves is not None
        width, height = self.size
        palette = palette_for(self.app.theme, self.app.current_theme.dark)
        key = (self.curves, self.focused, width, height, palette)
        if key != self._key:
            self._key = key
            self._strips = _draw(self.curves, width, height, palette, self.focused)
            self.drawn += 1
        return self._strips


def _draw(
    curves: CurveSet | SeriesPlot, width: int, height: int, palette: Palette, focus: str
) -> list[Strip]:
    from explorer.tui.render.series_chart import series_chart
    from explorer.views.series_plot import SeriesPlot

    if isinstance(curves, SeriesPlot):
        return series_chart(curves, width, height, palette)
    return chart(curves, width, height, palette, focus)

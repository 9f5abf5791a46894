"""The value curves of a trace in whatever room there is; drawn anew only when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.render.value_chart import value_chart
from explorer.tui.theme import palette_for

if TYPE_CHECKING:
    from explorer.views.value_curve import ValueCurve


class ValueChart(Widget):
    """Pass rate over token position, with the chosen branch marked."""

    DEFAULT_CSS = """
    ValueChart { width: 1fr; height: 8; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.curves: tuple[ValueCurve, ...] = ()
        self.n_tokens = 0
        self.chosen: int | None = None
        self._key: object = None
        self._strips: list[Strip] = []

    def show(
        self, curves: tuple[ValueCurve, ...], n_tokens: int, chosen: int | None = None
    ) -> None:
        """Show these; `chosen` is the position of the branch that the cursor is on."""
        now = (curves, n_tokens, chosen)
        if now != (self.curves, self.n_tokens, self.chosen):
            self.curves, self.n_tokens, self.chosen = now
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        palette = palette_for(self.app.theme, self.app.current_theme.dark)
        key = (self.curves, self.n_tokens, self.chosen, width, height, palette)
        if key != self._key:
            self._key = key
            self._strips = value_chart(
                *(self.curves, self.n_tokens, self.chosen, width, height, palette)
            )
        return self._strips[y] if y < len(self._strips) else Strip.blank(width, self.rich_style)

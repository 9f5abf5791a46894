"""The legend under the traces: the ramp in its own colours, with thresholds, unit and provenance.

Invariant: it is drawn with the same styles as the tokens, so it cannot say something else.
"""

from __future__ import annotations

from rich.cells import cell_len

from explorer.tui.render.ramp import gutter_mark, token_style
from explorer.tui.theme import ink
from explorer.tui.widgets.fact_lines import Chunk, FactLines
from explorer.views.grouping import Unit, legend_by
from explorer.views.noise import NoiseNote
from explorer.views.overlay import Legend, Overlay, legend


class LegendLine(FactLines):
    """One line: title, swatches from ordinary to notable, how the numbers were made."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(1, widget_id=widget_id)
        self.overlay = Overlay.SURPRISAL
        self._legend: Legend = legend(self.overlay, "base")

    def explain(
        self,
        overlay: Overlay,
        base: str,
        noise: NoiseNote | None = None,
        unit: Unit = Unit.TOKEN,
    ) -> None:
        """Show the legend of an overlay."""
        renewed = legend_by(unit, overlay, legend(overlay, base, noise))
        if (overlay, renewed) != (self.overlay, self._legend):
            self.overlay, self._legend = overlay, renewed
            self.refresh()

    def chunks(self, row: int) -> list[Chunk]:
        """The longest wording that fits; the swatches are always there."""
        shown = self._legend
        wordings = [
            (shown.title, shown.note, True),
            (shown.short, shown.note, True),
            (shown.short, "", True),
            (shown.short, shown.note, False),
            (shown.short, "", False),
        ]
        if shown.noise:  # what is no evidence matters more than the exact ranges
            both = f"{shown.noise} · {shown.note}"
            wordings = [
                (shown.title, both, True),
                (shown.short, both, True),
                (shown.short, shown.noise, True),
                (shown.short, shown.noise, False),
                (shown.short, shown.short_noise, False),
                *wordings[-1:],
            ]
        for title, note, ranges in wordings:
            chunks = self._worded(title, note, ranges)
            if sum(cell_len(text) for text, _ in chunks) <= self.room:
                break
        return chunks

    def _worded(self, title: str, note: str, ranges: bool) -> list[Chunk]:
        palette = self.palette
        chunks: list[Chunk] = [(f"{title}  ", ink(palette.text, attributes="bold"))]
        for level, label in self._legend.entries:
            mark = gutter_mark(self.overlay, level).strip() or "0"
            chunks.append((f" {mark} ", token_style(palette, self.overlay, level)))
            if ranges:
                chunks.append((f" {label}  ", ink(palette.muted)))
        if not ranges:
            chunks.append((f"  {self._legend.edges}  ", ink(palette.muted)))
        chunks.append((f" {note}" if note else "", ink(palette.faint)))
        return chunks

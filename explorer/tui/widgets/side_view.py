"""Two aligned traces, drawn line by line in two columns or one beneath the other.

Invariant: what is the same is calm; what differs is marked in the gutter and underlined, and has
its arm's colour besides.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.render.cells import strip_of
from explorer.tui.theme import Palette, ink, palette_for
from explorer.views.palette import ArmMark
from explorer.views.side_by_side import Aligned, By, Tone
from explorer.views.side_lines import BOTH, RIGHT, Run, SideLine, first_line, lay

SIDE_BY_SIDE_FROM = 100
"""Width from which there are two columns."""

_MARGIN = 4
"""Cells left of the text: the chosen difference, the mark, the side, a blank."""

_BETWEEN = 4
"""Cells between two columns: a blank, the mark, a rule, a blank."""


class SideView(ScrollView, can_focus=False):
    """The two texts; the screen chooses the difference."""

    DEFAULT_CSS = """
    SideView {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.aligned: Aligned | None = None
        self.lines: Sequence[SideLine] = ()
        self.chosen = 0
        self.marks = (ArmMark("◆", False, "rl"), ArmMark("●", False, "base"))

    @property
    def stacked(self) -> bool:
        """Whether the right side stands beneath the left one."""
        return self._room < SIDE_BY_SIDE_FROM

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width or self.size.width

    @property
    def column(self) -> int:
        """Cells of a column."""
        if self.stacked:
            return max(2, self._room - _MARGIN)
        return max(2, (self._room - 2 - _BETWEEN - 1) // 2)

    def show(self, aligned: Aligned, marks: tuple[ArmMark, ArmMark]) -> None:
        """Show these, with the point where they part in sight."""
        self.aligned, self.marks, self.chosen = aligned, marks, 0
        self._lay()
        self.choose(0)

    def choose(self, difference: int) -> None:
        """Mark a difference and bring it into sight."""
        self.chosen = difference
        line, top = first_line(self.lines, difference), self.scroll_offset.y
        height = self.size.height
        if not top <= line < top + height - 1:
            self.scroll_to(y=max(0, line - height // 3), animate=False, immediate=True)
        self.refresh()

    def _lay(self) -> None:
        if self.aligned is None or self._room <= 0:
            return
        self.lines = lay(self.aligned, self.column, self.stacked, cell_len)
        self.virtual_size = Size(self._room, len(self.lines))
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        self._lay()
        self.choose(self.chosen)

    def by_lines(self, lines: float) -> None:
        """Scroll."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, immediate=True)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def render_line(self, y: int) -> Strip:
        at, width, palette = y + self.scroll_offset.y, self._room, self.palette
        ground = ink(palette.text, palette.background)
        if at >= len(self.lines):
            return Strip.blank(width, ground)
        line = self.lines[at]
        here = self.chosen in line.differences
        mark = (line.mark or " ", ink(palette.accent, attributes="bold"))
        pieces: list[tuple[str, Style]] = [("▸" if here else " ", ink(palette.accent))]
        if line.right is None:
            own = self.marks[1 if line.side == RIGHT else 0]
            tag = " " if line.side == BOTH else own.marker
            pieces += [mark, (tag, ink(palette.colour(own.colour))), (" ", ground)]
            pieces += self._runs(line.left, own)
        else:
            pieces += [(" ", ground), *self._padded(line.left, self.marks[0])]
            pieces += [(" ", ground), mark, ("│ ", ink(palette.line))]
            pieces += self._runs(line.right, self.marks[1])
        return strip_of(pieces, width, ground)

    def _padded(self, runs: Sequence[Run], own: ArmMark) -> list[tuple[str, Style]]:
        used = sum(cell_len(run.text) for run in runs)
        return [*self._runs(runs, own), (" " * max(0, self.column - used), ink(self.palette.text))]

    def _runs(self, runs: Sequence[Run], own: ArmMark) -> list[tuple[str, Style]]:
        return [(run.text, self._style(run, own)) for run in runs]

    def _style(self, run: Run, own: ArmMark) -> Style:
        palette = self.palette
        if run.tone is not Tone.DIFFERENT:
            by_steps = self.aligned is not None and self.aligned.by is By.STEPS
            shared = run.tone is Tone.SAME and by_steps  # a calculation among words
            return ink(palette.strong if shared else palette.muted)
        attributes = "underline bold" if run.difference == self.chosen else "underline"
        return ink(palette.colour(own.colour), attributes=attributes)

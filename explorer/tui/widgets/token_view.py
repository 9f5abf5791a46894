"""A trace with coloured tokens and a token cursor, drawn line by line.

Invariants: every strip is cached under all that it was made of (content, line, width, theme,
overlay, gutter, cursor); a cursor move repaints the lines of the old and of the new token and
nothing else; equal neighbours are one segment; nothing is animated.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.strip import Strip

from explorer.tui.render.token_ink import Run, TokenInk
from explorer.tui.theme import Palette, ink, palette_for
from explorer.tui.widgets.token_cursor import GUTTER, TokenCursor
from explorer.views.folding import FoldedLayout, folds_of, repeated_units
from explorer.views.overlay import Colouring
from explorer.views.trace import TraceLayout, TraceText

CACHED_STRIPS = 600
"""A few pages of three columns at 70 lines."""


class TokenView(TokenCursor, can_focus=False):
    """One trace. The screen sets what it shows and moves its cursor; it says when either moved.

    It never takes Textual's focus: moving that restyles every scrollbar and repaints all columns.
    """

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.placeholder = ""
        self._marked: frozenset[int] = frozenset()
        self.folded = False
        self._dimmed: NDArray[np.bool_] | None = None
        self._ruled = False
        self._revision = 0
        self._ground: Style | None = None
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(CACHED_STRIPS)

    # --- what is shown -------------------------------------------------------------------------

    def show_trace(self, text: TraceText, colouring: Colouring) -> None:
        """Show another trace from its beginning."""
        self.text, self.colouring, self.placeholder = text, colouring, ""
        self._dimmed = None
        self.call_after_refresh(self._dim, text)
        self.cursor, self._goal_column = 0, None
        self._following = True  # another trace is no scrolling, linked columns stay
        self._changed(relayout=True)
        self._place(0)
        self._following = False
        self.post_message(self.CursorMoved(self))

    def _dim(self, text: TraceText) -> None:
        """Dim what was said before; after the first lines are drawn, which rarely repeat any."""
        if text is self.text:
            dimmed = repeated_units(text)
            if dimmed.any():
                self._dimmed = dimmed
                self._changed(relayout=False)

    def show_nothing(self, why: str) -> None:
        """Show a sentence instead of a trace."""
        if (self.text, self.placeholder) != (None, why):
            self.text, self.colouring, self.placeholder = None, None, why
            self._changed(relayout=True)
            self.post_message(self.CursorMoved(self))

    def recolour(self, colouring: Colouring) -> None:
        """The same trace under another overlay, or with newer scores; nothing moves."""
        self.colouring = colouring
        self._changed(relayout=False)

    def mark_tokens(self, tokens: Iterable[int]) -> None:
        """Mark the lines of these tokens at their edge: models went on from there."""
        marked = frozenset(tokens)
        if marked != self._marked:
            self._marked = marked
            self._revision += 1
            self._strips.clear()
            self.refresh()

    def set_gutter(self, shown: bool) -> None:
        """Show or hide the digits beside the lines."""
        self.show_gutter = shown
        self._changed(relayout=True)

    def set_folded(self, folded: bool) -> None:
        """Fold what the model thought, or show it; the cursor's line stays in sight."""
        if folded != self.folded:
            self.folded = folded
            self._changed(relayout=True)
            self._reveal(self.cursor)

    @property
    def can_fold(self) -> bool:
        """Whether there is thinking to fold."""
        return self.text is not None and bool(folds_of(self.text))

    def set_ruled(self, ruled: bool) -> None:
        """Draw a rule to the column on the left, or not."""
        if ruled != self._ruled:
            self._ruled = ruled
            self._changed(relayout=False)

    def _changed(self, relayout: bool) -> None:
        self._revision += 1
        if relayout:
            self._wrap()
        self.refresh()

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        if self.text is None or width <= 0:
            self._layout_now = None
            self._set_height(0)
            return
        body = width - (GUTTER if self.show_gutter else 1)
        folds = folds_of(self.text) if self.folded else []
        if folds:
            self._layout_now = FoldedLayout(self.text, body, cell_len, folds)
        else:
            self._layout_now = TraceLayout(self.text, body, cell_len)
        self._set_height(len(self._layout_now))

    def _set_height(self, lines: int) -> None:
        """As setting `virtual_size`, but without a layout of the whole screen."""
        size = Size(self.scrollable_content_region.width, lines)
        self.set_reactive(TokenView.virtual_size, size)
        self._scroll_update(size)

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew for another width and keep the cursor's token in sight."""
        wrapped = self._layout_now
        body = self.scrollable_content_region.width - (GUTTER if self.show_gutter else 1)
        if wrapped is None or wrapped.width != body:
            self._revision += 1
            self._wrap()
        if self.text is not None:
            self._reveal(self.cursor)
        self.refresh()

    def activate(self, active: bool) -> None:
        """Take or lose the keyboard; a cursor that was scrolled out of sight comes back."""
        if active != self.active:
            self.active = active
            if active:
                self.cursor_into_view()
            self._refresh_cursor(self.cursor)

    # --- drawing -------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """A line of the view, from the cache if nothing that made it has changed."""
        wrapped, line = self._layout_now, y + self.scroll_offset.y
        width = self.size.width
        if wrapped is None or self.colouring is None or line >= len(wrapped):
            return self._empty_line(y, width)
        overlay = self.colouring.overlay
        cursor = self._cursor_on(wrapped, line)
        key = (self._revision, line, width, self.app.theme, overlay, self.show_gutter, *cursor)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._draw(wrapped, line, width, self.colouring, *cursor)
            self._strips[key] = strip
        return strip

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self._ground = None

    def _palette(self) -> Palette:
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def _cursor_on(self, wrapped: TraceLayout, line: int) -> tuple[int | None, bool]:
        if self.text is None or self.cursor >= self.text.n_units:
            return None, False
        here = line in wrapped.lines_of(self.cursor)
        return (self.cursor, self.active) if here else (None, False)

    def _draw(
        self,
        wrapped: TraceLayout,
        line: int,
        width: int,
        colouring: Colouring,
        cursor: int | None,
        focused: bool,
    ) -> Strip:
        assert self.text is not None
        inks = TokenInk(self._palette(), self.text, colouring, self._dimmed, self._marked)
        spans = wrapped.spans(line)
        edge = self._edge(self._palette())
        gutter = inks.gutter(edge, spans, digits=self.show_gutter, here=focused)
        return self._grounded(inks.runs(gutter, spans, cursor, focused), width)

    def _edge(self, palette: Palette) -> Run:
        return ("│", ink(palette.line)) if self._ruled else (" ", ink(palette.text))

    def _empty_line(self, y: int, width: int) -> Strip:
        palette = self._palette()
        runs = [self._edge(palette)]
        if self.text is None and y == 1:
            runs.append((f"   {self.placeholder}", ink(palette.muted)))
        return self._grounded(runs, width)

    def _grounded(self, runs: list[tuple[str, Style]], width: int) -> Strip:
        """On the theme's background: a light theme in a dark terminal needs it."""
        if self._ground is None:  # asking the style sheet at every line is a tenth of drawing
            self._ground = Style(bgcolor=self.rich_style.bgcolor)
        strip = Strip([Segment(*run) for run in runs])
        return strip.crop_extend(0, width, None).apply_style(self._ground)

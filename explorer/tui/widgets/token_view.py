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
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.render.ramp import gutter_mark, token_style
from explorer.tui.theme import Palette, ink, palette_for
from explorer.views.folding import FoldedLayout, folds_of, repeated_units
from explorer.views.overlay import NOTABLE_LEVEL, Colouring, Overlay
from explorer.views.trace import Span, TraceLayout, TraceText

GUTTER = 4
"""Cells left of the text: a rule or blank, the line's strongest level if notable, a blank."""

CACHED_STRIPS = 600
"""A few pages of three columns at 70 lines."""


class TokenView(ScrollView, can_focus=False):
    """One trace. The screen sets what it shows and moves its cursor; it says when either moved.

    It never takes Textual's focus: moving that restyles every scrollbar and repaints all columns.
    """

    class CursorMoved(Message):
        """The cursor is on another token, or the trace has changed under it."""

        def __init__(self, view: TokenView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> TokenView:
            return self.view

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, TokenView.CursorMoved) and message.view is self.view

    class Scrolled(Message):
        """A person scrolled this view by `lines`."""

        def __init__(self, view: TokenView, lines: int) -> None:
            super().__init__()
            self.view = view
            self.lines = lines

    class Clicked(Message):
        """A person clicked into this view."""

        def __init__(self, view: TokenView) -> None:
            super().__init__()
            self.view = view

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.text: TraceText | None = None
        self.colouring: Colouring | None = None
        self.placeholder = ""
        self.cursor = 0
        self.active = False
        self.show_gutter = True
        self._marked: frozenset[int] = frozenset()
        self.folded = False
        self._dimmed: NDArray[np.bool_] | None = None
        self._ruled = False
        self._layout_now: TraceLayout | None = None
        self._revision = 0
        self._goal_column: int | None = None
        self._following = False
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(CACHED_STRIPS)

    # --- what is shown -------------------------------------------------------------------------

    def show_trace(self, text: TraceText, colouring: Colouring) -> None:
        """Show another trace from its beginning."""
        self.text, self.colouring, self.placeholder = text, colouring, ""
        self._dimmed = repeated_units(text)
        self.cursor, self._goal_column = 0, None
        self._following = True  # another trace is no scrolling, linked columns stay
        self._changed(relayout=True)
        self._place(0)
        self._following = False
        self.post_message(self.CursorMoved(self))

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

    @property
    def wrapped(self) -> TraceLayout | None:
        """The lines as they are wrapped for the present width."""
        return self._layout_now

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

    # --- moving --------------------------------------------------------------------------------

    def move_to(self, unit: int) -> None:
        """Put the cursor on a unit and bring it into sight."""
        wrapped = self._layout_now
        if wrapped is None or self.text is None or not self.text.n_units:
            return
        unit = max(0, min(unit, self.text.n_units - 1))
        if unit != self.cursor:
            previous, self.cursor = self.cursor, unit
            self._refresh_cursor(previous)
            self._refresh_cursor(unit)
            self.post_message(self.CursorMoved(self))
        self._reveal(unit)

    @property
    def token(self) -> int:
        """The first token of the unit under the cursor."""
        if self.text is None or not self.text.n_units:
            return 0
        return int(self.text.first_token[self.cursor])

    def move_to_token(self, token: int) -> None:
        """Put the cursor on the unit that holds a token."""
        if self.text is not None and 0 <= token < len(self.text.unit_of_token):
            self.move_to(int(self.text.unit_of_token[token]))

    def to_character(self, character: int) -> None:
        """Put the cursor where a character of the source was written."""
        wrapped = self._layout_now
        if self.text is None or wrapped is None:
            return
        unit = self.text.unit_at_character(character)
        if unit is not None:
            self._goal_column = None
            self.move_to(unit)
        else:  # stand-ins make the displayed text a little longer at most
            self._place(wrapped.line_at(character) - self.size.height // 3)

    def follow(self, lines: int) -> None:
        """Scroll because a linked column did."""
        self._following = True
        self._place(self.scroll_offset.y + lines)
        self._following = False

    def cursor_into_view(self) -> None:
        """Move the cursor to the nearest token in sight if it has been scrolled out of it."""
        wrapped = self._layout_now
        if wrapped is None or self.text is None or not self.text.n_units:
            return
        top, height = self.scroll_offset.y, self.size.height
        line = wrapped.line_of(self.cursor)
        if not top <= line < top + height:
            lines = range(top, min(top + height, len(wrapped)))
            for target in lines if line < top else reversed(lines):
                unit = wrapped.unit_at(target, self._goal_column or 0)
                if unit is not None:
                    self.move_to(unit)
                    return

    def to_token(self, step: int) -> None:
        """The next or previous token."""
        self._goal_column = None
        self.move_to(self.cursor + step)

    def to_line(self, step: int) -> None:
        """The token above or below."""
        self._to_line(step, step)

    def by_pages(self, pages: float) -> None:
        """Move view and cursor by a part of the height."""
        step = int(pages * max(1, self.size.height - 1)) or (1 if pages > 0 else -1)
        self._place(self.scroll_offset.y + step)
        self._to_line(step, 1 if step > 0 else -1)

    def to_edge(self, side: int) -> None:
        """The first or the last token."""
        self._goal_column = None
        self._place(0 if side < 0 else self.virtual_size.height)
        self.move_to(0 if side < 0 or self.text is None else self.text.n_units - 1)

    def to_notable(self, step: int) -> bool:
        """The next (1) or previous (-1) token of a notable level; False if there is none."""
        unit = self.colouring.next_notable(self.cursor, step) if self.colouring else None
        if unit is None:
            return False
        self._goal_column = None
        self.move_to(unit)
        return True

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the token that was clicked."""
        self.post_message(self.Clicked(self))
        wrapped = self._layout_now
        line = event.y + self.scroll_offset.y
        if wrapped is not None and line < len(wrapped):
            column = event.x - (GUTTER if self.show_gutter else 1)
            unit = wrapped.unit_covering(line, max(0, column))
            if unit is not None:
                self._goal_column = None
                self.move_to(unit)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell linked columns."""
        super().watch_scroll_y(old_value, new_value)
        lines = round(new_value) - round(old_value)
        if lines and not self._following:
            self.post_message(self.Scrolled(self, lines))

    def _to_line(self, step: int, direction: int) -> None:
        wrapped = self._layout_now
        if wrapped is None or self.text is None:
            return
        if not self.text.n_units:
            self._place(self.scroll_offset.y + (step if abs(step) == 1 else 0))
            return
        if self._goal_column is None:
            self._goal_column = wrapped.column_of(self.cursor)
        last = len(wrapped) - 1
        line = max(0, min(wrapped.line_of(self.cursor) + step, last))
        while 0 <= line <= last:
            unit = wrapped.unit_at(line, self._goal_column)
            if unit is not None and (unit - self.cursor) * direction > 0:
                self.move_to(unit)
                return
            line += direction

    def _reveal(self, unit: int) -> None:
        """Scroll as little often as possible: a third of the height at a time."""
        wrapped = self._layout_now
        if wrapped is None or self.text is None or not self.text.n_units:
            return
        line, top, height = wrapped.line_of(unit), self.scroll_offset.y, self.size.height
        if line < top:
            self._place(line - (height - 1) * 2 // 3)
        elif line >= top + height:
            self._place(line - height // 3)

    def _place(self, line: int) -> None:
        limit = max(0, self.virtual_size.height - self.size.height)
        self.scroll_to(y=max(0, min(line, limit)), animate=False, immediate=True)

    def _refresh_cursor(self, unit: int) -> None:
        wrapped = self._layout_now
        if wrapped is not None and self.text is not None and unit < self.text.n_units:
            top, height = self.scroll_offset.y, self.size.height
            for line in wrapped.lines_of(unit):
                if top <= line < top + height:
                    self.refresh_line(line)

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
        palette = self._palette()
        spans = wrapped.spans(line)
        runs = self._gutter(palette, colouring, spans, marked=focused)
        for span in spans:
            if span.unit is not None and span.unit == cursor and not span.hanging:
                style = self._cursor_style(palette, colouring, cursor, focused)
            else:
                style = self._span_style(palette, colouring, span)
            if runs and runs[-1][1] == style:
                runs[-1] = (runs[-1][0] + span.text, style)
            else:
                runs.append((span.text, style))
        return self._grounded(runs, width)

    def _gutter(
        self, palette: Palette, colouring: Colouring, spans: list[Span], marked: bool
    ) -> list[tuple[str, Style]]:
        edge = self._edge(palette)
        if self._marked and self._is_marked(spans):
            edge = ("├", ink(palette.accent))
        if marked:  # where the cursor is must show without colour too
            edge = ("▸", ink(palette.accent))
        if not self.show_gutter:
            return [edge]
        levels = [int(colouring.levels[span.unit]) for span in spans if span.unit is not None]
        strongest = max(levels, key=abs, default=0)
        if abs(strongest) < NOTABLE_LEVEL:
            return [edge, ("   ", ink(palette.text))]
        tone = palette.text if abs(strongest) >= 3 else palette.faint
        return [edge, (f"{gutter_mark(colouring.overlay, strongest)} ", ink(tone))]

    def _is_marked(self, spans: list[Span]) -> bool:
        units = {span.unit for span in spans if span.unit is not None and not span.hanging}
        text = self.text
        return text is not None and any(
            token in self._marked for unit in units for token in text.tokens_of(unit)
        )

    def _edge(self, palette: Palette) -> tuple[str, Style]:
        return ("│", ink(palette.line)) if self._ruled else (" ", ink(palette.text))

    def _span_style(self, palette: Palette, colouring: Colouring, span: Span) -> Style:
        if span.hanging:
            return token_style(palette, Overlay.PLAIN, 0)
        if span.unit is None:
            return ink(palette.muted)
        level = int(colouring.levels[span.unit])
        assert self.text is not None
        faint = level == 0 and (
            span.text in ("↵", "∎") or self.text.control[self.text.first_token[span.unit]]
        )
        if level == 0 and self._dimmed is not None and self._dimmed[span.unit]:
            return ink(palette.muted, attributes="italic")  # said before, word for word
        return ink(palette.faint) if faint else token_style(palette, colouring.overlay, level)

    def _cursor_style(
        self, palette: Palette, colouring: Colouring, unit: int, focused: bool
    ) -> Style:
        if focused:
            return ink(palette.on_accent, palette.accent, "bold italic")
        style = token_style(palette, colouring.overlay, int(colouring.levels[unit]))
        return style if style.bgcolor else style + ink(background=palette.cursor)

    def _empty_line(self, y: int, width: int) -> Strip:
        palette = self._palette()
        runs = [self._edge(palette)]
        if self.text is None and y == 1:
            runs.append((f"   {self.placeholder}", ink(palette.muted)))
        return self._grounded(runs, width)

    def _grounded(self, runs: list[tuple[str, Style]], width: int) -> Strip:
        """On the theme's background: a light theme in a dark terminal needs it."""
        ground = Style(bgcolor=self.rich_style.bgcolor)
        strip = Strip([Segment(*run) for run in runs])
        return strip.crop_extend(0, width, None).apply_style(ground)

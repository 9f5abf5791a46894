"""The cursor of a trace: which token it is on, how keys move it, and what must scroll with it.

Invariant: the cursor is on a unit of the text, and after each of its moves that unit is in sight;
scrolling alone moves the cursor only when a column takes the keyboard.
"""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.scroll_view import ScrollView

from explorer.views.overlay import Colouring
from explorer.views.trace import TraceLayout, TraceText

GUTTER = 4
"""Cells left of the text: a rule or blank, the line's strongest level if notable, a blank."""


class TokenCursor(ScrollView, can_focus=False):
    """A view of a trace that knows where its reader is; `TokenView` draws it."""

    class CursorMoved(Message):
        """The cursor is on another token, or the trace has changed under it."""

        def __init__(self, view: TokenCursor) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> TokenCursor:
            return self.view

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, TokenCursor.CursorMoved) and message.view is self.view

    class Scrolled(Message):
        """A person scrolled this view by `lines`."""

        def __init__(self, view: TokenCursor, lines: int) -> None:
            super().__init__()
            self.view = view
            self.lines = lines

    class Clicked(Message):
        """A person clicked into this view."""

        def __init__(self, view: TokenCursor) -> None:
            super().__init__()
            self.view = view

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.text: TraceText | None = None
        self.colouring: Colouring | None = None
        self.cursor = 0
        self.active = False
        self.show_gutter = True
        self._layout_now: TraceLayout | None = None
        self._goal_column: int | None = None
        self._following = False

    @property
    def wrapped(self) -> TraceLayout | None:
        """The lines as they are wrapped for the present width."""
        return self._layout_now

    def move_to(self, unit: int) -> None:
        """Put the cursor on a unit and bring it into sight, or as soon as there is a size to."""
        if self.text is None or not self.text.n_units:
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
        if self.text is None:
            return
        unit = self.text.unit_at_character(character)
        if unit is not None:
            self._goal_column = None
            self.move_to(unit)
        elif wrapped is not None:  # stand-ins make the displayed text a little longer at most
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

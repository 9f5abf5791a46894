"""The virtualised problem list: only the rows on screen are ever made.

Strips are cached by everything that a row's look depends on; `made` counts the misses, so that a
test can tell a hit from a miss.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.keys import GO, MOVE
from explorer.tui.render.problem_row import Layout, header_strip, plan, row_strip
from explorer.tui.theme import Palette, ink, palette_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.views.arms import ArmChoice
    from explorer.views.problem_list import ProblemLine
    from explorer.views.set_snapshot import SetList


class TableHeader(Widget):
    """The titles above the list."""

    DEFAULT_CSS = """
    TableHeader { height: 1; width: 1fr; }
    """

    def __init__(self, table: ProblemTable) -> None:
        super().__init__()
        self._table = table

    def render_line(self, y: int) -> Strip:
        table = self._table
        if table.shown is None or table.layout_plan is None:
            return Strip.blank(self.size.width, self.rich_style)
        return header_strip(
            table.layout_plan, table.shown.choice, table.shown.order, table.palette
        ).adjust_cell_length(self.size.width, self.rich_style)


class ProblemTable(ScrollView, can_focus=True):
    """The rows. The cursor is a row number; it stays on its problem when the list changes."""

    DEFAULT_CSS = """
    ProblemTable {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next row", show=False, id="list.down", group=MOVE),
        Binding("k,up", "move(-1)", "Previous row", show=False, id="list.up", group=MOVE),
        Binding(
            "space,pagedown",
            "page(1)",
            "Page down",
            show=False,
            id="list.pagedown",
            group=MOVE,
        ),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="list.pageup", group=MOVE),
        Binding("g,home", "edge(-1)", "First row", show=False, id="list.top", group=MOVE),
        Binding("G,end", "edge(1)", "Last row", show=False, id="list.bottom", group=MOVE),
        Binding(
            "enter,right,l",
            "open",
            "Open",
            key_display="enter",
            id="list.open",
            group=GO,
            tooltip="Open this problem",
        ),
    ]

    class Opened(Message):
        """A row was chosen."""

        def __init__(self, line: ProblemLine) -> None:
            super().__init__()
            self.line = line

    def __init__(self) -> None:
        super().__init__()
        self.shown: SetList | None = None
        self.layout_plan: Layout | None = None
        self.cursor = 0
        self.chosen: int | None = None
        """The problem that a person put the cursor on; it comes back when a filter goes."""
        self.made = 0
        self.header = TableHeader(self)
        self._strips: LRUCache[object, Strip] = LRUCache(1000)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    @property
    def lines(self) -> Sequence[ProblemLine]:
        return self.shown.lines if self.shown else ()

    @property
    def current(self) -> ProblemLine | None:
        """The problem under the cursor."""
        return self.lines[self.cursor] if self.cursor < len(self.lines) else None

    def show_list(self, shown: SetList) -> None:
        """Show a list; repaints only the rows on screen that look different now."""
        before, layout, top = self.shown, self.layout_plan, self.scroll_offset.y
        was = self._visible(before)
        wanted = self.chosen
        if wanted is None and self.current is not None:
            wanted = self.current.id
        self.shown = shown
        if wanted is not None:
            self.cursor = self._position_of(wanted, self.cursor)
        self.cursor = max(0, min(self.cursor, len(shown.lines) - 1))
        self._replan()
        if before is None or before.lines is not shown.lines:
            self._scroll_to_cursor()
        if before is None or self.layout_plan != layout or self.scroll_offset.y != top:
            self.refresh()
            return
        now = self._visible(shown)
        for y, (one, other) in enumerate(zip_longest(was, now)):
            if one != other:
                self.refresh(Region(0, y, max(1, self.size.width), 1))

    def _visible(self, shown: SetList | None) -> list[object]:
        """What the look of each row on screen depends on."""
        if shown is None:
            return []
        top = self.scroll_offset.y
        rows = range(top, min(top + max(1, self.size.height), len(shown.lines)))
        return [self._key(shown.lines[row], row == self.cursor, shown.choice) for row in rows]

    def go_to(self, problem_id: int) -> None:
        """Put the cursor on a problem, if it is in the list."""
        self._move_to(self._position_of(problem_id, self.cursor))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = y + self.scroll_offset.y
        if self.shown is None or self.layout_plan is None or row >= len(self.lines):
            return Strip.blank(width, ink(self.palette.text, self.palette.background))
        return self._row(self.lines[row], row == self.cursor, self.shown.choice, self.layout_plan)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self.header.refresh()

    def _row(self, line: ProblemLine, cursor: bool, choice: ArmChoice, layout: Layout) -> Strip:
        key = self._key(line, cursor, choice)
        strip = self._strips.get(key)
        if strip is None:
            self.made += 1
            strip = row_strip(line, layout, choice, self.palette, cursor)
            self._strips[key] = strip
        return strip

    def _key(self, line: ProblemLine, cursor: bool, choice: ArmChoice) -> object:
        problem = line.problem
        return (
            line.id, problem.name, problem.statement, problem.family, line.cells, line.letter,
            cursor, self.layout_plan, tuple(column.mark for column in choice.columns),
            self.palette.dark,
        )  # fmt: skip

    def _position_of(self, problem_id: int, fallback: int) -> int:
        return next((row for row, line in enumerate(self.lines) if line.id == problem_id), fallback)

    def _replan(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        if self.shown is None or width <= 0:
            return
        planned = plan(width, self.shown.choice, self.shown.lines)
        if planned != self.layout_plan:
            self.layout_plan = planned
        self.header.refresh()
        self.virtual_size = Size(width, len(self.lines))

    def on_resize(self, event: Resize) -> None:
        self._replan()
        self._scroll_to_cursor()
        self.refresh()

    def _move_to(self, row: int) -> None:
        row = max(0, min(row, len(self.lines) - 1))
        if row == self.cursor:
            return
        before, self.cursor = self.cursor, row
        self.chosen = self.lines[row].id
        self._refresh_row(before)
        self._refresh_row(row)
        self._scroll_to_cursor()

    def _refresh_row(self, row: int) -> None:
        y = row - self.scroll_offset.y
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _scroll_to_cursor(self) -> None:
        height = max(1, self.scrollable_content_region.height)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def action_move(self, step: int) -> None:
        self._move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        self._move_to(self.cursor + step * max(1, self.size.height - 1))

    def action_edge(self, direction: int) -> None:
        self._move_to(0 if direction < 0 else len(self.lines) - 1)

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: Click) -> None:
        row = event.y + self.scroll_offset.y
        if row >= len(self.lines):
            return
        if row == self.cursor:
            self.action_open()
        else:
            self._move_to(row)

    def _on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self.action_move(3)
        event.stop()

    def _on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self.action_move(-3)
        event.stop()

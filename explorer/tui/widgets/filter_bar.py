"""The filter's line: shown while a filter is typed or in force, with its history and its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from explorer.tui.keys import VIEW
from explorer.tui.widgets.line import Line

if TYPE_CHECKING:
    from explorer.views.filter import FilterError
    from explorer.views.problem_list import SetCounts

HINT = 'class:S  base<5%  rl>0.5  family:trees  level>=3  "words"  -word  undecided>0'


class FilterInput(Input):
    """The field; up and down walk through earlier filters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "history(-1)", "Earlier filter", show=False, id="filter.up", group=VIEW),
        Binding("down", "history(1)", "Later filter", show=False, id="filter.down", group=VIEW),
        Binding(
            "escape,ctrl+c", "cancel", "Undo", key_display="esc", id="filter.cancel", group=VIEW
        ),
    ]

    def on_mount(self) -> None:
        self.cursor_blink = False  # a blink is a repaint, twice a second, over SSH

    def action_history(self, step: int) -> None:
        bar = self.parent
        assert isinstance(bar, FilterBar)
        bar.walk(step)

    def action_cancel(self) -> None:
        bar = self.parent
        assert isinstance(bar, FilterBar)
        bar.cancel()


class FilterBar(Vertical):
    """Posts `Changed` at every edit and `Closed` when typing ends."""

    class Changed(Message):
        """Another filter."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing ended."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.history: list[str] = []
        self._at = 0
        self._before = ""
        self._editing = False
        self._in_force = ""
        self._state: tuple[str, FilterError | None, SetCounts] | None = None

    def compose(self) -> ComposeResult:
        yield FilterInput(placeholder=HINT, select_on_focus=False, compact=True)
        yield Line(id="filter-said")

    def on_mount(self) -> None:
        self._arrange()

    @property
    def said(self) -> str:
        """The hint, the error or the filter in force."""
        return self.query_one(Line).text

    def edit(self, text: str) -> None:
        """Start typing."""
        self._before, self._editing, self._at = text, True, len(self.history)
        self._arrange()
        field = self.query_one(FilterInput)
        field.value = text
        field.cursor_position = len(text)
        field.focus()

    def cancel(self) -> None:
        """Stop typing and go back to the filter as it was."""
        self.post_message(self.Changed(self._before))
        self._close()

    def walk(self, step: int) -> None:
        """Put an earlier or later filter into the field."""
        at = self._at + step
        if 0 <= at <= len(self.history):
            self._at = at
            field = self.query_one(FilterInput)
            field.value = self.history[at] if at < len(self.history) else self._before
            field.cursor_position = len(field.value)

    def show_state(self, text: str, error: FilterError | None, counts: SetCounts) -> None:
        """Say what the filter does, or what is wrong with it."""
        from explorer.views.numbers import count
        from explorer.views.text import one_line

        self._in_force, self._state = text, (text, error, counts)
        line = self.query_one(Line)
        if error is not None:
            line.say(
                [
                    (f"{one_line(error.title)} {error.detail}.  ", "wrong"),
                    (one_line(error.hint), "muted"),
                ]
            )
        elif self._editing:
            shown = f"{count(counts.shown)} of {count(counts.total)}"
            line.say([(shown, "text"), ("   enter keeps it · esc undoes · ↑ earlier", "muted")])
        else:
            shown = f"   {count(counts.shown)} of {count(counts.total)}"
            line.say(
                [("filter  ", "muted"), (one_line(text), "accent"), (shown, "text")],
                [("/ edits · q clears", "muted")],
            )
        self._arrange()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._editing:
            self.post_message(self.Changed(event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if text and text not in self.history:
            self.history.append(text)
        self.post_message(self.Changed(text))
        self._close()

    def _close(self) -> None:
        self._editing = False
        self.post_message(self.Closed())
        if self._state is not None:
            self.show_state(*self._state)
        self._arrange()

    def _arrange(self) -> None:
        field = self.query_one(FilterInput)
        field.display = self._editing
        field.can_focus = self._editing
        self.display = self._editing or bool(self._in_force)

"""The keys of Traces that lead from the trace that is read to what is like it, and back to it.

The viewer itself is `traces.TracesScreen`; this is the part of it that knows other screens.
Invariant: nothing here moves the reader's place except where a person asked to go somewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from explorer.core.phrases import reflection_pattern, spans
from explorer.tui import clipboard
from explorer.tui.keys import GO, MOVE, VIEW
from explorer.tui.screens.frame import FrameScreen
from explorer.views.grouping import Unit

if TYPE_CHECKING:
    from explorer.core.phrases import Phrase
    from explorer.store.rows import ProblemRow
    from explorer.tui.widgets.trace_column import TraceColumn
    from explorer.views.links import Place
    from explorer.views.overlay import Overlay
    from explorer.views.saved_view import SavedView


class ReadingScreen(FrameScreen):
    """What a screen with columns of traces offers for reading them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "nearest", "Nearest", show=False, group=GO, id="traces.nearest",
                tooltip="The base completions most like this trace, aligned"),
        Binding("slash", "search", "Search", show=False, group=GO, key_display="/",
                id="traces.search", tooltip="Search all completions of the problem or the dataset"),
        Binding("greater_than_sign", "phrase(1)", "Next phrase", show=False, group=MOVE,
                key_display=">", id="traces.phrase.next",
                tooltip="Next 'wait', 'let me check' …, or next match of the last search"),
        Binding("less_than_sign", "phrase(-1)", "Previous phrase", show=False, group=MOVE,
                key_display="<", id="traces.phrase.previous",
                tooltip="Previous phrase of a second thought, or match of the last search"),
        Binding("u", "unit", "Unit", show=False, group=VIEW, id="traces.unit",
                tooltip="Colour tokens, words, sentences or steps as one"),
        Binding("f", "fold", "Fold", show=False, group=VIEW, id="traces.fold",
                tooltip="Fold <think>…</think>, or show it again"),
        Binding("m", "bookmark", "Bookmark", show=False, group=GO, id="traces.bookmark",
                tooltip="Keep this place, with a note"),
        Binding("M", "bookmarks", "Bookmarks", show=False, group=GO, id="traces.bookmarks",
                tooltip="Places that were kept"),
        Binding("L", "copy_link", "Copy link", show=False, group=VIEW, id="traces.link.copy",
                tooltip="Copy a link that opens exactly this place"),
    ]  # fmt: skip

    problem_id: int
    problem: ProblemRow | None
    overlay: Overlay
    unit: Unit = Unit.TOKEN
    """What the overlay colours as one."""
    going: Place | None = None
    """Where the screen still has to go; None once it is there."""
    searched: Phrase | None = None
    """The last search, whose matches the phrase keys then walk."""

    @property
    def columns(self) -> list[TraceColumn]:
        """All columns, shown or not."""
        raise NotImplementedError

    @property
    def column(self) -> TraceColumn:
        """The column that has the keyboard."""
        raise NotImplementedError

    def _say(self, remark: str) -> None:
        raise NotImplementedError

    def _write_legend(self) -> None:
        raise NotImplementedError

    def _to_column(self, place: int) -> None:
        raise NotImplementedError

    def _watch(self, column: TraceColumn) -> None:
        raise NotImplementedError

    def arrive(self) -> None:
        """Go where the screen was sent, as soon as what is there has been read."""
        place = self.going
        column = next(
            (one for one in self.columns if place is not None and one.arm_id == place.arm_id), None
        )
        if place is None or column is None or column.cell is None:
            return
        if column.samples.current != place.completion_id:
            if not column.go_to(place.completion_id):
                self.going = None
                self._say("that completion is no longer here")
                return
            self._to_column(column.place)
            self._watch(column)
        elif column.trace is not None:
            self.going = None
            self._to_column(column.place)
            text = column.view.text
            if text is not None and text.n_units:
                self._at(column, place)
            else:  # where only characters are known, their lines must be
                self.call_after_refresh(self._at, column, place)

    def _at(self, column: TraceColumn, place: Place) -> None:
        text = column.view.text
        if place.token is not None and text is not None and text.n_tokens:
            column.view.move_to(int(text.unit_of_token[min(place.token, text.n_tokens - 1)]))
        elif place.character is not None:
            column.view.to_character(place.character)

    def saved_view(self) -> SavedView:
        from explorer.views.saved_view import SavedView

        shown = [one.trace for one in self.columns if not one.has_class("-hidden")]
        name = self.problem.problem.name if self.problem else "problem"
        about = {"link": self.link(), "overlay": str(self.overlay), "coloured_by": str(self.unit)}
        about |= {"base": self.column.base}
        ids = tuple(trace.head.id for trace in shown if trace is not None)
        return SavedView(f"traces-{name}", self.problem_id, ids, about)

    def action_unit(self) -> None:
        self.unit = self.unit.following
        for column in self.columns:
            column.group_by(self.unit)
        self._write_legend()
        self._say(f"coloured by {self.unit}")

    def action_fold(self) -> None:
        folded = not self.column.view.folded
        for column in self.columns:
            column.view.set_folded(folded)
        if not any(column.view.can_fold for column in self.columns):
            self._say("no <think>…</think> here to fold")
        else:
            self._say("thinking folded" if folded else "")

    def action_nearest(self) -> None:
        from explorer.tui.screens.nearest import NearestScreen

        trace = self.column.trace
        if trace is None:
            self._say("no trace here to compare")
        else:
            self.app.push_screen(NearestScreen(trace.head.id))

    def action_search(self) -> None:
        from explorer.tui.screens.search import SearchScreen

        dataset = self.problem.problem.dataset if self.problem else ""
        text = self.searched.text if self.searched else ""

        def searched(phrase: Phrase) -> None:
            self.searched = phrase if phrase.text else None

        self.app.push_screen(SearchScreen(dataset, self.problem_id, text, searched))

    def action_phrase(self, step: int) -> None:
        column = self.column
        text = column.view.text
        if text is None:
            return
        pattern = self.searched.pattern if self.searched else reflection_pattern()
        what = f"'{self.searched.text}'" if self.searched else "second thought"
        places = [start for start, _ in spans(text.source, pattern)]
        units = [text.unit_at_character(place) for place in places]
        here = column.view.cursor
        known = [
            (unit, place) for unit, place in zip(units, places, strict=True) if unit is not None
        ]
        ahead = [one for one in known if (one[0] - here) * step > 0]
        if not text.n_units and places:
            column.view.to_character(places[0])
            self._say(f"{len(places)} × {what}, no tokens to step through")
        elif ahead:
            unit, place = ahead[0] if step > 0 else ahead[-1]
            column.view.to_character(place)
            self._say(f"{what} {known.index((unit, place)) + 1} of {len(known)}")
        else:
            side = "further on" if step > 0 else "before this"
            self._say(f"no {what} {side}" if known else f"no {what} in this trace")

    def action_copy_link(self) -> None:
        link = self.link()
        if not link:
            self._say("no trace here to link to")
            return
        remark = clipboard.copy(self.app, link)
        self._say(f"copied {link}" + (f" ({remark})" if remark else ""))

    def link(self) -> str:
        """The link to the token under the cursor, '' if no trace is here."""
        from explorer.views.links import link_to

        column = self.column
        if column.trace is None or column.cell is None or self.problem is None:
            return ""
        task, key = self.problem.problem, column.cell.arm.key
        return link_to(task.dataset, task.name, key, column.trace.head.index, self.token_here())

    def token_here(self) -> int | None:
        """0-based token under the cursor, None where tokens are unknown."""
        text = self.column.view.text
        if text is None or not text.n_units:
            return None
        return text.tokens_of(self.column.view.cursor)[0]

    def action_bookmark(self) -> None:
        from explorer.tui.screens.bookmarks import ask_for_note

        trace = self.column.trace
        if trace is None:
            self._say("no trace here to keep a place in")
        else:
            ask_for_note(self.explorer, trace.head.id, self.token_here(), self.link())

    def action_bookmarks(self) -> None:
        from explorer.tui.screens.bookmarks import BookmarksScreen

        self.app.push_screen(BookmarksScreen())

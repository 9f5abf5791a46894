"""Places that a person wants to come back to: the list, and the note when one is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from explorer.store.bookmarks import BookmarkRow, bookmarks
from explorer.tui.keys import APP, VIEW
from explorer.tui.places import open_completion
from explorer.tui.render.cells import fit
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.pick_list import PickList
from explorer.views.links import link_to
from explorer.views.numbers import age, plural
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.tui.app import ExplorerApp

LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class BookmarksSubject:
    """Watch the bookmarks."""

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"counts"})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterable[list[BookmarkRow]]:
        yield bookmarks(db)


class BookmarksScreen(FrameScreen):
    """The list; Enter goes there."""

    AUTO_FOCUS = "PickList"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d,delete", "forget", "Forget", key_display="d", id="bookmarks.forget", group=VIEW,
                tooltip="Forget this place"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[BookmarkRow] = []
        self.trail = [("  Bookmarks", "strong")]

    def compose_body(self) -> ComposeResult:
        yield PickList(widget_id="bookmarks-list")

    def watch_cache(self) -> None:
        self.explorer.reader.watch(self, "bookmarks", BookmarksSubject())

    def take(self, key: str, value: object) -> None:
        if key == "bookmarks":
            self.kept = cast("list[BookmarkRow]", value)
            nothing = "No place is kept yet: m in Traces keeps the token under the cursor."
            self.query_one(PickList).show(len(self.kept), self._row, nothing, keep=True)
            self.say_status([(plural(len(self.kept), "bookmark"), "muted")])

    def _row(self, number: int, width: int) -> list[tuple[str, str]]:
        one = self.kept[number]
        link = link_to(one.dataset, one.problem, one.model, one.index, one.token)
        where = max(24, width * 2 // 5)
        when = age(max(0.0, self.explorer.clock() - one.made))
        return [
            (f" {fit(one_line(link), where)}  ", "text"),
            (fit(one_line(one.note) or "–", max(4, width - where - 36)), "strong"),
            (f"  {fit(one_line(one.author), 14)}", "muted"),
            (fit(when, 14, "right"), "faint"),
        ]

    def action_forget(self) -> None:
        at = self.query_one(PickList).cursor
        if at < len(self.kept):
            chosen = self.kept[at].id

            def forget(db: sqlite3.Connection) -> None:
                from explorer.store.bookmarks import remove

                remove(db, chosen)

            self.explorer.ask("Forgot that place.", forget)

    def on_pick_list_opened(self, event: PickList.Opened) -> None:
        one = self.kept[event.row]
        open_completion(self.explorer, one.completion_id, one.token)


class NoteScreen(ModalScreen[str | None]):
    """Asks for the note of a bookmark; returns it, or None if it is not to be kept.

    Args:
        link: what is kept, safe text.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="note.back", group=APP),
    ]

    def __init__(self, link: str) -> None:
        super().__init__()
        self._link = link

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Bookmark {self._link}", classes="dialog-title", markup=False)
            yield Input(max_length=LONGEST_NOTE, compact=True, id="note", placeholder="why")
            hint = "enter keeps it · esc back · M lists all"
            yield Static(hint, classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(" ".join(event.value.split()))


def ask_for_note(app: ExplorerApp, completion_id: int, token: int | None, link: str) -> None:
    """Keep a place once its note is written."""
    from explorer.settings.author import author_of

    author = author_of(app.settings)

    def keep(note: str | None) -> None:
        if note is None:
            return

        def write(db: sqlite3.Connection) -> None:
            from explorer.store.bookmarks import add

            add(db, completion_id, token, note, author)

        app.ask("Kept this place; M lists all.", write)

    app.push_screen(NoteScreen(one_line(link)), keep)

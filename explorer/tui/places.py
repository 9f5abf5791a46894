"""Going to a place in a trace: from a link, a bookmark or a search hit.

Invariant: the cache is read on a worker thread, and what cannot be found is said, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    import sqlite3

    from explorer.tui.app import ExplorerApp
    from explorer.views.links import Place, TraceLink


def open_link(app: ExplorerApp, link: TraceLink) -> None:
    """Open the trace that a link names."""
    from explorer.views.links import find_place

    _open(app, lambda db: find_place(db, link))


def open_completion(
    app: ExplorerApp, completion_id: int, token: int | None = None, character: int | None = None
) -> None:
    """Open a trace at a token, or at a character of its text."""
    from explorer.views.links import place_of

    _open(app, lambda db: place_of(db, completion_id, token, character))


def _open(app: ExplorerApp, find: Callable[[sqlite3.Connection], Place | None]) -> None:
    def read() -> None:
        from explorer.store.connection import open_reader

        try:
            with closing(open_reader(app.settings.workspace.cache)) as db:
                place = find(db)
        except ExplorerError as error:
            app.call_from_thread(app.report, error)
            return
        if place is not None:
            app.call_from_thread(_show, app, place)

    app.run_worker(read, thread=True, exit_on_error=False, group="places", description="going")


def _show(app: ExplorerApp, place: Place) -> None:
    from explorer.tui.screens.traces import TracesScreen

    screen = TracesScreen(place.problem_id, place.arm_ids)
    screen.going = place
    app.push_screen(screen)

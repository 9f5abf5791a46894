"""Writing requests: one thread, so that a busy database never holds up the screen.

A job opens the cache, does its one thing and closes it; what it returns, or the error, is posted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message
from textual.message_pump import MessagePump

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    import sqlite3

Job = Callable[["sqlite3.Connection"], object]


class Written(Message):
    """A job ended: `said` is a sentence for the person; `error` is set if it failed."""

    def __init__(self, said: str, error: ExplorerError | None) -> None:
        super().__init__()
        self.said = said
        self.error = error


class Writer:
    """The service; `write` may be called from anywhere.

    Args:
        path: the cache, made if it does not exist.
        app: who hears how it went.
    """

    def __init__(self, path: Path, app: MessagePump) -> None:
        self._path = path
        self._app = app
        self._jobs: queue.SimpleQueue[tuple[str, Job, Callable[[], object] | None] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the jobs that were given; does not wait for it."""
        self._jobs.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the thread to end (it must have been stopped)."""
        self._thread.join(timeout)

    def write(self, said: str, job: Job, afterwards: Callable[[], object] | None = None) -> None:
        """Do `job` in the database, then `afterwards` (on this thread), then say `said`."""
        self._jobs.put((said, job, afterwards))

    def _run(self) -> None:
        from explorer.store.connection import open_writer

        while (item := self._jobs.get()) is not None:
            said, job, afterwards = item
            try:
                with closing(open_writer(self._path)) as db:
                    job(db)
                if afterwards is not None:
                    afterwards()
            except ExplorerError as error:
                self._app.post_message(Written(said, error))
            except Exception as error:
                self._app.post_message(
                    Written(said, ExplorerError("That could not be done", f"{error!r}"))
                )
            else:
                self._app.post_message(Written(said, None))

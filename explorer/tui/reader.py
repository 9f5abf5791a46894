"""The reading service: one thread with its own connection that turns the cache into snapshots.

A screen says what it looks at (`watch`); whenever a topic of that subject changes, the thread reads
it again and posts one `Snapshot` to the screen. Invariant: nothing here touches a widget other
than through `post_message`, and nothing on the event loop ever waits for the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from textual.message import Message
from textual.message_pump import MessagePump

from explorer.errors import ExplorerError, StoreError

if TYPE_CHECKING:
    import sqlite3

POLL_S: Final = 0.25
"""How often `PRAGMA data_version` is looked at; nothing else is read unless it moved."""

RETRY_S: Final = 0.1
"""How long to wait after a failed read, or for a cache that is still being made."""

PATIENCE: Final = 4.0
"""A subject that took t to read is left alone for this many times t, so that a cache of 100 000
problems that changes all the time does not eat a core."""


class Subject(Protocol):
    """What a screen looks at.

    Attributes:
        topics: names of `store.revisions.Topic` whose change makes it worth reading again;
            none for something that never changes.
    """

    @property
    def topics(self) -> frozenset[str]: ...

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterable[object]:
        """Frozen snapshots, the quickest first; runs on the reading thread only."""


class Snapshot(Message):
    """Something a screen watches, as it was a moment ago."""

    def __init__(self, key: str, subject: Subject, value: object) -> None:
        super().__init__()
        self.key = key
        self.subject = subject
        self.value = value


class CacheState(Message):
    """How the reading goes: `error` is None when all is well; `preparing` while no cache exists."""

    def __init__(self, error: ExplorerError | None, preparing: bool = False) -> None:
        super().__init__()
        self.error = error
        self.preparing = preparing


class ReadingBroke(Message):
    """A bug on the reading thread, to be raised where it is seen."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass(slots=True)
class _Watch:
    pump: MessagePump
    subject: Subject
    seen: dict[str, int] | None = field(default=None)
    not_before: float = field(default=0.0)
    stale: bool = field(default=True)
    paused: bool = field(default=False)


class Reader:
    """The service. `watch` and `forget` are called on the event loop, all else on the thread.

    Args:
        path: the cache; it may not exist yet.
        app: who hears of errors.
    """

    def __init__(self, path: Path, app: MessagePump) -> None:
        self._path = path
        self._app = app
        self._lock = (
            threading.Lock()
        )  # _watches changes on the event loop; _idle and _wake go together
        self._watches: dict[tuple[int, str], _Watch] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._told: tuple[str, str, bool] | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the read it is in; does not wait for it."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end (it must have been stopped)."""
        self._thread.join(timeout)

    def watch(self, pump: MessagePump, key: str, subject: Subject) -> None:
        """Send `pump` a `Snapshot` of `subject` now and after each change; replaces that key."""
        with self._lock:
            watch = _Watch(pump, subject)
            self._watches.pop((id(pump), key), None)
            self._watches[id(pump), key] = watch
            self._idle.clear()
            self._wake.set()

    def forget(self, pump: MessagePump, key: str | None = None) -> None:
        """Stop reading one subject of a screen, or all of them when it closes."""
        with self._lock:
            for owner in [one for one in self._watches if one[0] == id(pump)]:
                if key is None or owner[1] == key:
                    del self._watches[owner]

    def pause(self, pump: MessagePump, paused: bool) -> None:
        """Leave the subjects of a covered screen alone, or look at them again."""
        with self._lock:
            for (owner, _), watch in self._watches.items():
                if owner == id(pump):
                    watch.paused = paused
                    watch.stale = True
            self._idle.clear()
            self._wake.set()

    def wait_until_idle(self, timeout: float) -> bool:
        """For tests: wait until everything watched has been read once; False on a time-out."""
        return self._idle.wait(timeout)

    def poke(self) -> None:
        """Look at the cache now rather than at the next tick."""
        with self._lock:
            self._idle.clear()
            self._wake.set()

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        version = -1
        failures = 0
        while not self._stop.is_set():
            try:
                if db is None:
                    db, version = self._open(), -1
                if db is not None:
                    version = self._round(db, version)
                    failures = 0
                    self._tell(None)
            except StoreError as error:
                failures += 1
                if failures > 1:  # a cache that is just being made fails for a moment
                    self._tell(error)
                if db is not None:
                    db.close()
                    db = None
            except Exception as error:
                self._app.post_message(ReadingBroke(error))
                break
            with self._lock:
                if not self._wake.is_set():
                    self._idle.set()
            self._wake.wait(POLL_S if db is not None else RETRY_S)
            self._wake.clear()
        if db is not None:
            db.close()

    def _open(self) -> sqlite3.Connection | None:
        from explorer.store.connection import open_reader

        if not self._path.is_file():
            self._tell(None, preparing=True)
            return None
        return open_reader(self._path)

    def _round(self, db: sqlite3.Connection, version: int) -> int:
        from explorer.store.connection import store_errors

        with self._lock:
            watches = [item for item in self._watches.items() if not item[1].paused]
        with store_errors(self._path):
            now = int(db.execute("PRAGMA data_version").fetchone()[0])
            if now == version and not any(watch.stale for _, watch in watches):
                return now
            db.execute("BEGIN")  # so that counters and what they count are of one moment
            try:
                self._read(db, watches)
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        return now

    def _read(self, db: sqlite3.Connection, watches: list[tuple[tuple[int, str], _Watch]]) -> None:
        from explorer.store import revisions

        current = {topic.value: value for topic, value in revisions.current(db).items()}
        for (_, key), watch in reversed(watches):  # the newest question first
            seen = {topic: current.get(topic, 0) for topic in watch.subject.topics}
            watch.stale = watch.seen != seen
            started = time.monotonic()
            if not watch.stale or started < watch.not_before:
                continue
            for value in watch.subject.read(db, current):
                if self._stop.is_set():
                    return
                watch.pump.post_message(Snapshot(key, watch.subject, value))
            watch.seen, watch.stale = seen, False
            now = time.monotonic()
            watch.not_before = now + PATIENCE * (now - started)

    def _tell(self, error: ExplorerError | None, preparing: bool = False) -> None:
        told = (error.title, error.detail, preparing) if error else ("", "", preparing)
        if told != self._told:
            self._told = told
            self._app.post_message(CacheState(error, preparing))

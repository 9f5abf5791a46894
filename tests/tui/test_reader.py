"""The reading service: reads what changed, for the screen on top, and survives what goes wrong."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from textual.message import Message
from textual.message_pump import MessagePump

from explorer.store import revisions, status
from explorer.store.connection import open_writer, transaction
from explorer.store.rows import LiveRow
from explorer.tui.reader import CacheState, Reader, ReadingBroke, Snapshot

WAIT_S = 20.0


class Pump:
    """Something that messages are posted to."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self._changed = threading.Condition()

    def post_message(self, message: Message) -> bool:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()
        return True

    def wait_for(self, test: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(test, WAIT_S), self.heard

    @property
    def values(self) -> list[object]:
        return [message.value for message in self.heard if isinstance(message, Snapshot)]


class Counter:
    """Counts its own readings."""

    def __init__(self, *topics: revisions.Topic, error: Exception | None = None) -> None:
        self.topics = frozenset(topic.value for topic in topics)
        self.reads = 0
        self._error = error

    def read(self, db: sqlite3.Connection, seen: Mapping[str, int]) -> Iterator[object]:
        if self._error:
            raise self._error
        self.reads += 1
        yield self.reads


@pytest.fixture
def app() -> Pump:
    return Pump()


@pytest.fixture
def reader(small_cache: Path, app: Pump) -> Iterator[Reader]:
    service = Reader(small_cache, cast("MessagePump", app))
    service.start()
    yield service
    service.stop()
    service.join(WAIT_S)


def watch(reader: Reader, screen: Pump, subject: Counter, key: str = "k") -> None:
    reader.watch(cast("MessagePump", screen), key, subject)


def touch(cache: Path, topic: revisions.Topic) -> None:
    with closing(open_writer(cache)) as db, transaction(db):
        revisions.bump(db, topic)


def test_reads_again_only_when_its_topic_changed(reader: Reader, small_cache: Path) -> None:
    screen, other = Pump(), Pump()
    counts = Counter(revisions.Topic.COUNTS)
    requests = Counter(revisions.Topic.REQUESTS)
    watch(reader, screen, counts)
    watch(reader, other, requests)
    screen.wait_for(lambda: screen.values == [1])
    touch(small_cache, revisions.Topic.COUNTS)
    screen.wait_for(lambda: screen.values == [1, 2])
    assert reader.wait_until_idle(WAIT_S)
    assert requests.reads == 1


def test_a_covered_screen_is_left_alone_and_catches_up(reader: Reader, small_cache: Path) -> None:
    screen = Pump()
    counts = Counter(revisions.Topic.COUNTS)
    watch(reader, screen, counts)
    screen.wait_for(lambda: screen.values == [1])
    reader.pause(cast("MessagePump", screen), True)
    assert reader.wait_until_idle(WAIT_S)
    touch(small_cache, revisions.Topic.COUNTS)
    reader.poke()
    assert reader.wait_until_idle(WAIT_S)
    assert counts.reads == 1
    reader.pause(cast("MessagePump", screen), False)
    screen.wait_for(lambda: screen.values == [1, 2])


def test_a_new_subject_replaces_the_old_one_of_its_key(reader: Reader, small_cache: Path) -> None:
    screen = Pump()
    first, second = Counter(revisions.Topic.COUNTS), Counter(revisions.Topic.COUNTS)
    watch(reader, screen, first)
    watch(reader, screen, second)
    screen.wait_for(lambda: second.reads == 1)
    assert reader.wait_until_idle(WAIT_S)
    touch(small_cache, revisions.Topic.COUNTS)
    screen.wait_for(lambda: second.reads == 2)
    assert first.reads <= 1


def test_a_forgotten_screen_hears_nothing(reader: Reader, small_cache: Path) -> None:
    screen = Pump()
    watch(reader, screen, Counter(revisions.Topic.COUNTS))
    screen.wait_for(lambda: screen.values == [1])
    reader.forget(cast("MessagePump", screen))
    touch(small_cache, revisions.Topic.COUNTS)
    reader.poke()
    assert reader.wait_until_idle(WAIT_S)
    assert screen.values == [1]


def test_what_is_read_is_of_one_moment(reader: Reader, small_cache: Path) -> None:
    """A write that comes between two statements of one reading is not seen by the second."""
    screen = Pump()

    class Torn:
        topics = frozenset({"live"})

        def read(self, db: sqlite3.Connection, seen: Mapping[str, int]) -> Iterator[object]:
            before = len(status.live_streams(db))
            with closing(open_writer(small_cache)) as writer:
                status.replace_live(writer, [LiveRow(1, 1, n, "x", 1, 0.0) for n in range(5)])
            yield before, len(status.live_streams(db))

    reader.watch(cast("MessagePump", screen), "torn", Torn())
    screen.wait_for(lambda: bool(screen.values))
    assert screen.values[0] == (0, 0)


def test_waits_for_a_cache_and_says_so(tmp_path: Path, app: Pump) -> None:
    path = tmp_path / "later.sqlite"
    service = Reader(path, cast("MessagePump", app))
    screen = Pump()
    watch(service, screen, Counter(revisions.Topic.COUNTS))
    service.start()
    app.wait_for(lambda: any(isinstance(m, CacheState) and m.preparing for m in app.heard))
    open_writer(path).close()
    service.poke()
    screen.wait_for(lambda: screen.values == [1])

    def last_word() -> CacheState:  # it follows the snapshot, so it may still be under way
        return [message for message in app.heard if isinstance(message, CacheState)][-1]

    app.wait_for(lambda: not last_word().preparing)
    assert last_word().error is None
    service.stop()
    service.join(WAIT_S)


def test_a_bug_is_handed_over_to_be_raised(reader: Reader, app: Pump) -> None:
    watch(reader, Pump(), Counter(revisions.Topic.COUNTS, error=ZeroDivisionError("bug")))
    app.wait_for(lambda: any(isinstance(message, ReadingBroke) for message in app.heard))

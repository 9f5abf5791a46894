"""What is being drawn right now: partial texts for the screen, and the speed.

Invariant: the database is written at most `FLUSHES_PER_S` times a second however many streams
run, and holds no stream that has finished or was dropped.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from explorer.store import status
from explorer.store.rows import LiveRow

FLUSHES_PER_S: Final = 4.0

WINDOW_S: Final = 8.0
"""The speed is that of the last so many seconds."""

LONGEST_TEXT: Final = 4000
"""Characters; of a longer stream the end is shown, because it is written again each time."""


Key = tuple[int, int, int]
"""Arm, problem and sample index of a stream."""


class LiveCell:
    """The streams of one job."""

    def __init__(self, board: LiveBoard, arm_id: int, problem_id: int) -> None:
        self._board = board
        self._cell = (arm_id, problem_id)
        self._own: set[int] = set()

    def show(self, index: int, text: str, n_tokens: int) -> None:
        """A stream has got so far."""
        self._own.add(index)
        self._board.show((*self._cell, index), text, n_tokens)

    def finish(self, index: int, n_tokens: int) -> None:
        """A stream has become a completion."""
        self._own.discard(index)
        self._board.finish((*self._cell, index), n_tokens)

    def __enter__(self) -> LiveCell:
        return self

    def __exit__(self, *error: object) -> None:
        self._board.drop([(*self._cell, index) for index in self._own])


class LiveBoard:
    """The running streams of all jobs."""

    def __init__(self, db: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._streams: dict[Key, LiveRow] = {}
        self._drawn: dict[Key, int] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._started = 0.0
        self._flushed = float("-inf")
        self._dirty = False
        self.tokens = 0
        """All that were drawn since this board was made."""

    def begin(self, arm_id: int, problem_id: int) -> LiveCell:
        """Start showing the streams of a job; leaving it drops those that have not finished."""
        self._forget_old()
        if not self._recent:  # else the window spans the jobs before, and so must its length
            self._started = self._clock()
        return LiveCell(self, arm_id, problem_id)

    def show(self, key: Key, text: str, n_tokens: int) -> None:
        """A stream has got so far."""
        self._count(key, n_tokens)
        shown = text if len(text) <= LONGEST_TEXT else "…" + text[-LONGEST_TEXT:]
        self._streams[key] = LiveRow(*key, shown, n_tokens, time.time())
        self._dirty = True
        self.flush_if_due()

    def finish(self, key: Key, n_tokens: int) -> None:
        """A stream has become a completion."""
        self._count(key, n_tokens)
        self.drop([key])
        self.flush_if_due()

    def drop(self, keys: Iterable[Key]) -> None:
        """These streams are no more; written when it is due."""
        for key in keys:
            self._drawn.pop(key, None)
            self._dirty |= self._streams.pop(key, None) is not None

    def clear(self) -> None:
        """Nothing runs any more; written at once."""
        self._drawn.clear()
        if self._streams or self._dirty:
            self._streams.clear()
            self._write()

    def flush_if_due(self) -> None:
        """Write what has changed, unless that was done a moment ago."""
        if self._dirty and self._clock() - self._flushed >= 1 / FLUSHES_PER_S:
            self._write()

    def tokens_per_s(self) -> float:
        """Tokens drawn per second of late."""
        self._forget_old()
        drawn = sum(count for _, count in self._recent)
        return drawn / max(0.25, min(WINDOW_S, self._clock() - self._started))

    def _forget_old(self) -> None:
        while self._recent and self._recent[0][0] < self._clock() - WINDOW_S:
            self._recent.popleft()

    def _count(self, key: Key, n_tokens: int) -> None:
        new = n_tokens - self._drawn.get(key, 0)
        self._drawn[key] = n_tokens
        if new > 0:
            self.tokens += new
            self._recent.append((self._clock(), new))

    def _write(self) -> None:
        status.replace_live(self._db, self._streams.values())
        self._flushed = self._clock()
        self._dirty = False

"""What is being drawn right now: partial texts for the screen, and the speed.

Invariant: the database is written at most `FLUSHES_PER_S` times a second however many streams
run, and holds no stream that has finished or was dropped.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from explorer.store import status
from explorer.store.rows import LiveRow

FLUSHES_PER_S: Final = 4.0

WINDOW_S: Final = 8.0
"""The speed is that of the last so many seconds."""

LONGEST_TEXT: Final = 4000
"""Characters; of a longer stream the end is shown, because it is written again each time."""


class LiveBoard:
    """The running streams of one job at a time."""

    def __init__(self, db: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._cell = (0, 0)
        self._streams: dict[int, LiveRow] = {}
        self._drawn: dict[int, int] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._started = 0.0
        self._flushed = float("-inf")
        self._dirty = False

    def begin(self, arm_id: int, problem_id: int) -> None:
        """Start showing the streams of a cell."""
        self.clear()
        self._cell = (arm_id, problem_id)
        self._forget_old()
        if not self._recent:  # else the window spans the jobs before, and so must its length
            self._started = self._clock()

    def show(self, index: int, text: str, n_tokens: int) -> None:
        """A stream has got so far."""
        self._count(index, n_tokens)
        shown = text if len(text) <= LONGEST_TEXT else "…" + text[-LONGEST_TEXT:]
        self._streams[index] = LiveRow(*self._cell, index, shown, n_tokens, time.time())
        self._dirty = True
        self.flush_if_due()

    def finish(self, index: int, n_tokens: int) -> None:
        """A stream has become a completion."""
        self._count(index, n_tokens)
        self._drawn.pop(index, None)
        self._dirty |= self._streams.pop(index, None) is not None
        self.flush_if_due()

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

    def _count(self, index: int, n_tokens: int) -> None:
        new = n_tokens - self._drawn.get(index, 0)
        self._drawn[index] = n_tokens
        if new > 0:
            self._recent.append((self._clock(), new))

    def _write(self) -> None:
        status.replace_live(self._db, self._streams.values())
        self._flushed = self._clock()
        self._dirty = False

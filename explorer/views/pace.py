"""How fast a job goes and how long it may still take, from what was seen of it."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 60.0
"""How far back the pace looks."""


class Pace:
    """Completions per second over the last minute.

    Invariant: a pace is told only after two different counts at different times.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, now: float, have: int) -> None:
        """Note that `have` completions were there at `now`."""
        if self._seen and have < self._seen[-1][1]:
            self._seen.clear()
        if not self._seen or have != self._seen[-1][1]:
            self._seen.append((now, have))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()

    def per_second(self) -> float | None:
        """Completions per second; None while it cannot be told."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end > start else None

    def seconds_left(self, missing: int) -> float | None:
        """How long `missing` completions may take."""
        pace = self.per_second()
        return missing / pace if pace else None

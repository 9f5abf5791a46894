"""The sampler in a few words, for the corner of every screen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from explorer.store import requests, status
from explorer.store.revisions import Topic
from explorer.store.rows import SamplerRow
from explorer.views.numbers import count
from explorer.views.text import one_line

STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Activity:
    """What the sampler last said, and how much waits for it."""

    sampler: SamplerRow | None
    open_requests: int

    def words(self, now: float) -> tuple[str, str]:
        """A few words and the name of a colour: `sampling rl · 210 tok/s · 2 waiting`."""
        row = self.sampler
        waiting = f" · {count(self.open_requests)} waiting" if self.open_requests else ""
        if row is None or row.state == STOPPED:
            return "sampler not running" + waiting, "base" if waiting else "faint"
        if not is_alive(row, now):
            return "sampler not answering" + waiting, "wrong"
        if row.stop_requested:
            return "sampler stopping", "muted"
        if self.open_requests == 0 and row.tokens_per_s <= 0:
            return one_line(f"sampler {row.state}"), "muted"
        parts = [one_line(f"{row.state} {row.model}", limit=40)]
        if row.tokens_per_s > 0:
            parts.append(f"{row.tokens_per_s:,.0f} tok/s")
        more = self.open_requests - 1
        if more > 0:
            parts.append(f"{count(more)} waiting")
        return " · ".join(parts), "accent"


class ActivitySubject:
    """Watch the sampler."""

    topics: Final = frozenset({Topic.SAMPLER.value, Topic.REQUESTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        yield Activity(status.sampler(db), len(requests.open_requests(db)))


def is_alive(row: SamplerRow, now: float) -> bool:
    """Whether its last word is recent enough to be believed."""
    return row.state != STOPPED and now - row.heartbeat < status.STALE_AFTER_S

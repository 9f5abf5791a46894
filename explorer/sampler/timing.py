"""How fast a job draws, kept for estimates.

Invariant: what is measured is the engine at work on this machine, all its jobs together; loading,
waiting and grading are not in it.
"""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from explorer.sampler.live import LiveBoard
from explorer.store import speeds


@contextmanager
def measured(db: sqlite3.Connection, live: LiveBoard, arm_id: int) -> Iterator[None]:
    """Note the tokens per second of what is drawn inside, also if it ends early."""
    tokens, since = live.tokens, time.monotonic()
    try:
        yield
    finally:
        drawn, seconds = live.tokens - tokens, time.monotonic() - since
        speeds.note(db, arm_id, socket.gethostname(), drawn, seconds)

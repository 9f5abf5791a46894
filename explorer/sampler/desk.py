"""What jobs of every kind work with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from explorer.sampler.live import LiveBoard


@dataclass(frozen=True, slots=True)
class Desk:
    """What jobs work with.

    Attributes:
        graded: told that completions were stored that have no verdict yet.
    """

    db: sqlite3.Connection
    live: LiveBoard
    graded: Callable[[], None]

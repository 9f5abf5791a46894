"""Counters that say what changed, so that a watcher reads again only what it shows.

A writer bumps the topic in the same transaction as the change.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum


class Topic(StrEnum):
    """What a watcher can wait for."""

    PROBLEMS = "problems"  # problems, models, arms, prompts
    COUNTS = "counts"  # completions and verdicts
    SCORES = "scores"
    LIVE = "live"
    REQUESTS = "requests"
    SAMPLER = "sampler"
    REVIEWS = "reviews"  # what people and judges found in the reasoning


def bump(db: sqlite3.Connection, topic: Topic) -> None:
    db.execute("UPDATE revision SET value = value + 1 WHERE topic = ?", (topic.value,))


def current(db: sqlite3.Connection) -> dict[Topic, int]:
    """The counter of every topic."""
    return {Topic(topic): value for topic, value in db.execute("SELECT * FROM revision")}

"""What was known of an arm's model when it drew: engine version, EOS ids, generation config.

Facts are no part of an arm's key. Invariant: a fact that changes while an arm is topped up (an
engine was upgraded) is kept beside the older one, so that a mixed arm is seen to be mixed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump

Facts = Mapping[str, tuple[str, ...]]


def put_facts(db: sqlite3.Connection, arm_id: int, facts: Mapping[str, str]) -> None:
    """Keep facts of an arm; those that it has already cost one read."""
    known = read_facts(db, arm_id)
    new = [
        (arm_id, name, value) for name, value in facts.items() if value not in known.get(name, ())
    ]
    if not new:
        return
    with transaction(db):
        db.executemany("INSERT INTO arm_fact VALUES (?,?,?) ON CONFLICT DO NOTHING", new)
        bump(db, Topic.PROBLEMS)


def read_facts(db: sqlite3.Connection, arm_id: int) -> Facts:
    """Every value that each fact of an arm has had."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in db.execute(
        "SELECT name, value FROM arm_fact WHERE arm_id = ? ORDER BY name, value", (arm_id,)
    ):
        found[name] = (*found.get(name, ()), value)
    return found

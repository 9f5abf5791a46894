"""What has been brought into a cache, and what was wrong with it: a small file beside the cache.

It only saves work and keeps faults readable: without it everything is brought in again, which
adds nothing. Read by the process that draws the screen, so it imports next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from explorer.store.connection import store_errors


@dataclass(slots=True)
class Note:
    """What has been brought in: fingerprint and faults by source ('models', 'dataset …', …).

    Attributes:
        cache: inode of the cache it speaks of; a new cache starts from nothing.
    """

    cache: int = 0
    fingerprints: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all_faults(self) -> list[str]:
        return [fault for faults in self.faults.values() for fault in faults]


def read_note(cache: Path) -> Note:
    """The note of a cache, an empty one if it is missing, unreadable or of another cache."""
    try:
        found: dict[str, Any] = json.loads(_note_path(cache).read_text())
        note = Note(found["cache"], found["fingerprints"], found["faults"])
        return note if note.cache == cache.stat().st_ino else Note()
    except (OSError, ValueError, KeyError, TypeError):
        return Note()


def write_note(cache: Path, note: Note) -> None:
    """Keep a note, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    path = _note_path(cache)
    with store_errors(path):
        note.cache = cache.stat().st_ino
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(note)))
        draft.replace(path)


def _note_path(cache: Path) -> Path:
    return cache.with_name(f"{cache.stem}.prepared.json")

"""The steps of texts that are compared again and again, found once.

Finding the calculations of a text takes ten times as long as comparing them, and the same base
samples are held against one trace after another. Invariant: two marks are equal if their
calculations' keys are, and differ if those do, but for one pair in 2^64; what has been forgotten
is found again.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections import OrderedDict
from typing import Final

from explorer.core.steps import steps

ROOM: Final = 4_000_000
"""Steps kept, 8 bytes each: of about 15,000 traces of 2,000 tokens."""


class StepBook:
    """Step keys as numbers (their hashes, good in this process), remembered by text.

    Args:
        room: most steps kept; the texts asked about longest ago are forgotten.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._known: OrderedDict[bytes, array[int]] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()
        """Protects the two above: a comparison that was left may still run beside a new one."""

    def of(self, text: str) -> list[int]:
        """The calculations of a text in order, a mark for each."""
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            if name in self._known:
                self._known.move_to_end(name)
                return self._known[name].tolist()
        marks = [hash(step.key) for step in steps(text)]
        with self._lock:
            self._keep(name, array("q", marks))
        return marks

    def __len__(self) -> int:
        """Texts remembered."""
        return len(self._known)

    def _keep(self, name: bytes, marks: array[int]) -> None:
        if name in self._known:
            return
        self._known[name] = marks
        self._kept += len(marks)
        while self._kept > self._room and len(self._known) > 1:
            self._kept -= len(self._known.popitem(last=False)[1])

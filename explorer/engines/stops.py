"""Stop strings in a text: where the first is, and what may still turn out to begin one."""

from __future__ import annotations

from collections.abc import Sequence


class Stops:
    """The stop strings of a job; empty ones never stop anything."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.strings = [stop for stop in stops if stop]

    def find(self, text: str, start: int = 0) -> int:
        """Where the earliest stop string begins, -1 if there is none that ends after `start`."""
        found = (text.find(stop, max(0, start - len(stop))) for stop in self.strings)
        return min((place for place in found if place >= 0), default=-1)

    def first_end(self, text: str) -> int:
        """Where the stop string that is complete first ends, -1 if there is none."""
        found = ((text.find(stop), len(stop)) for stop in self.strings)
        return min((place + length for place, length in found if place >= 0), default=-1)

    def safe(self, text: str) -> str:
        """The text without an end that may turn out to begin a stop string."""
        held = 0
        for stop in self.strings:
            for length in range(min(len(stop) - 1, len(text)), held, -1):
                if text.endswith(stop[:length]):
                    held = length
                    break
        return text[: len(text) - held]

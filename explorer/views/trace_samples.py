"""Stepping through an arm's completions of a problem while more of them arrive.

Invariant: new heads never move the reader; only a step or another filter changes `current`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from explorer.core.completion import Outcome
from explorer.store.rows import CompletionHead


class SampleFilter(StrEnum):
    """Which completions are stepped through."""

    ALL = "all"
    RIGHT = "right"
    WRONG = "wrong"
    DISAGREE = "disagree"

    def admits(self, head: CompletionHead) -> bool:
        """Undecided and ungraded completions are neither right nor wrong."""
        if self is SampleFilter.ALL:
            return True
        if self is SampleFilter.DISAGREE:
            return head.disagrees
        wanted = Outcome.CORRECT if self is SampleFilter.RIGHT else Outcome.WRONG
        return head.outcome is wanted


@dataclass(frozen=True, slots=True)
class Samples:
    """A place in an arm's completions.

    Attributes:
        heads: all completions of the cell by sample index.
        filter: which of them are stepped through.
        current: id of the completion that is shown, None if the filter admits none.
    """

    heads: tuple[CompletionHead, ...] = ()
    filter: SampleFilter = SampleFilter.ALL
    current: int | None = None

    @property
    def admitted(self) -> list[CompletionHead]:
        return [head for head in self.heads if self.filter.admits(head)]

    @property
    def head(self) -> CompletionHead | None:
        """The completion that is shown."""
        return next((head for head in self.heads if head.id == self.current), None)

    @property
    def position(self) -> int | None:
        """1-based place among the admitted ones; None if the shown one is not among them."""
        ids = [head.id for head in self.admitted]
        return ids.index(self.current) + 1 if self.current in ids else None

    def with_heads(self, heads: Sequence[CompletionHead]) -> Samples:
        """The same place among newer completions; the first one if there was no place yet."""
        renewed = replace(self, heads=tuple(heads))
        if renewed.head is not None:
            return renewed
        return replace(renewed, current=_first_id(renewed.admitted))

    def with_filter(self, chosen: SampleFilter) -> Samples:
        """Another filter; stays where it is if it can, else goes on to the next admitted one."""
        here = self.head
        renewed = replace(self, filter=chosen)
        if here is not None and chosen.admits(here):
            return renewed
        later = [head for head in renewed.admitted if here is None or head.index > here.index]
        return replace(renewed, current=_first_id(later) or _last_id(renewed.admitted))

    def step(self, by: int) -> Samples:
        """The next or previous admitted completion, stopping at either end."""
        admitted = self.admitted
        if not admitted:
            return self
        here = self.head
        if here is None:
            return replace(self, current=admitted[0].id)
        if by > 0:
            beyond = [head for head in admitted if head.index > here.index]
            place = min(by, len(beyond)) - 1
        else:
            beyond = [head for head in reversed(admitted) if head.index < here.index]
            place = min(-by, len(beyond)) - 1
        return replace(self, current=beyond[place].id) if beyond else self


def _first_id(heads: Sequence[CompletionHead]) -> int | None:
    return heads[0].id if heads else None


def _last_id(heads: Sequence[CompletionHead]) -> int | None:
    return heads[-1].id if heads else None

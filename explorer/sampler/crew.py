"""The jobs that are under way at once, all on one model, and how many completions they still owe.

An engine that batches across jobs (vLLM) would idle while the longest completions of a job come to
their end. So the next job begins while the one before is running out; engines that compute one
job at a time are given one.

Invariant: no completion is under way twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from explorer.store.rows import RequestRow

FULL: Final = 256
"""Completions under way with which an engine that batches has enough to do."""


@dataclass(eq=False, slots=True)
class Flight:
    """A job of a request.

    Attributes:
        owed: sample indices that are under way; empty until it is known what is missing, and for
            work that is not drawing.
    """

    request: RequestRow
    owed: set[int] = field(default_factory=set)
    told: Callable[[], None] = lambda: None

    def take(self, indices: Sequence[int]) -> None:
        """These are drawn now."""
        self.owed.update(indices)
        self.told()

    def stored(self, index: int) -> None:
        """One of them is no longer owed."""
        self.owed.discard(index)
        self.told()


class Crew:
    """The flights of one model."""

    def __init__(self) -> None:
        self._flights: dict[asyncio.Task[None], Flight] = {}
        self._news = asyncio.Event()
        self._had_room = False

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._flights.values()))

    def __len__(self) -> int:
        return len(self._flights)

    def start(
        self, request: RequestRow, work: Callable[[Flight], Coroutine[Any, Any, None]]
    ) -> None:
        """Begin another job."""
        flight = Flight(request, told=self._tell)
        task = asyncio.create_task(work(flight), name=f"request {request.id}")
        task.add_done_callback(lambda _: self._news.set())
        self._flights[task] = flight
        self._had_room = False

    def owed(self, request: RequestRow) -> set[int]:
        """Sample indices of a request that are under way."""
        mine = [flight.owed for flight in self if flight.request.id == request.id]
        return set().union(*mine)

    def works_on(self, request: RequestRow) -> bool:
        return any(flight.request.id == request.id for flight in self)

    @property
    def has_room(self) -> bool:
        """Every flight knows what it draws, and together they draw less than would be enough."""
        owed = [len(flight.owed) for flight in self]
        return all(owed) and sum(owed) < FULL

    async def news(self, patience_s: float) -> None:
        """Until a job has ended or there is room for another, but no longer than this."""
        try:
            await asyncio.wait_for(self._news.wait(), patience_s)
        except TimeoutError:
            return
        self._news.clear()

    def landed(self) -> list[tuple[Flight, asyncio.Task[None]]]:
        """The jobs that have ended since; they are no longer in the crew."""
        over = [(flight, task) for task, flight in self._flights.items() if task.done()]
        for _, task in over:
            del self._flights[task]
        return over

    async def cancel(self, unwanted: Callable[[Flight], bool] = lambda _: True) -> list[Flight]:
        """End these jobs, dropping what they have under way; returns those that were ended."""
        tasks = {task for task, flight in self._flights.items() if unwanted(flight)}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return [self._flights.pop(task) for task in tasks]

    def _tell(self) -> None:
        """Something was taken or stored; what makes no difference wakes nobody."""
        room = self.has_room
        if room and not self._had_room:
            self._news.set()
        self._had_room = room

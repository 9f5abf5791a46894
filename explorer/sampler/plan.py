"""What to do next: pure decisions over open requests.

What a person looks at comes before what a command line asked for, and that before what guides ask
for; within each, the models that are loaded come first and a model's requests stay together, so
that models are not swapped back and forth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from explorer.store.requests import BATCH, INTERACTIVE
from explorer.store.rows import RequestRow


def in_order(
    requests: Sequence[RequestRow], resident: Collection[str], near: Collection[str] = ()
) -> list[RequestRow]:
    """Open requests in the order in which they are to be worked on.

    Args:
        requests: most urgent first, as `store.requests.open_requests` gives them.
        resident: models that are loaded.
        near: models that can be loaded without another's making room; they come next.
    """
    first_seen: dict[tuple[int, str], int] = {}
    for position, request in enumerate(requests):
        first_seen.setdefault((_turn(request), request.model), position)

    def rank(numbered: tuple[int, RequestRow]) -> tuple[int, int, int, int]:
        position, request = numbered
        turn = _turn(request)
        group = first_seen[turn, request.model]
        far = 0 if request.model in resident else 1 if request.model in near else 2
        return turn, far, group, position

    return [request for _, request in sorted(enumerate(requests), key=rank)]


def next_batch(missing: Sequence[int], most: int) -> tuple[int, ...]:
    """The part of what is missing that is done before anybody looks at the queue again."""
    return tuple(missing[:most])


def should_give_way(running: RequestRow, most_urgent: RequestRow | None) -> bool:
    """Whether a running batch must stop for a person's request that has come in."""
    return is_batch(running) and most_urgent is not None and not is_batch(most_urgent)


def is_still_wanted(running: RequestRow, requests: Sequence[RequestRow]) -> bool:
    """Whether a running request is still open."""
    return any(other.id == running.id for other in requests)


def is_batch(request: RequestRow) -> bool:
    return request.priority > INTERACTIVE


def _turn(request: RequestRow) -> int:
    """0 for a person's, 1 for a command line's, 2 for a guide's."""
    return is_batch(request) + (request.priority > BATCH)

"""What the sampler does next, decided without a database."""

from __future__ import annotations

from explorer.core.arm import Sampling
from explorer.sampler import plan
from explorer.store.requests import BATCH, INTERACTIVE
from explorer.store.rows import RequestRow


def request(number: int, model: str, priority: int = BATCH) -> RequestRow:
    return RequestRow(
        id=number,
        kind="sample",
        model=model,
        problem_id=1,
        sampling=Sampling(),
        n=8,
        arm_id=None,
        completion_id=None,
        priority=priority,
        state="queued",
        error={},
        asked=float(number),
        updated=0.0,
    )


def order(requests: list[RequestRow], resident: list[str]) -> list[int]:
    return [one.id for one in plan.in_order(requests, resident)]


def test_a_models_requests_stay_together_in_order_of_arrival() -> None:
    queue = [request(1, "rl"), request(2, "base"), request(3, "rl"), request(4, "base")]
    assert order(queue, []) == [1, 3, 2, 4]


def test_the_loaded_model_comes_first() -> None:
    queue = [request(1, "rl"), request(2, "base"), request(3, "rl"), request(4, "base")]
    assert order(queue, ["base"]) == [2, 4, 1, 3]


def test_people_come_first_whatever_is_loaded() -> None:
    queue = [request(9, "rl", INTERACTIVE), request(1, "base"), request(2, "rl")]
    assert order(queue, ["base"]) == [9, 1, 2]


def test_among_peoples_requests_the_loaded_model_comes_first() -> None:
    queue = [request(9, "rl", INTERACTIVE), request(8, "base", INTERACTIVE), request(1, "rl")]
    assert order(queue, ["base"]) == [8, 9, 1]


def test_every_request_is_kept_once() -> None:
    queue = [request(n, "ab"[n % 2], BATCH if n % 3 else INTERACTIVE) for n in range(20)]
    assert sorted(order(queue, ["a"])) == list(range(20))


def test_a_batch_is_the_first_that_is_missing() -> None:
    assert plan.next_batch([3, 5, 9], 2) == (3, 5)
    assert plan.next_batch([3], 2) == (3,)
    assert plan.next_batch([], 2) == ()


def test_only_a_batch_gives_way_and_only_to_a_person() -> None:
    batch, person = request(1, "base"), request(2, "rl", INTERACTIVE)
    assert plan.should_give_way(batch, person)
    assert not plan.should_give_way(batch, request(3, "rl"))
    assert not plan.should_give_way(batch, None)
    assert not plan.should_give_way(person, request(4, "rl", INTERACTIVE))


def test_a_request_that_was_closed_is_not_wanted() -> None:
    batch = request(1, "base")
    assert plan.is_still_wanted(batch, [request(2, "rl"), batch])
    assert not plan.is_still_wanted(batch, [request(2, "rl")])

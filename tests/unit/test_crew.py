"""Jobs side by side, for engines that batch across them: nothing doubled, lost or in the way."""

from __future__ import annotations

import asyncio

import pytest

from explorer.sampler import crew, runner
from explorer.sampler.crew import Crew, Flight
from explorer.store import requests, status
from tests.unit.test_runner import Bench, until
from tests.unit.test_runner import bench as bench

PROBLEMS = 3


@pytest.fixture
def side_by_side(bench: Bench) -> Bench:
    bench.script.jobs_at_once = 8
    bench.script.gate = asyncio.Event()
    return bench


def begun(bench: Bench) -> list[str]:
    return [line for line in bench.script.log if line.startswith("sample")]


async def test_the_next_problem_begins_while_one_runs_out(side_by_side: Bench) -> None:
    bench = side_by_side
    asked = [bench.ask("base", problem, n=4) for problem in range(PROBLEMS)]
    async with bench.running():
        await until(lambda: len(begun(bench)) == PROBLEMS)
        await until(lambda: len({one.problem_id for one in status.live_streams(bench.db)}) == 3)
        assert {bench.request(one).state for one in asked} == {"running"}
        assert bench.script.gate is not None
        bench.script.gate.set()
        await until(lambda: all(bench.request(one).state == "done" for one in asked))
        assert status.live_streams(bench.db) == []
    for problem in range(PROBLEMS):
        assert bench.texts("base", problem) == bench.expected("base", 4, problem)
    assert len(begun(bench)) == PROBLEMS


async def test_an_engine_that_computes_one_job_at_a_time_is_given_one(bench: Bench) -> None:
    bench.script.gate = asyncio.Event()
    for problem in range(PROBLEMS):
        bench.ask("base", problem, n=4)
    async with bench.running():
        await until(lambda: len(begun(bench)) == 1)
        await until(lambda: len(status.live_streams(bench.db)) > 0)
        assert len(begun(bench)) == 1


async def test_a_big_request_is_drawn_in_several_jobs_and_nothing_twice(
    side_by_side: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = side_by_side
    monkeypatch.setitem(runner.LARGEST_JOB, "sample", 3)
    asked = bench.ask("base", n=8)
    async with bench.running():
        await until(lambda: len(begun(bench)) == 3)
        assert bench.script.gate is not None
        bench.script.gate.set()
        await until(lambda: bench.request(asked).state == "done")
    assert begun(bench) == ["sample base [0, 1, 2]", "sample base [3, 4, 5]", "sample base [6, 7]"]
    assert bench.texts("base") == bench.expected("base", 8)


async def test_no_more_is_begun_than_keeps_the_engine_busy(
    side_by_side: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = side_by_side
    monkeypatch.setattr(crew, "FULL", 6)
    for problem in range(PROBLEMS):
        bench.ask("base", problem, n=4)
    async with bench.running():
        await until(lambda: len(begun(bench)) == 2)
        await until(lambda: len({one.problem_id for one in status.live_streams(bench.db)}) == 2)
        assert len(begun(bench)) == 2


async def test_a_persons_request_takes_the_place_of_all_batches(side_by_side: Bench) -> None:
    bench = side_by_side
    batches = [bench.ask("base", problem, n=2, priority=requests.BATCH) for problem in (0, 1)]
    async with bench.running():
        await until(lambda: len(begun(bench)) == 2)
        urgent = bench.ask("rl", 2, n=1)
        await until(lambda: "sample rl [0]" in bench.script.log)
        assert bench.script.log.count("dropped base") == 2
        assert bench.script.gate is not None
        bench.script.gate.set()
        await until(lambda: all(bench.request(one).state == "done" for one in (*batches, urgent)))
    for problem in (0, 1):
        assert bench.texts("base", problem) == bench.expected("base", 2, problem)


async def test_one_cancelled_request_leaves_the_others_alone(side_by_side: Bench) -> None:
    bench = side_by_side
    first, second = (bench.ask("base", problem, n=2) for problem in (0, 1))
    async with bench.running():
        await until(lambda: len(begun(bench)) == 2)
        requests.cancel(bench.db, bench.problems[0])
        await until(lambda: "dropped base" in bench.script.log)
        assert bench.script.gate is not None
        bench.script.gate.set()
        await until(lambda: bench.request(second).state == "done")
    assert bench.request(first).state == "cancelled"
    assert bench.script.log.count("dropped base") == 1


async def test_an_engine_that_dies_under_several_jobs_is_forgiven_once(side_by_side: Bench) -> None:
    bench = side_by_side
    bench.script.crashes["base"] = 1
    asked = [bench.ask("base", problem, n=3) for problem in range(PROBLEMS)]
    async with bench.running():
        await until(lambda: len(begun(bench)) == PROBLEMS)
        assert bench.script.gate is not None
        bench.script.gate.set()
        await until(lambda: all(bench.request(one).state == "done" for one in asked))
    assert bench.script.log.count("open base") == 2
    for problem in range(PROBLEMS):
        assert bench.texts("base", problem) == bench.expected("base", 3, problem)


async def test_a_flight_that_does_not_know_yet_what_it_draws_leaves_no_room(bench: Bench) -> None:
    request = bench.request(bench.ask("base", n=4))
    release = asyncio.Event()

    async def work(flight: Flight) -> None:
        await release.wait()

    fleet = Crew()
    fleet.start(request, work)
    assert not fleet.has_room
    (flight,) = fleet
    flight.take([0, 1])
    assert fleet.has_room
    assert fleet.owed(request) == {0, 1}
    flight.stored(0)
    assert fleet.owed(request) == {1}
    release.set()
    await fleet.news(5.0)
    assert [each for each, _ in fleet.landed()] == [flight]
    assert len(fleet) == 0

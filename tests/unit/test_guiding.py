"""The sampler that follows guides, with engines that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from explorer.core.arm import Sampling
from explorer.errors import UsageError
from explorer.sampler.guiding import Stopwatch
from explorer.store import catalog, guides, requests
from explorer.store.guides import Limits
from explorer.store.verify import verify
from tests import small_workspace
from tests.fake_engine import Script
from tests.small_workspace import SAMPLING
from tests.unit.guide_cache import (
    PROBLEMS,
    Cache,
    guide,
    opened,
    stored,
    until,
    wish,
    work,
    working,
)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with opened(tmp_path) as found:
        yield found


class TestGoal:
    async def test_everything_gets_n_and_the_reason_says_what_it_took(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems, n=40))
        script = Script(rates={"base": 0.3, "rl": 0.7})
        await work(db, settings, script)
        found = guide(db, asked)
        assert found.state == "done"
        assert set(stored(db).values()) == {40}
        assert len(stored(db)) == 2 * PROBLEMS
        assert found.spent.samples == 2 * PROBLEMS * 40
        (tokens,) = db.execute("SELECT SUM(n_tokens) FROM completion").fetchone()
        assert found.spent.tokens == tokens
        assert found.spent.seconds > 0
        assert found.reason.startswith("every model has 40 of each problem; drew 480 samples, ")
        assert guides.draws(db, asked) == []
        assert verify(db) == []

    async def test_the_floor_comes_first_and_models_switch_seldom(self, cache: Cache) -> None:
        db, settings, problems = cache
        guides.ask(db, wish(problems, n=64))
        script = Script(rates={"base": 0.3, "rl": 0.7})
        await work(db, settings, script)
        jobs = [line.split(" ", 2) for line in script.log if line.startswith("sample")]
        beyond = [place for place, job in enumerate(jobs) if "[16," in job[2]]
        first = [place for place, job in enumerate(jobs) if "[0," in job[2] or "[1," in job[2]]
        assert max(first) < min(beyond)
        assert sum(line.startswith("open") for line in script.log) <= 12

    async def test_what_is_there_counts_and_asking_again_draws_nothing(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems[:2], n=20))
        await work(db, settings, Script())
        assert guides.ask(db, wish(problems[:2], n=20)) == asked
        assert guide(db, asked).spent.samples == 0  # an ended one starts to spend anew
        script = Script()
        await work(db, settings, script)
        assert not [line for line in script.log if line.startswith("sample")]
        assert guide(db, asked).reason.endswith("drew 0 samples, 0 tokens, 0 s") or (
            "drew 0 samples, 0 tokens" in guide(db, asked).reason
        )
        guides.ask(db, wish(problems[:2], n=24))
        await work(db, settings, script)
        assert set(stored(db).values()) == {24}
        assert guide(db, asked).spent.samples == 16

    async def test_one_at_a_time_in_the_order_of_asking(self, cache: Cache) -> None:
        db, settings, problems = cache
        first = guides.ask(db, wish(problems[:3], n=20))
        second = guides.ask(db, wish(problems[3:], n=20))
        await work(db, settings, Script())
        assert guide(db, first).state == guide(db, second).state == "done"
        (last,) = db.execute(
            "SELECT MAX(id) FROM completion WHERE problem_id IN (?,?,?)", problems[:3]
        ).fetchone()
        (begun,) = db.execute(
            "SELECT MIN(id) FROM completion WHERE problem_id IN (?,?,?)", problems[3:]
        ).fetchone()
        assert last < begun

    def test_unknown_settings_are_refused(self, cache: Cache) -> None:
        db, _, problems = cache
        unknown = replace(wish(problems), sampling=Sampling(-1.0, 0.0, -1, 0))
        with pytest.raises(UsageError, match="settings that are not known"):
            guides.ask(db, unknown)


class TestLimits:
    @pytest.mark.parametrize("most", [1, 5, 77, 200])
    async def test_samples_are_never_passed(self, cache: Cache, most: int) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems, n=64, limits=Limits(samples=most)))
        await work(db, settings, Script(rates={"base": 0.3, "rl": 0.7}))
        found = guide(db, asked)
        assert sum(stored(db).values()) == found.spent.samples == most
        assert found.state == "done"
        assert f"stopped at the limit of {most} sample" in found.reason
        short = 2 * PROBLEMS * 64 - most
        assert f"{short} samples short of 64 of everything (base " in found.reason

    async def test_tokens_stop_it_within_a_batch(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems, n=256, limits=Limits(tokens=4000)))
        await work(db, settings, Script(rates={"base": 0.3, "rl": 0.7}))
        found = guide(db, asked)
        assert 4000 <= found.spent.tokens <= 4000 + 16 * 20
        assert "stopped at the limit of 4,000 tokens" in found.reason
        assert requests.open_requests(db) == []

    async def test_time_stops_it_within_a_batch(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        db, settings, problems = cache
        stopwatch = partial(Stopwatch, clock=_Ticks(1.0))
        monkeypatch.setattr("explorer.sampler.guiding.Stopwatch", stopwatch)
        asked = guides.ask(db, wish(problems, n=256, limits=Limits(seconds=10.0)))
        await work(db, settings, Script())
        found = guide(db, asked)
        assert "stopped at the limit of 10 s" in found.reason
        assert found.spent.seconds >= 10
        assert 0 < found.spent.samples < 2 * PROBLEMS * 256

    async def test_the_first_one_reached_stops_it(self, cache: Cache) -> None:
        db, settings, problems = cache
        limits = Limits(samples=10_000, tokens=300, seconds=1e6)
        asked = guides.ask(db, wish(problems, n=256, limits=limits))
        await work(db, settings, Script())
        assert "stopped at the limit of 300 tokens" in guide(db, asked).reason

    async def test_a_higher_limit_goes_on(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems, n=64, limits=Limits(samples=50)))
        await work(db, settings, Script())
        guides.ask(db, wish(problems, n=64, limits=Limits(samples=30)))
        await work(db, settings, Script())
        assert sum(stored(db).values()) == 80
        assert guide(db, asked).spent.samples == 30


class _Ticks:
    """A clock of which every look takes as long."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class TestPause:
    async def test_a_pause_ends_what_is_under_way_and_resuming_doubles_nothing(
        self, cache: Cache
    ) -> None:
        db, settings, problems = cache
        script = Script(gate=asyncio.Event())
        asked = guides.ask(db, wish(problems, n=32))
        async with working(db, settings, script):
            await until(lambda: any(line.startswith("sample base") for line in script.log))
            assert guides.pause(db, asked)
            await until(lambda: "dropped base" in script.log)
            await until(lambda: guides.draws(db, asked) == [])
            assert requests.open_requests(db) == []
            assert guide(db, asked).state == "paused"
            assert script.gate is not None
            script.gate.set()
            assert guides.resume(db, asked)
            await until(lambda: guide(db, asked).state == "done")
        assert set(stored(db).values()) == {32}
        assert guide(db, asked).spent.samples == 2 * PROBLEMS * 32
        assert verify(db) == []

    async def test_time_that_it_is_paused_is_not_spent(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems))
        assert guides.pause(db, asked)
        script = Script()
        await work(db, settings, script)
        assert script.log == []
        assert guide(db, asked).spent.seconds == 0

    async def test_what_somebody_else_asked_for_too_goes_on(self, cache: Cache) -> None:
        db, settings, problems = cache
        script = Script(gate=asyncio.Event())
        asked = guides.ask(db, wish(problems, n=32))
        async with working(db, settings, script):
            await until(lambda: len(guides.draws(db, asked)) > 2)
            one = guides.draws(db, asked)[0]
            mine = requests.ask_for_completions(
                db, one.model, one.problem_id, SAMPLING, 3, requests.BATCH
            )
            guides.pause(db, asked)
            (row,) = requests.select(db, "id = ?", (mine,))
            assert row.state != "cancelled"
            assert script.gate is not None
            script.gate.set()
            await until(lambda: requests.select(db, "id = ?", (mine,))[0].state == "done")
        assert stored(db) == {(one.model, one.problem_id): 3}

    def test_only_what_can_be_moved_is(self, cache: Cache) -> None:
        db, _, problems = cache
        asked = guides.ask(db, wish(problems))
        assert not guides.resume(db, asked)
        assert guides.cancel(db, asked)
        assert not guides.pause(db, asked)
        assert guides.resume(db, asked)
        requests.cancel(db)
        assert guide(db, asked).state == "cancelled"
        requests.cancel(db, problems[0])
        assert not guides.pause(db, 99)

    async def test_a_person_comes_first(self, cache: Cache) -> None:
        db, settings, problems = cache
        script = Script(gate=asyncio.Event())
        asked = guides.ask(db, wish(problems[:3], n=16))
        async with working(db, settings, script):
            await until(lambda: any(line.startswith("sample base") for line in script.log))
            urgent = requests.ask_for_completions(db, "rl", problems[5], SAMPLING, 2)
            await until(lambda: "sample rl [0, 1]" in script.log)
            assert script.gate is not None
            script.gate.set()
            await until(lambda: guide(db, asked).state == "done")
            assert requests.select(db, "id = ?", (urgent,))[0].state == "done"
        assert guide(db, asked).spent.samples == 2 * 3 * 16


class TestTrouble:
    async def test_a_model_that_cannot_be_loaded_ends_it(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems))
        script = Script(broken={"rl"})
        await work(db, settings, script)
        found = guide(db, asked)
        assert found.state == "failed"
        assert found.reason.startswith("rl: The folder holds no model; drew ")
        assert script.log.count("open rl") == 1
        assert requests.open_requests(db) == []
        script.broken.clear()
        assert guides.resume(db, asked)
        await work(db, settings, script)
        assert guide(db, asked).state == "done"

    async def test_a_problem_that_cannot_be_drawn_is_left_out(self, cache: Cache) -> None:
        db, settings, problems = cache
        long = replace(small_workspace.problems(PROBLEMS)[2], statement="x" * 600)
        catalog.put_problems(db, [long])
        asked = guides.ask(db, wish(problems, n=20))
        await work(db, settings, Script())
        found = guide(db, asked)
        assert found.state == "failed"
        assert "2 cells could not be drawn: This does not fit the model's context" in found.reason
        assert set(stored(db).values()) == {20}
        assert len(stored(db)) == 2 * (PROBLEMS - 1)

    async def test_one_crash_is_forgiven(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems[:2], n=20))
        await work(db, settings, Script(crashes={"base": 1}))
        assert guide(db, asked).state == "done"
        assert guide(db, asked).spent.samples == 80


class TestEnginesThatBatch:
    async def test_limits_hold_where_several_jobs_run_at_once(self, cache: Cache) -> None:
        db, settings, problems = cache
        asked = guides.ask(db, wish(problems, n=64, limits=Limits(samples=300)))
        await work(db, settings, Script(jobs_at_once=8, rates={"base": 0.3, "rl": 0.7}))
        found = guide(db, asked)
        assert sum(stored(db).values()) == found.spent.samples == 300
        (tokens,) = db.execute("SELECT SUM(n_tokens) FROM completion").fetchone()
        assert found.spent.tokens == tokens
        assert guides.draws(db, asked) == []
        assert verify(db) == []

"""Sampling until it is settled: the rule on its own, and the sampler that follows it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import Sampling
from explorer.core.belief import Prior, believe
from explorer.core.sequential import BATCH, Move, Side, doubt_removed, next_step
from explorer.errors import UsageError
from explorer.paths import Workspace
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.store import beliefs, catalog, queries, requests, settling
from explorer.store.connection import open_writer
from explorer.store.settling import SettlingRow
from tests import small_workspace
from tests.fake_engine import Script
from tests.small_workspace import SAMPLING


class TestRule:
    def test_draws_the_arm_whose_batch_takes_most_doubt_away(self) -> None:
        sure, unsure = Side(1, 64, 64), Side(30, 64, 64)
        step = next_step([sure, unsure])
        assert (step.move, step.side) == (Move.SETTLED, 0)
        assert next_step([sure, unsure], level=1 - 1e-15).side == 1
        assert next_step([unsure, sure], level=1 - 1e-15).side == 0

    def test_doubt_removed_is_the_expected_fall_of_the_variance(self) -> None:
        random = np.random.default_rng(1)
        prior = Prior(0.7, 1.9)
        side = Side(5, 20, 20, prior)
        now = believe(5, 20, prior)
        p = random.choice(len(now.weights), 4000, p=now.weights)
        from explorer.core.belief import GRID

        def variance(c: int, n: int) -> float:
            weights = believe(c, n, prior).weights
            return float(weights @ GRID**2 - (weights @ GRID) ** 2)

        later = [variance(5 + int(random.binomial(BATCH, GRID[one])), 20 + BATCH) for one in p]
        assert doubt_removed(side) == pytest.approx(variance(5, 20) - np.mean(later), rel=0.02)

    def test_an_arm_without_samples_settles_nothing(self) -> None:
        certain = Prior(100, 0.02)
        step = next_step([Side(0, 64, 64), Side(0, 0, 0, certain)])
        assert (step.move, step.side, step.target) == (Move.DRAW, 1, BATCH)

    def test_the_cap_holds_for_each_arm(self) -> None:
        even = Side(10, 40, 40)
        assert next_step([even, even], cap=40).move is Move.CAPPED
        step = next_step([even, Side(9, 39, 39)], cap=40)
        assert (step.move, step.side, step.target) == (Move.DRAW, 1, 40)

    @pytest.mark.parametrize("population", [Prior(0.4, 0.8), Prior(1, 1)])
    def test_statements_hold_as_often_as_they_say(self, population: Prior) -> None:
        random = np.random.default_rng(3)
        pairs = random.beta(population.alpha, population.beta, (400, 2))
        inside = right = settled = 0
        for chances in pairs:
            sides = [Side(0, 0, 0, population)] * 2
            while (step := next_step(sides, cap=128)).move is Move.DRAW:
                side = sides[step.side]
                more = step.target - side.completions
                c = side.c + int(random.binomial(more, chances[step.side]))
                sides[step.side] = Side(c, side.n + more, step.target, population)
            low, high = believe(sides[0].c, sides[0].n, population).interval()
            inside += low <= chances[0] <= high
            if step.move is Move.SETTLED:
                settled += 1
                right += (step.above > 0.5) == (chances[0] > chances[1])
        assert 0.92 <= inside / 400 <= 0.98  # two standard errors about 95 %
        assert right / settled >= 0.94


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, Settings, list[int]]]:
    settings = small_workspace.settings(tmp_path, idle_exit_s=0.0)
    settings = replace(
        settings,
        models={name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()},
    )
    db = open_writer(settings.workspace.cache)
    ids = catalog.put_problems(db, small_workspace.problems(12))
    yield db, settings, list(ids.values())
    db.close()


async def work(db: sqlite3.Connection, settings: Settings, script: Script) -> None:
    await Runner(db, lambda: settings, open_engine=script.open).run()


def wish(db: sqlite3.Connection, settling_id: int) -> SettlingRow:
    found = settling.by_id(db, settling_id)
    assert found is not None
    return found


def counts(db: sqlite3.Connection, problem_id: int) -> dict[str, tuple[int, int]]:
    names = {arm.id: arm.model.name for arm in queries.arms(db)}
    tallies = queries.problem_tallies(db, problem_id)
    return {names[arm]: (tally.correct, tally.n) for arm, tally in tallies.items()}


Cache = tuple[sqlite3.Connection, Settings, list[int]]


class TestSampler:
    async def test_stops_as_soon_as_it_is_settled_and_says_so(self, cache: Cache) -> None:
        db, settings, (problem, *_) = cache
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING, cap=256)
        await work(db, settings, Script(rates={"base": 0.5, "rl": 0.02}))
        row, found = wish(db, asked), counts(db, problem)
        assert row.state == "settled"
        (base_c, base_n), (rl_c, rl_n) = found["base"], found["rl"]
        assert row.reason.startswith("settled: base above rl with ")
        assert f"base {base_c}/{base_n}, rl {rl_c}/{rl_n}; {base_n + rl_n} samples" in (row.reason)
        assert believe(base_c, base_n).exceeds(believe(rl_c, rl_n)) >= 0.95
        assert base_n + rl_n < 256

    async def test_equal_arms_are_drawn_up_to_the_cap(self, cache: Cache) -> None:
        db, settings, (problem, *_) = cache
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING, cap=40)
        await work(db, settings, Script(rates={"base": 0.0, "rl": 0.0}))
        row = wish(db, asked)
        assert row.state == "capped"
        assert row.reason.startswith("not settled at the cap of 40 each")
        assert counts(db, problem) == {"base": (0, 40), "rl": (0, 40)}

    async def test_asking_again_draws_nothing_new_and_a_higher_cap_goes_on(
        self, cache: Cache
    ) -> None:
        db, settings, (problem, *_) = cache
        rates = {"base": 1.0, "rl": 1.0}
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING, cap=16)
        await work(db, settings, Script(rates=rates))
        script = Script(rates=rates)
        assert settling.ask_to_settle(db, "base", "rl", problem, SAMPLING, cap=16) == asked
        await work(db, settings, script)
        assert not any(line.startswith("sample") for line in script.log)
        settling.ask_to_settle(db, "base", "rl", problem, SAMPLING, cap=32)
        await work(db, settings, Script(rates=rates))
        assert counts(db, problem) == {"base": (32, 32), "rl": (32, 32)}

    async def test_a_killed_run_goes_on_to_the_same_end(self, cache: Cache, tmp_path: Path) -> None:
        db, settings, (problem, *_) = cache
        rates = {"base": 0.35, "rl": 0.1}
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING)
        runner = Runner(db, lambda: settings, open_engine=Script(rates=rates).open)
        task = asyncio.create_task(runner.run())
        while sum(n for _, n in counts(db, problem).values()) < 20:
            await asyncio.sleep(0.005)
        runner.stop()
        await task
        assert wish(db, asked).state == "open"
        await work(db, settings, Script(rates=rates))

        with closing(open_writer(tmp_path / "undisturbed.db")) as other:
            catalog.put_problems(other, small_workspace.problems(12))
            same = settling.ask_to_settle(other, "base", "rl", problem, SAMPLING)
            elsewhere = replace(
                settings, workspace=Workspace(tmp_path, tmp_path / "undisturbed.db")
            )
            await work(other, elsewhere, Script(rates=rates))
            assert counts(db, problem) == counts(other, problem)
            assert wish(db, asked).state == wish(other, same).state == "settled"

    async def test_a_model_that_cannot_be_loaded_ends_it(self, cache: Cache) -> None:
        db, settings, (problem, *_) = cache
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING)
        await work(db, settings, Script(broken={"rl"}))
        row = wish(db, asked)
        assert (row.state, row.reason) == ("failed", "rl: The folder holds no model")
        settling.ask_to_settle(db, "base", "rl", problem, SAMPLING)
        await work(db, settings, Script(rates={"base": 0.9, "rl": 0.1}))
        assert wish(db, asked).state == "settled"

    def test_cancelling_a_problem_cancels_its_wishes(self, cache: Cache) -> None:
        db, _, (problem, other, *_) = cache
        asked = settling.ask_to_settle(db, "base", "rl", problem, SAMPLING)
        kept = settling.ask_to_settle(db, "base", "rl", other, SAMPLING)
        requests.cancel(db, problem)
        assert wish(db, asked).state == "cancelled"
        assert wish(db, kept).state == "open"

    def test_unknown_settings_are_refused(self, cache: Cache) -> None:
        db, _, (problem, *_) = cache
        with pytest.raises(UsageError, match="not known"):
            settling.ask_to_settle(db, "base", "rl", problem, Sampling(-1, 0, -1, 0))


async def test_the_prior_comes_from_the_other_problems(cache: Cache) -> None:
    db, settings, problems = cache
    for problem in problems:
        requests.ask_for_completions(db, "base", problem, SAMPLING, 8)
    await work(db, settings, Script(rates={"base": 0.1}))
    (arm,) = queries.arms(db)
    fitted = beliefs.prior_of(db, arm.id, problems[0])
    assert fitted.problems == 11
    assert fitted.label() == "fitted to 11 other problems"
    assert fitted.prior.alpha / (fitted.prior.alpha + fitted.prior.beta) < 0.3
    db.execute("UPDATE tally SET correct = 8, wrong = 0 WHERE problem_id = ?", (problems[0],))
    assert beliefs.prior_of(db, arm.id, problems[0]) == fitted
    few = beliefs.prior_of(db, arm.id + 1, problems[0])
    assert (few.problems, few.label()) == (0, "uniform")

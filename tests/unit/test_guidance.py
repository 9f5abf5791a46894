"""Where a guided set's next samples go: the formula, the order, the room, and what it is worth."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from explorer.core.belief import GRID, UNIFORM, Prior, believe, fit_prior
from explorer.core.guidance import (
    BATCH,
    FLOOR,
    LARGEST_BATCH,
    MOST_DRAWS,
    Cell,
    Goal,
    Room,
    batch_of,
    default_ks,
    doubt,
    expected_falls,
    forecast,
    gains,
    ks_now,
    log_gamma,
    next_round,
)

COUNTS = Path(__file__).parents[2] / "sample_data" / "counts.json"
NOW = Room()
FLAT = (UNIFORM, UNIFORM)
GOAL = Goal(256, default_ks(256), ((0, 1),), (50.0, 50.0))


def cell(arm: int, problem: int, c: int, n: int) -> Cell:
    return Cell(arm, problem, c, n, n)


def even(problems: int, arms: int, c: int = 0, n: int = 0) -> list[Cell]:
    return [cell(arm, problem, c, n) for problem in range(problems) for arm in range(arms)]


class TestFormula:
    @given(st.floats(0.01, 5000))
    def test_log_gamma(self, x: float) -> None:
        assert float(log_gamma(x)) == pytest.approx(math.lgamma(x), rel=1e-10, abs=1e-10)

    @pytest.mark.parametrize(("c", "n", "batch"), [(0, 16, 16), (5, 20, 16), (30, 32, 64)])
    def test_a_fall_is_the_expected_fall_of_the_variance(self, c: int, n: int, batch: int) -> None:
        prior, ks = Prior(0.7, 1.9), (1, 4, 16)
        random = np.random.default_rng(1)

        def variance(c: int, n: int, k: int) -> float:
            weights, values = believe(c, n, prior).weights, (1 - GRID) ** k
            return float(weights @ values**2 - (weights @ values) ** 2)

        chances = random.choice(GRID, 3000, p=believe(c, n, prior).weights)
        hits = random.binomial(batch, chances)
        found = expected_falls(prior.alpha + c, prior.beta + n - c, batch, ks)
        for place, k in enumerate(ks):
            later = [variance(c + int(more), n + batch, k) for more in hits]
            fall = variance(c, n, k) - float(np.mean(later))
            assert found[place] == pytest.approx(fall, rel=0.06)

    @given(
        st.floats(0.05, 300), st.floats(0.05, 300), st.integers(1, 128), st.sampled_from([1, 4, 64])
    )
    def test_a_fall_lies_between_nothing_and_all_there_is(
        self, alpha: float, beta: float, batch: int, k: int
    ) -> None:
        fall = float(expected_falls(alpha, beta, batch, (k,))[0])
        more = float(expected_falls(alpha, beta, batch + 8, (k,))[0])
        goal = Goal(512, (k,), (), (1.0,))
        whole = doubt(goal, [Cell(0, 0, 0, 0, 0)], [Prior(alpha, beta)], (k,)) ** 2
        assert -1e-12 <= fall <= whole + 1e-9
        assert fall <= more + 1e-9

    def test_doubt_is_the_spread_of_the_mean_difference(self) -> None:
        cells = [cell(0, 0, 3, 16), cell(1, 0, 9, 16), cell(0, 1, 0, 16), cell(1, 1, 16, 16)]
        random = np.random.default_rng(2)
        p = {
            (one.arm, one.problem): random.beta(1 + one.c, 1 + one.n - one.c, 40_000)
            for one in cells
        }
        k = 4
        mean = sum((1 - p[0, at]) ** k - (1 - p[1, at]) ** k for at in range(2)) / 2
        found = doubt(replace(GOAL, ks=(k,)), cells, (UNIFORM, UNIFORM), (k,))
        assert found == pytest.approx(float(np.std(mean)), rel=0.02)

    def test_an_arm_counts_as_often_as_it_is_compared(self) -> None:
        goal = Goal(256, (1,), ((0, 1), (0, 2)), (1.0, 1.0, 1.0))
        cells = even(3, 3, c=4, n=16)
        shares = gains(goal, cells, cells[:3], [32] * 3, [UNIFORM] * 3)
        assert shares[0] == pytest.approx(2 * shares[1])
        assert shares[1] == pytest.approx(shares[2])


class TestOrder:
    def test_every_cell_first_gets_the_floor_problem_by_problem(self) -> None:
        cells = [*even(3, 2), cell(0, 9, 200, 256), cell(1, 9, 8, FLOOR)]
        draws = next_round(GOAL, cells, NOW, FLAT)
        assert [(draw.cell.problem, draw.cell.arm) for draw in draws] == [
            (problem, arm) for problem in range(3) for arm in range(2)
        ]
        assert {draw.target for draw in draws} == {FLOOR}

    def test_a_smaller_n_is_not_passed(self) -> None:
        goal = replace(GOAL, n=5)
        assert {draw.target for draw in next_round(goal, even(2, 2), NOW, FLAT)} == {5}
        assert next_round(goal, even(2, 2, c=1, n=5), NOW, FLAT) == []

    def test_what_is_nearly_certain_waits(self) -> None:
        sure = [cell(arm, problem, 16, 16) for problem in range(40) for arm in range(2)]
        open_ = [cell(arm, 40 + problem, 7, 16) for problem in range(4) for arm in range(2)]
        draws = next_round(GOAL, [*sure, *open_], NOW, FLAT)
        assert {draw.cell.problem for draw in draws[:8]} == {40, 41, 42, 43}

    def test_unsolved_problems_come_before_solved_ones_where_k_is_large(self) -> None:
        cells = [cell(0, 0, 0, 64), cell(1, 0, 0, 64), cell(0, 1, 60, 64), cell(1, 1, 60, 64)]
        goal = replace(GOAL, ks=(64,))
        first = next_round(goal, cells, NOW, [Prior(0.3, 0.8)] * 2)[:2]
        assert {draw.cell.problem for draw in first} == {0}

    def test_the_cheaper_arm_comes_first(self) -> None:
        goal = replace(GOAL, tokens=(400.0, 50.0))
        draws = next_round(goal, even(20, 2, c=5, n=16), NOW, [UNIFORM] * 2)
        assert [draw.cell.arm for draw in draws[:8]] == [1] * 8

    def test_cells_that_are_to_be_left_alone_are(self) -> None:
        cells = even(3, 2, c=5, n=16)
        draws = next_round(GOAL, cells, NOW, FLAT, skip={(0, 0), (1, 2)})
        assert {(draw.cell.arm, draw.cell.problem) for draw in draws} == {
            (0, 1), (0, 2), (1, 0), (1, 1),
        }  # fmt: skip

    def test_ks_beyond_what_is_sampled_do_not_count_yet(self) -> None:
        assert ks_now(GOAL, even(2, 2, n=16)) == (1, 4, 16)
        assert ks_now(GOAL, even(2, 2, n=64)) == (1, 4, 16, 64)
        assert default_ks(100) == (1, 4, 16, 64)
        assert default_ks(1) == (1,)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_round_is_sound_whatever_the_counts(self, data: st.DataObject) -> None:
        n = data.draw(st.integers(1, 300))
        cells = []
        for problem in range(data.draw(st.integers(1, 6))):
            for arm in range(2):
                graded = data.draw(st.integers(0, 300))
                c = data.draw(st.integers(0, graded))
                cells.append(Cell(arm, problem, c, graded, graded + data.draw(st.integers(0, 9))))
        room = Room(samples=data.draw(st.none() | st.integers(0, 200)))
        goal = Goal(n, default_ks(n), ((0, 1),), (30.0, 70.0))
        draws = next_round(goal, cells, room, FLAT)
        assert draws == next_round(goal, list(cells), room, FLAT)  # counts alone decide
        assert len({(d.cell.arm, d.cell.problem) for d in draws}) == len(draws) <= MOST_DRAWS
        assert all(one.cell.completions < one.target <= n for one in draws)
        assert all(one.samples <= LARGEST_BATCH for one in draws)
        assert room.samples is None or sum(one.samples for one in draws) <= room.samples
        missing = [one for one in cells if one.completions < n]
        assert bool(draws) == bool(missing and room.samples != 0)
        below = [one for one in missing if one.completions < goal.floor]
        if below and draws:
            assert all(one.cell.completions < goal.floor for one in draws)


class TestRoom:
    def test_samples_are_kept_exactly(self) -> None:
        draws = next_round(GOAL, even(10, 2), Room(samples=37), FLAT)
        assert [draw.samples for draw in draws] == [16, 16, 5]

    def test_tokens_and_seconds_as_is_expected(self) -> None:
        assert (
            sum(d.samples for d in next_round(GOAL, even(10, 2), Room(tokens=1000.0), FLAT)) == 20
        )
        slow = Room(seconds=10.0, seconds_each=(0.5, 0.5))
        assert sum(d.samples for d in next_round(GOAL, even(10, 2), slow, FLAT)) == 20
        unknown = Room(seconds=10.0, seconds_each=(None, None))
        assert len(next_round(GOAL, even(10, 2), unknown, FLAT)) == 20
        assert next_round(GOAL, even(10, 2), Room(tokens=0.0), FLAT) == []
        assert sum(d.samples for d in next_round(GOAL, even(10, 2), Room(tokens=3.0), FLAT)) == 1

    def test_batches_grow_with_what_there_is(self) -> None:
        assert [batch_of(cell(0, 0, 0, n)) for n in (16, 32, 64, 128, 900)] == [
            BATCH, BATCH, 32, 64, LARGEST_BATCH,
        ]  # fmt: skip

    def test_a_forecast_of_everything_is_what_is_missing(self) -> None:
        cells = [*even(5, 2, c=3, n=16), cell(0, 9, 0, 300), cell(1, 9, 0, 0)]
        found = forecast(replace(GOAL, n=64), cells, NOW, FLAT)
        assert found.samples == (5 * 48, 5 * 48 + 64)
        assert found.complete
        assert found.after < found.before

    def test_a_forecast_stops_at_the_limit(self) -> None:
        found = forecast(GOAL, even(20, 2, c=3, n=16), Room(samples=500), FLAT)
        assert sum(found.samples) == 500
        assert not found.complete


Floats = NDArray[np.float64]


def priors_of(cells: Sequence[Cell]) -> list[Prior]:
    own = [[one for one in cells if one.arm == arm and one.n] for arm in range(2)]
    return [fit_prior([one.c for one in cell], [one.n for one in cell]) for cell in own]


def posterior_difference(goal: Goal, cells: Sequence[Cell]) -> Floats:
    """[K] the difference of mean pass@k that is believed, under priors fitted to the arms."""
    priors = priors_of(cells)
    table = np.array([(*priors[one.arm], one.c, one.n) for one in cells])
    alpha, beta = table[:, 0] + table[:, 2], table[:, 1] + table[:, 3] - table[:, 2]
    sign = np.array([1.0 if one.arm else -1.0 for one in cells])
    size = log_gamma(alpha + beta)
    return np.array(
        [
            -2
            * np.mean(
                sign
                * np.exp(log_gamma(beta + k) - log_gamma(beta) + size - log_gamma(alpha + beta + k))
            )
            for k in goal.ks
        ]
    )


class Futures:
    """What every cell would draw, so that two ways to spend a budget meet the same luck."""

    def __init__(self, chances: Sequence[Floats], most: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.hits = [np.cumsum(random.random((len(p), most)) < p[:, None], axis=1) for p in chances]

    def at(self, arm: int, problem: int, n: int) -> Cell:
        return cell(arm, problem, int(self.hits[arm][problem, n - 1]) if n else 0, n)


def spend_evenly(goal: Goal, futures: Futures, problems: int, each: int) -> list[Cell]:
    return [futures.at(arm, problem, each) for problem in range(problems) for arm in range(2)]


def spend_guided(goal: Goal, futures: Futures, problems: int, each: int) -> list[Cell]:
    cells = {(one.arm, one.problem): one for one in even(problems, 2)}
    left = each * len(cells)
    while left:
        now = list(cells.values())
        draws = next_round(goal, now, Room(samples=left), priors_of(now))
        for draw in draws:
            key = (draw.cell.arm, draw.cell.problem)
            cells[key] = futures.at(*key, draw.target)
            left -= draw.samples
    assert sum(one.completions for one in cells.values()) == each * len(cells)
    return list(cells.values())


def test_a_guided_budget_says_more_of_the_difference_than_an_even_one() -> None:
    """On arms whose p are those that were measured of the bundled family: 48 samples a cell.

    The mean squared error of what is believed, relative to even spending. Over 80 seeds it is
    about 0.8 at k = 4 and 16. Pass@1, whose error is smallest anyhow, does not gain (about 1.2).
    """
    tallies = json.loads(COUNTS.read_text())["tallies"]
    chances = [
        np.array([(one["correct"] + 0.2) / (one["n"] + 1.0) for one in tallies[name].values()])
        for name in ("base", "rl")
    ]
    goal = replace(GOAL, ks=(1, 4, 16))
    truth = np.array([np.mean((1 - chances[0]) ** k - (1 - chances[1]) ** k) for k in goal.ks])
    errors: dict[str, list[Floats]] = {}
    for seed in range(24):
        futures = Futures(chances, 256, seed)
        for name, way in (("even", spend_evenly), ("guided", spend_guided)):
            cells = way(goal, futures, len(chances[0]), 48)
            errors.setdefault(name, []).append((posterior_difference(goal, cells) - truth) ** 2)
    guided, even_ = (np.mean(errors[name], axis=0) for name in ("guided", "even"))
    ratio = guided / even_
    assert ratio[1:].mean() < 0.9, ratio  # k = 4 and 16

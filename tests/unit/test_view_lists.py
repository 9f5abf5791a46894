"""Arms, rows, order, counts, curves, the 2×2 and the verdict of what is shown."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from explorer.core.arm import Sampling
from explorer.core.passk import pass_at_k
from explorer.views.arms import ArmPick, choose
from explorer.views.coverage import coverage_table
from explorer.views.curves import problem_curves, set_curves
from explorer.views.palette import arm_marks
from explorer.views.problem_list import Order, count_lines, sort_keys, sort_lines
from explorer.views.problem_page import next_target
from explorer.views.verdict import verdict
from tests.unit.views_data import (
    BASE,
    DISTILLED,
    HOT,
    PAPER,
    RL,
    arm,
    lines,
    settings,
    tally,
    three_arms,
)


class TestArms:
    def test_one_column_per_model_base_first(self) -> None:
        arms = [arm(3, DISTILLED), arm(2, RL), arm(1, BASE)]
        choice = choose(arms, [DISTILLED, RL, BASE], {1: 5, 2: 5, 3: 5}, settings(), ArmPick())
        assert [column.arm_id for column in choice.columns] == [1, 2, 3]
        assert choice.pair() == (0, 1)

    def test_the_preset_is_shown_once_something_was_drawn_with_it(self) -> None:
        arms = [arm(1, BASE, HOT), arm(2, BASE, PAPER)]
        few = choose(arms, [BASE], {1: 500, 2: 1}, settings(), ArmPick())
        none = choose(arms[:1], [BASE], {1: 500}, settings(), ArmPick())
        assert few.sampling == PAPER
        assert none.sampling == HOT
        assert {option.sampling for option in none.options} == {HOT, PAPER}

    def test_arms_with_other_settings_are_never_mixed_in(self) -> None:
        arms = [arm(1, BASE, HOT), arm(2, RL, PAPER)]
        choice = choose(arms, [BASE, RL], {1: 9, 2: 3}, settings(), ArmPick(sampling=HOT))
        assert [column.arm_id for column in choice.columns] == [1, 0]

    def test_of_several_arms_the_largest_is_shown_unless_another_is_pinned(self) -> None:
        arms = [arm(1, BASE), arm(2, BASE, dtype="bfloat16")]
        sizes = {1: 5, 2: 50}
        assert choose(arms, [BASE], sizes, settings(), ArmPick()).columns[0].arm_id == 2
        pinned = choose(arms, [BASE], sizes, settings(), ArmPick(pinned=frozenset({1})))
        assert pinned.columns[0].arm_id == 1
        assert pinned.columns[0].others == 1

    def test_a_model_kept_off_the_lists_is_there_when_asked_for(self) -> None:
        models = settings(RL, BASE).models
        known = replace(settings(), models={**models, "rl": replace(models["rl"], listed=False)})
        arms, sizes = [arm(1, BASE), arm(2, RL)], {1: 5, 2: 5}
        listed = choose(arms, [BASE, RL], sizes, known, ArmPick())
        every = choose(arms, [BASE, RL], sizes, known, ArmPick(unlisted=True))
        assert [column.name for column in listed.columns] == ["base"]
        assert listed.hidden == ("rl",)
        assert [column.name for column in every.columns] == ["base", "rl"]

    def test_configured_models_are_there_before_anything_is_drawn(self) -> None:
        choice = choose([], [], {}, settings(RL, BASE), ArmPick())
        assert [column.name for column in choice.columns] == ["base", "rl"]
        assert choice.sampling == PAPER

    def test_marks_differ(self) -> None:
        marks = arm_marks(["base", "rl", "rl", "rl", "distilled", "base", ""])
        assert len({mark.marker for mark in marks}) == 7


class TestList:
    def test_classes_and_gap(self) -> None:
        rows = lines(
            (tally(1, 4), tally(2, 4), tally(0, 4)),
            (tally(0, 4, undecided=1), tally(2, 4), tally(0, 4)),
            (tally(0, 0), tally(2, 4), tally(0, 4)),
        )
        assert [row.letter for row in rows] == ["P", "E?", ""]
        assert [row.gap for row in rows] == [0.25, 0.5, None]

    def test_sorting_keeps_ties_and_puts_unknowns_last(self) -> None:
        rows = lines(
            (tally(1, 4), tally(1, 4), tally(0, 4)),
            (tally(0, 0), tally(2, 4), tally(0, 4)),
            (tally(3, 4), tally(1, 4), tally(0, 4)),
            (tally(1, 4), tally(0, 4), tally(0, 4)),
        )
        choice = three_arms()

        def order(key: str, reverse: bool = False) -> list[int]:
            return [row.position for row in sort_lines(rows, Order(key, reverse), choice)]

        assert order("base") == [0, 3, 2, 1]
        assert order("base", reverse=True) == [2, 0, 3, 1]
        assert order("gap") == [2, 3, 0, 1]
        assert order("file", reverse=True) == [3, 2, 1, 0]
        for key in sort_keys(choice):
            assert sorted(order(key)) == [0, 1, 2, 3]

    def test_counts_are_of_what_is_shown(self) -> None:
        rows = lines(
            (tally(1, 4, undecided=1), tally(1, 4, ungraded=2), tally(0, 4, recorded=4)),
            (tally(1, 4), tally(1, 4), tally(0, 4)),
        )
        said = count_lines(100, rows[:1]).sentence()
        assert said == (
            "100 problems · 1 shown · 14 completions · 1 undecided · 2 not yet graded · 4 recorded"
        )


class TestCurves:
    def test_a_problem(self) -> None:
        choice = three_arms()
        curves = problem_curves(choice.columns, (tally(4, 64), tally(0, 0), tally(3, 6)))
        assert [curve.label for curve in curves.curves] == ["base", "teacher-7b"]
        base = curves.curves[0]
        assert [point.k for point in base.points] == [1, 2, 4, 8, 16, 32, 64]
        assert base.points[3].value == pytest.approx(pass_at_k(4, 64, 8))
        assert all(point.lower <= point.upper for point in base.points)
        assert base.trusted == 32
        assert [point.k for point in curves.curves[1].points] == [1, 2, 4, 6]

    def test_a_set_averages_over_the_same_problems_for_every_arm(self) -> None:
        rows = lines(
            (tally(4, 64), tally(32, 64), tally(64, 64)),
            (tally(0, 64), tally(16, 64), tally(64, 64)),
            (tally(3, 3), tally(1, 64), tally(1, 64)),  # just being sampled on base
        )
        curves = set_curves(three_arms().columns, rows)
        assert (curves.problems, curves.left_out) == (2, 1)
        assert [curve.points[0].value for curve in curves.curves] == [4 / 128, 48 / 128, 1.0]
        assert {curve.n for curve in curves.curves} == {64}

    def test_nothing_to_draw(self) -> None:
        empty = tally(0, 0)
        assert set_curves(three_arms().columns, lines((empty, empty, empty))).curves == ()
        assert set_curves(three_arms().columns, []).curves == ()


def test_coverage_of_a_list() -> None:
    rows = lines(
        (tally(1, 4), tally(1, 4), tally(0, 4)),
        (tally(1, 4), tally(0, 8), tally(0, 4)),
        (tally(0, 4), tally(0, 4, undecided=1), tally(0, 4)),
        (tally(0, 0), tally(1, 4), tally(0, 4)),
    )
    table = coverage_table(rows, three_arms())
    assert table is not None
    counts = table.counts
    assert (counts.preserved, counts.shrunk, counts.expanded, counts.out) == (1, 1, 0, 1)
    assert (table.unsampled, counts.uncertain, table.n_label) == (1, 1, "n 4–8")


class TestVerdict:
    def test_says_what_was_observed_and_bounds_what_was_not(self) -> None:
        said = verdict(three_arms(), (tally(12, 64), tally(0, 64), tally(1, 64)), "math-1")
        assert said is not None
        assert said.sentence() == (
            "observed at n = 64 vs 64, T 1 · ≤1024 tok, verifier math-1: base 12/64, rl 0/64"
            " → S shrunk; rl: 0 of 64 ⇒ p ≤ 4.6% (95%)"
        )

    def test_undecided_samples_that_could_change_it_are_said(self) -> None:
        said = verdict(three_arms(), (tally(5, 64), tally(0, 32, undecided=1), tally(0, 0)), "m")
        assert said is not None
        assert said.outcome == "S? shrunk"
        assert "1 of rl is undecided and could change this" in said.remarks
        assert "the two were not sampled equally often" in said.remarks

    def test_nothing_is_claimed_without_samples(self) -> None:
        said = verdict(three_arms(), (tally(0, 0), tally(0, 64), tally(0, 0)), "")
        assert said is not None
        assert said.outcome == "not sampled enough to say"
        assert "nothing" not in said.sentence()

    def test_there_is_none_without_a_pair(self) -> None:
        choice = choose([arm(1, BASE)], [BASE], {1: 1}, settings(), ArmPick())
        assert verdict(choice, (tally(1, 2),), "m") is None


@pytest.mark.parametrize(
    ("have", "asked", "target"),
    [
        ([0, 0], [], 64),
        ([10, 64], [], 64),
        ([64, 64], [], 128),
        ([71, 90], [], 128),
        ([64, 64], [128, 128], 256),
        ([], [], 64),
    ],
)
def test_what_s_asks_for(have: list[int], asked: list[int], target: int) -> None:
    assert next_target(have, asked, first=64) == target


def test_values_that_are_not_there_stay_out_of_curves() -> None:
    curves = problem_curves(three_arms().columns, (tally(0, 1), tally(1, 1), tally(0, 0)))
    for curve in curves.curves:
        assert not any(math.isnan(point.value) for point in curve.points)
    assert Sampling().label() == "T 1 · ≤1024 tok"

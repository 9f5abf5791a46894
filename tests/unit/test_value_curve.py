"""Value curves: what is joined, where they fall most, and how they are drawn and printed."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from rich.cells import cell_len

from explorer.core.arm import Sampling
from explorer.core.belief import believe
from explorer.report.branches import interval_rule
from explorer.store.branches import BranchRow
from explorer.store.rows import Tally
from explorer.tui.render.value_chart import CURSOR, DROP, value_chart
from explorer.tui.theme import palette_for
from explorer.views.branch_line import BranchLine
from explorer.views.value_curve import ValueCurve, value_curves

HOT = Sampling(1.0, 1.0, 0, 100)
TEXT = "abcdefghijklmnopqrstuvwxyz"


def branch(
    position: int, right: int, n: int, model: str = "base", sampling: Sampling = HOT
) -> BranchLine:
    row = BranchRow(position, 1, position, None, "", model, sampling, 1, n, "done", "")
    tally = Tally(completions=n, correct=right, wrong=n - right)
    lower, upper = believe(right, n).interval() if n else (nan, nan)
    return BranchLine(row, tally, "", lower, upper)


def curves(*lines: BranchLine) -> tuple[ValueCurve, ...]:
    roles = {"base": "base", "rl": "rl"}
    return value_curves(lines, roles, lambda start, end: TEXT[start:end])


def test_the_largest_fall_names_the_token_it_begins_with() -> None:
    (curve,) = curves(branch(0, 10, 20), branch(4, 20, 20), branch(5, 1, 20), branch(9, 0, 20))
    assert curve.drop is not None
    assert curve.drop.token == 4
    assert curve.drop.is_clear
    said = curve.drop.sentence()
    assert said == "falls most 20/20 = 100% → 1/20 = 5.0% at token 5 ‘e’"


def test_a_stretch_is_not_called_a_token_and_a_small_fall_may_be_chance() -> None:
    (curve,) = curves(branch(0, 10, 20), branch(10, 8, 20))
    assert curve.drop is not None
    said = curve.drop.sentence()
    assert "tokens 1–10 ‘abcdefghij’" in said
    assert "perhaps by chance" in said


def test_a_curve_that_only_rises_has_no_fall() -> None:
    (curve,) = curves(branch(0, 0, 8), branch(3, 4, 8), branch(5, 4, 8), branch(6, 8, 8))
    assert curve.drop is None


def test_other_settings_swapped_tokens_and_empty_branches_are_not_joined() -> None:
    cold = replace(HOT, temperature=0.2)
    swapped = branch(4, 0, 8)
    swapped = replace(swapped, branch=replace(swapped.branch, swapped_id=7))
    found = curves(
        branch(0, 8, 8), branch(0, 0, 8, sampling=cold), branch(0, 2, 8, "rl"),
        branch(4, 8, 8), swapped, branch(6, 0, 0), branch(8, 8, 8, sampling=cold),
    )  # fmt: skip
    assert [[point.position for point in curve.points] for curve in found] == [[0, 4], [0, 8], [0]]
    assert found[0].label != found[1].label
    assert "T 0.2" in found[1].label
    assert found[2].label == "rl"
    assert found[2].sentence() == ""
    assert len({curve.mark for curve in found}) == 3


@pytest.mark.parametrize("size", [(80, 8), (200, 18), (30, 5), (12, 3)])
@pytest.mark.parametrize("length", [0, 1, 12])
def test_the_chart_fits_and_marks_the_fall_and_the_cursor(
    size: tuple[int, int], length: int
) -> None:
    found = curves(branch(0, 20, 20), branch(7, 1, 20), branch(9, 3, 20), branch(0, 3, 9, "rl"))
    width, height = size
    palette = palette_for("explorer-dark", True)
    strips = value_chart(found, length, 9, width, height, palette)
    texts = [strip.text for strip in strips]
    assert len(texts) == height
    assert {cell_len(text) for text in texts} == {width}
    drawn = "\n".join(texts)
    assert (DROP in drawn) == (width > 12)
    assert (CURSOR in drawn) == (width > 12)
    if width >= 80:
        assert "● base" in drawn
        assert "◆ rl" in drawn
        assert "100%" in drawn


def test_no_curves_are_a_blank() -> None:
    strips = value_chart((), 10, None, 80, 8, palette_for("explorer-dark", True))
    assert [strip.text.strip() for strip in strips] == [""] * 8


@pytest.mark.parametrize(
    ("interval", "rule"),
    [
        ((0.0, 0.0, 0.5), "●────┤·····"),
        ((0.2, 0.5, 0.8), "··├──●──┤··"),
        ((1.0, 1.0, 1.0), "··········●"),
        ((nan, nan, nan), "···········"),
    ],
)
def test_an_interval_is_a_rule_from_0_to_100(
    interval: tuple[float, float, float], rule: str
) -> None:
    assert interval_rule(*interval, width=11) == rule

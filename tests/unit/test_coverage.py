"""Classes, the 2x2 and the histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.coverage import (
    HISTOGRAM_LABELS,
    Coverage,
    CoverageClass,
    CoverageCounts,
    accuracy_bins,
    accuracy_histogram,
    classify,
    count_classes,
    delta_se,
)


@dataclass(frozen=True)
class Graded:
    correct: int
    n: int = 8
    undecided: int = 0


@pytest.mark.parametrize(
    ("base", "other", "letter"),
    [
        (Graded(1), Graded(1), "P"),
        (Graded(0), Graded(1), "E"),
        (Graded(1), Graded(0), "S"),
        (Graded(0), Graded(0), "O"),
        (Graded(0, undecided=1), Graded(1), "E?"),
        (Graded(1), Graded(0, undecided=2), "S?"),
        (Graded(0, undecided=8), Graded(0), "O?"),
        (Graded(1, undecided=7), Graded(2, undecided=6), "P"),
        (Graded(1, undecided=7), Graded(0), "S"),
    ],
)
def test_class_letters(base: Graded, other: Graded, letter: str) -> None:
    assert str(classify(base, other)) == letter


def test_no_class_without_graded_samples() -> None:
    assert classify(Graded(0, n=0), Graded(1)) is None
    assert classify(Graded(1), Graded(0, n=0)) is None


def test_counts_reproduce_the_papers_math500_table() -> None:
    letters = "P" * 462 + "S" * 18 + "E" * 5 + "O" * 15
    counts = count_classes([*(CoverageClass(Coverage(one), one == "S") for one in letters), None])
    assert (counts.preserved, counts.shrunk, counts.expanded, counts.out) == (462, 18, 5, 15)
    assert counts.total == 500
    assert counts.uncertain == 18
    assert counts.retention == pytest.approx(462 / 480)
    assert counts.discovery == pytest.approx(5 / 467)
    assert counts.net_change == pytest.approx(-13 / 485)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 500))
def test_dynamic_score_is_the_harmonic_mean(p: int, e: int, s: int) -> None:
    counts = CoverageCounts(preserved=p, expanded=e, shrunk=s)
    harmonic = 2 / (1 / counts.retention + 1 / counts.discovery)
    assert counts.dynamic == pytest.approx(harmonic)


def test_metrics_are_nan_where_undefined() -> None:
    counts = CoverageCounts(out=3)
    values = (counts.retention, counts.discovery, counts.dynamic, counts.net_change)
    assert all(math.isnan(value) for value in values)


@pytest.mark.parametrize(
    ("c", "n", "label"),
    [
        (0, 10, "0"),
        (1, 10, "(0,.1]"),
        (1, 1000, "(0,.1]"),
        (2, 10, "(.1,.2]"),
        (3, 10, "(.2,.3]"),
        (101, 1000, "(.1,.2]"),
        (9, 10, "(.8,.9]"),
        (91, 100, "(.9,1)"),
        (10, 10, "1"),
    ],
)
def test_bins_have_closed_right_ends(c: int, n: int, label: str) -> None:
    assert HISTOGRAM_LABELS[int(accuracy_bins(c, n))] == label


def test_histogram_counts_every_problem_with_samples_once() -> None:
    bars = accuracy_histogram([0, 0, 4, 8, 0], [8, 8, 8, 8, 0])
    assert [bar.problems for bar in bars] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert sum(bar.share for bar in bars) == pytest.approx(1)
    with pytest.raises(ValueError, match="between 0"):
        accuracy_bins([3], [2])


def test_delta_se_is_base_at_k_minus_rl_at_one() -> None:
    base = np.full(4, 256)
    assert delta_se([1, 0, 256, 2], base, [128, 0, 256, 64], base) == pytest.approx(0.75 - 0.4375)
    assert math.isnan(delta_se([1], [64], [1], [64]))

"""pass@k and its intervals against exact arithmetic."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.intervals import (
    bootstrap_interval,
    bootstrap_mean,
    posterior_interval,
    posterior_intervals,
    zero_bound,
)
from explorer.core.passk import (
    common_ks,
    curve,
    fail_at_k,
    log_fail_at_k,
    mean_curve,
    pass_at_k,
    standard_ks,
    table,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "passk"
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the exact values of ../shared/data/passk are not here"
)


def exact_fail(c: int, n: int, k: int) -> Fraction:
    return Fraction(math.comb(n - c, k), math.comb(n, k))


@st.composite
def tallies(draw: st.DrawFn, most: int = 400) -> tuple[int, int, int]:
    n = draw(st.integers(1, most))
    return draw(st.integers(0, n)), n, draw(st.integers(1, n))


@needs_reference
def test_reference_rows_agree_in_the_complement() -> None:
    rows = [json.loads(line) for line in (REFERENCE / "reference.jsonl").read_text().splitlines()]
    assert len(rows) == 200
    for row in rows:
        c, n, k = row["c"], row["n"], row["k"]
        fail = Decimal(row["fail_decimal40"])
        assert pass_at_k(c, n, k) == pytest.approx(float(row["value_decimal40"]), abs=1e-15)
        if fail == 0:
            assert fail_at_k(c, n, k) == 0
            continue
        assert log_fail_at_k(c, n, k) == pytest.approx(float(fail.ln()), rel=1e-14, abs=1e-16)
        if fail > Decimal("1e-300"):
            assert abs(Decimal(fail_at_k(c, n, k)) / fail - 1) < Decimal("1e-12")


@needs_reference
def test_reference_sets_agree_in_the_mean() -> None:
    lines = (REFERENCE / "aggregate_reference.jsonl").read_text().splitlines()
    assert len(lines) == 20
    for row in map(json.loads, lines):
        n, c = zip(*row["problems_n_c"], strict=True)
        expected = {int(k): point["value"] for k, point in row["pass_at_k"].items()}
        ks = sorted(expected)
        assert common_ks(n) == tuple(ks)
        np.testing.assert_allclose(mean_curve(c, n, ks), [expected[k] for k in ks], atol=1e-14)


@given(tallies())
def test_complement_is_the_exact_ratio(tally: tuple[int, int, int]) -> None:
    expected = exact_fail(*tally)
    value = fail_at_k(*tally)
    if expected == 0:
        assert value == 0
    elif expected > Fraction(1, 10**300):
        assert abs(Fraction(value) / expected - 1) < Fraction(1, 10**12)


@given(tallies())
def test_estimator_is_symmetric_in_c_and_k(tally: tuple[int, int, int]) -> None:
    c, n, k = tally
    if c > 0:
        assert log_fail_at_k(c, n, k) == log_fail_at_k(k, n, c)


@given(tallies(60))
def test_more_samples_or_successes_never_lower_it(tally: tuple[int, int, int]) -> None:
    c, n, k = tally
    if k < n:
        assert pass_at_k(c, n, k + 1) >= pass_at_k(c, n, k) - 1e-15
    if c < n:
        assert pass_at_k(c + 1, n, k) >= pass_at_k(c, n, k) - 1e-15


@pytest.mark.parametrize(
    ("c", "k"), [(1, 50_000), (50_000, 1), (7, 99_000), (300, 256), (99_999, 1), (99_990, 9)]
)
def test_stays_exact_at_a_hundred_thousand_samples(c: int, k: int) -> None:
    n, product = 100_000, Fraction(1)
    for i in range(min(c, k)):
        product *= Fraction(n - max(c, k) - i, n - i)
    assert abs(Fraction(fail_at_k(c, n, k)) / product - 1) < Fraction(1, 10**12)


@pytest.mark.parametrize(("c", "n", "k"), [(1, 4, 5), (1, 4, 0), (5, 4, 1), (-1, 4, 1)])
def test_the_impossible_is_refused(c: int, n: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"impossible|not defined"):
        pass_at_k(c, n, k)


def test_curve_and_mean_do_not_go_beyond_n() -> None:
    assert standard_ks(0) == ()
    assert standard_ks(1) == (1,)
    assert standard_ks(64) == (1, 2, 4, 8, 16, 32, 64)
    assert standard_ks(100) == (1, 2, 4, 8, 16, 32, 64, 100)
    drawn = curve(1, 4, [1, 2, 4, 8])
    np.testing.assert_allclose(drawn[:3], [0.25, 0.5, 1.0])
    assert np.isnan(drawn[3])
    assert np.isnan(mean_curve([1, 1], [4, 8], [8])).all()
    assert np.isnan(mean_curve([], [], [1])).all()
    with pytest.raises(ValueError, match="between 0"):
        table([5], [4], [1])
    with pytest.raises(ValueError, match="counts"):
        table([1, 2], [4], [1])


def test_posterior_interval_is_the_quantile_of_p_carried_over() -> None:
    # Beta(1, n+1) has the closed-form quantile 1 - (1-q)^(1/(n+1)).
    lower, upper = posterior_interval(0, 63, [1, 64])
    np.testing.assert_array_equal(lower, [0, 0])
    np.testing.assert_allclose(upper, [1 - 0.05 ** (1 / 64), 0.95], rtol=1e-10)


def test_posterior_interval_holds_the_estimate_where_none_or_all_are_correct() -> None:
    lower, upper = posterior_interval(63, 63, [1, 64])
    np.testing.assert_allclose(lower[0], 0.05 ** (1 / 64), rtol=1e-10)
    np.testing.assert_array_equal(upper, [1, 1])
    lower, upper = posterior_interval(0, 0, [1])
    assert (lower[0], upper[0]) == (0, 1)


def test_posterior_intervals_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(7)
    p = random.uniform(size=20_000)
    c = random.binomial(64, p)
    lower, upper = posterior_intervals(c, np.full(len(c), 64), [1, 16])
    truth = 1 - (1 - p[:, None]) ** np.array([1, 16])
    covered = ((lower <= truth) & (truth <= upper)).mean(axis=0)
    np.testing.assert_allclose(covered, 0.95, atol=0.007)


def test_bootstrap_has_the_spread_of_the_mean_and_is_reproducible() -> None:
    c = np.array([0] * 50 + [8] * 50)
    n = np.full(100, 8)
    lower, upper = bootstrap_interval(c, n, [1, 8], seed=3)
    again = bootstrap_interval(c, n, [1, 8], seed=3)
    np.testing.assert_array_equal(lower, again.lower)
    spread = 1.96 * math.sqrt(0.25 / 100)
    np.testing.assert_allclose(lower, 0.5 - spread, atol=0.015)
    np.testing.assert_allclose(upper, 0.5 + spread, atol=0.015)
    other = bootstrap_interval(c, n, [1, 8], seed=4)
    assert not np.array_equal(other.lower, lower) or not np.array_equal(other.upper, upper)


def test_bootstrap_chunks_do_not_change_the_kind_of_result() -> None:
    values = np.random.default_rng(0).uniform(size=(3000, 2))
    lower, upper = bootstrap_mean(values, resamples=1500)
    centre = values.mean(axis=0)
    spread = 1.96 * values.std(axis=0) / math.sqrt(3000)
    np.testing.assert_allclose(lower, centre - spread, atol=0.002)
    np.testing.assert_allclose(upper, centre + spread, atol=0.002)
    assert np.isnan(bootstrap_mean(np.empty((0, 2))).lower).all()


def test_zero_bound_is_exact_and_below_the_rule_of_thumb() -> None:
    assert (1 - zero_bound(128)) ** 128 == pytest.approx(0.05)
    assert zero_bound(128) == pytest.approx(0.0231, abs=1e-4)
    assert zero_bound(1024) < -math.log(0.05) / 1024
    assert zero_bound(0) == 1.0

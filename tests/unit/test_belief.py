"""Beliefs about p: against closed forms, and against simulation."""

import math
from itertools import product

import numpy as np
import pytest

from explorer.core.belief import (
    Prior,
    believe,
    fit_prior,
    is_settled,
    samples_to_settle,
)
from explorer.core.intervals import posterior_interval


@pytest.mark.parametrize(("c", "n"), [(0, 1), (0, 64), (3, 64), (64, 64), (1, 1024), (500, 1000)])
def test_the_uniform_prior_agrees_with_the_closed_form(c: int, n: int) -> None:
    closed = posterior_interval(c, n, [1])
    found = believe(c, n).interval()
    assert found == pytest.approx((closed.lower[0], closed.upper[0]), rel=2e-3, abs=1e-5)
    assert believe(c, n).mean() == pytest.approx((c + 1) / (n + 2), rel=1e-4)


def test_without_samples_a_belief_is_its_prior() -> None:
    belief = believe(0, 0, Prior(2, 5))
    assert belief.mean() == pytest.approx(2 / 7, rel=1e-4)


@pytest.mark.parametrize(("a", "b"), product([(0, 8), (3, 8), (8, 8)], repeat=2))
def test_the_chance_to_exceed_agrees_with_simulation(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    random = np.random.default_rng(5)
    first = random.beta(a[0] + 1, a[1] - a[0] + 1, 400_000)
    second = random.beta(b[0] + 1, b[1] - b[0] + 1, 400_000)
    assert believe(*a).exceeds(believe(*b)) == pytest.approx((first > second).mean(), abs=0.004)


def test_the_order_is_the_same_at_every_k() -> None:
    one, other = believe(5, 64), believe(9, 64)
    assert one.exceeds(other) + other.exceeds(one) == pytest.approx(1)
    for k in (1, 16, 256):
        assert one.pass_at(k)[0] < other.pass_at(k)[0]


def test_an_extrapolation_is_between_its_bounds_and_grows() -> None:
    belief = believe(1, 64)
    reached = [belief.pass_at(k) for k in (1, 64, 1024)]
    assert all(low < mean < high for mean, low, high in reached)
    assert reached[0][0] < reached[1][0] < reached[2][0]


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (2.0, 5.0), (1.0, 1.0)])
def test_a_prior_is_recovered_from_many_problems(alpha: float, beta: float) -> None:
    random = np.random.default_rng(3)
    n = np.full(4000, 64)
    c = random.binomial(n, random.beta(alpha, beta, 4000))
    found = fit_prior(c, n)
    assert found.alpha == pytest.approx(alpha, rel=0.1)
    assert found.beta == pytest.approx(beta, rel=0.1)


def test_few_problems_or_few_samples_do_not_make_a_prior() -> None:
    assert fit_prior([1, 2, 0], [4, 4, 0]) == Prior(1, 1)
    assert fit_prior([1, 0] * 200, [1] * 400) == Prior(1, 1)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        believe(5, 4)


def test_what_is_clear_needs_no_more_samples() -> None:
    assert is_settled(believe(60, 64), believe(2, 64))
    assert samples_to_settle(believe(60, 64), believe(2, 64)) == 0


def test_a_closer_race_needs_more_samples_and_a_tie_does_not_end() -> None:
    near = samples_to_settle(believe(20, 64), believe(16, 64))
    far = samples_to_settle(believe(20, 64), believe(13, 64))
    assert near is not None
    assert far is not None
    assert near >= far > 0
    assert samples_to_settle(believe(4000, 8000), believe(4000, 8000), cap=64) is None


def test_statements_hold_as_often_as_they_say_also_when_sampling_stops_on_them() -> None:
    """1,500 pairs of arms with known p, sampled by eights until settled or at 128."""
    random = np.random.default_rng(11)
    prior = Prior(0.4, 0.8)
    chances = random.beta(0.4, 0.8, (1500, 2))
    held, said, inside = 0, 0, 0
    for pair in chances:
        counts = np.zeros(2, dtype=int)
        n = 0
        while n < 128:
            n += 8
            counts += random.binomial(8, pair)
            first, second = (believe(int(c), n, prior) for c in counts)
            if is_settled(first, second):
                said += 1
                held += (first.exceeds(second) > 0.5) == (pair[0] > pair[1])
                break
        low, high = first.interval()
        inside += low <= pair[0] <= high
    assert said > 700
    assert held / said >= 0.93
    assert math.isclose(inside / len(chances), 0.95, abs_tol=0.02)

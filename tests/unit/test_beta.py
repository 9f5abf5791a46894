"""The incomplete beta function against exact binomial sums, and its inverse against itself."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.core.beta import beta_quantile, betainc

mpmath.mp.dps = 40


def exact(a: int, b: int, x: Fraction) -> Fraction:
    """I_x(a, b) = P(Binomial(a + b - 1, x) >= a) for whole a and b."""
    total = a + b - 1
    return sum(
        (comb(total, j) * x**j * (1 - x) ** (total - j) for j in range(a, total + 1)), Fraction(0)
    )


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 64))
def test_betainc_is_the_binomial_tail(a: int, b: int, sixty_fourths: int) -> None:
    x = Fraction(sixty_fourths, 64)
    assert float(betainc(a, b, float(x))) == pytest.approx(
        float(exact(a, b, x)), rel=1e-11, abs=1e-14
    )


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [
        (1.5, 2.5, 0.3),
        (1, 1, 0.7),
        (900, 125, 0.9),
        (3, 1022, 0.01),
        (1, 1025, 1e-5),
        (500, 500, 0.5),
    ],
)
def test_betainc_agrees_with_mpmath(a: float, b: float, x: float) -> None:
    expected = mpmath.betainc(a, b, 0, mpmath.mpf(x), regularized=True)
    assert float(betainc(a, b, x)) == pytest.approx(float(expected), rel=1e-11)


@given(
    st.sampled_from([0.001, 0.025, 0.5, 0.975, 0.999]),
    st.integers(1, 100_000),
    st.integers(1, 100_000),
)
@settings(max_examples=60, deadline=None)
def test_quantile_inverts(q: float, a: int, b: int) -> None:
    x = float(beta_quantile(q, a, b))
    assert 0 < x < 1
    assert float(betainc(a, b, x)) == pytest.approx(q, rel=1e-9)


def test_quantile_of_a_power_is_closed_form() -> None:
    n = np.array([1.0, 8.0, 128.0, 1e5])
    np.testing.assert_allclose(beta_quantile(0.975, 1, n), -np.expm1(np.log(0.025) / n), rtol=1e-11)
    np.testing.assert_allclose(beta_quantile(0.025, n, 1), 0.025 ** (1 / n), rtol=1e-11)


def test_ends_shapes_and_refusals() -> None:
    assert beta_quantile([[0.0], [1.0]], [2, 3], [4, 5]).tolist() == [[0, 0], [1, 1]]
    assert betainc(2, 3, [0.0, 1.0]).tolist() == [0, 1]
    for bad in ((0.5, 1, 0.5), (1, 0.5, 0.5), (1, 1, 1.5), (1, 1, np.nan)):
        with pytest.raises(ValueError, match="betainc needs"):
            betainc(*bad)
    with pytest.raises(ValueError, match="needs 0 <= q"):
        beta_quantile(-0.1, 1, 1)

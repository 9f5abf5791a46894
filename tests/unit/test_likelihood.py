"""Perplexity, quantiles and colour levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.likelihood import (
    DELTA_EDGES,
    FLOOR,
    NOISE,
    bits_per_byte,
    clip_logprobs,
    delta_levels,
    delta_logprobs,
    entropy_levels,
    mean_logprob,
    perplexity,
    placement,
    rank_classes,
    surprisal_levels,
)

NAN, INF = math.nan, math.inf


def test_perplexity_of_a_fair_choice_is_the_number_of_options() -> None:
    assert perplexity(np.full(7, math.log(1 / 4), np.float32)) == pytest.approx(4, rel=1e-6)


def test_eos_is_counted_by_default_and_can_be_left_out() -> None:
    logprobs = [-1.0, -1.0, -4.0]
    assert mean_logprob(logprobs, has_eos=True) == -2
    assert mean_logprob(logprobs, has_eos=True, include_eos=False) == -1
    assert mean_logprob(logprobs, has_eos=False, include_eos=False) == -2
    assert math.isnan(perplexity([-1.0], has_eos=True, include_eos=False))


def test_impossible_unknown_and_empty() -> None:
    assert clip_logprobs([-INF, -20000, 1e-7, -1]).tolist() == [FLOOR, FLOOR, 0, -1]
    assert mean_logprob([-INF, 0.0]) == FLOOR / 2
    assert perplexity([-INF]) == INF
    assert math.isnan(perplexity([NAN, -1.0]))
    assert math.isnan(perplexity([]))
    assert math.isnan(bits_per_byte([], 0))


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=50))
def test_perplexity_is_the_geometric_mean_of_inverse_probabilities(logprobs: list[float]) -> None:
    product = math.fsum(logprobs)
    assert perplexity(logprobs) == pytest.approx(math.exp(-product / len(logprobs)), rel=1e-9)


def test_bits_per_byte() -> None:
    assert bits_per_byte([-math.log(2) * 8, -math.log(2) * 8], 4) == pytest.approx(4)


def test_placement_counts_ties_half_and_leaves_out_the_unknown() -> None:
    assert placement(2.0, [1, 2, 2, 3, NAN]) == (0.5, 4)
    assert placement(0.5, [1, 2]) == (0, 2)
    assert placement(9.0, [1, 2]) == (1, 2)
    assert math.isnan(placement(NAN, [1, 2]).quantile)
    assert placement(1.0, [])[1] == 0


def test_levels_change_at_their_edges() -> None:
    assert surprisal_levels([0, -0.49, -0.5, -1, -2, -4, -INF, NAN]).tolist() == [
        0, 0, 1, 2, 3, 4, 4, 0,
    ]  # fmt: skip
    assert entropy_levels([0, 0.35, 0.7, 1.2, 2.0, NAN]).tolist() == [0, 1, 2, 3, 4, 0]
    assert rank_classes([1, 2, 3, 4, 50_000]).tolist() == [0, 1, 1, 2, 2]


def test_differences_below_the_noise_have_no_level() -> None:
    assert DELTA_EDGES[0] == NOISE
    values = [0.0, 0.0999, -0.0999, 0.1, -0.1, 0.5, -1.0, 2.0, -INF, INF, NAN]
    assert delta_levels(values).tolist() == [0, 0, 0, 1, -1, 2, -3, 4, -4, 4, 0]


def test_two_impossible_tokens_do_not_differ() -> None:
    assert delta_levels(delta_logprobs([-INF, -1.0, NAN], [-9999.0, -2.5, -1.0])).tolist() == [
        0, 3, 0,
    ]  # fmt: skip


@given(st.floats(-50, 50))
def test_delta_levels_are_odd(value: float) -> None:
    assert delta_levels(value) == -delta_levels(-value)

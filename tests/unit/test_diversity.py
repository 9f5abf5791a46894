"""Variety and steadiness: against enumeration and limits."""

import math
from itertools import combinations

import numpy as np
import pytest

from explorer.core.diversity import (
    Answers,
    answer_entropy,
    cover_at,
    g_pass_at_k,
    majority_at_k,
    majority_curve,
    mean_g_pass_at_k,
)
from explorer.core.passk import pass_at_k


def test_entropy_of_answers() -> None:
    assert answer_entropy({"1": 8}) == 0
    assert answer_entropy({"1": 4, "2": 2, "": 2}) == pytest.approx(1.5 * math.log(2))
    assert math.isnan(answer_entropy({}))


def test_distinct_answers_leave_out_the_missing_one() -> None:
    assert Answers({"1": 3, "": 2, "7": 0}, frozenset()).distinct == 1


def enumerated_majority(counts: dict[str, int], correct: str, k: int) -> float:
    samples = [name for name, count in counts.items() for _ in range(count)]
    shares = []
    for drawn in combinations(samples, k):
        votes = {name: drawn.count(name) for name in set(drawn) if name}
        best = [name for name, vote in votes.items() if vote == max(votes.values())]
        shares.append((correct in best) / len(best) if best else 0)
    return sum(shares) / len(shares)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_majority_agrees_with_every_possible_draw(k: int) -> None:
    counts = {"42": 3, "7": 2, "": 2, "13": 1}
    answers = Answers(counts, frozenset({"42"}))
    assert majority_at_k(answers, k, draws=40_000) == pytest.approx(
        enumerated_majority(counts, "42", k), abs=0.012
    )


def test_majority_beyond_the_samples_is_unknown() -> None:
    assert math.isnan(majority_at_k(Answers({"1": 2}, frozenset()), 3))
    assert list(majority_curve(Answers({"1": 3}, frozenset({"1"})))) == [1, 2, 3]


@pytest.mark.parametrize("c", [0, 1, 3, 8])
def test_g_pass_between_one_right_and_all_right(c: int) -> None:
    n, k = 8, 4
    assert g_pass_at_k(c, n, k, 1e-9) == pytest.approx(pass_at_k(c, n, k))
    assert g_pass_at_k(c, n, k, 1.0) == pytest.approx(math.comb(c, k) / math.comb(n, k))
    enough = [sum(place < c for place in drawn) >= 2 for drawn in combinations(range(n), k)]
    assert g_pass_at_k(c, n, k, 0.5) == pytest.approx(np.mean(enough))


def test_mean_g_pass_of_the_sure_and_the_hopeless() -> None:
    assert mean_g_pass_at_k(16, 16, 8) == pytest.approx(1.0)
    assert mean_g_pass_at_k(0, 16, 8) == 0


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="impossible"):
        g_pass_at_k(3, 2, 1, 0.5)
    with pytest.raises(ValueError, match="tau"):
        g_pass_at_k(1, 2, 1, 0)


def test_cover_counts_problems_at_or_above_a_level() -> None:
    assert cover_at([0, 1, 2, 4, 3], [4, 4, 4, 4, 0], [0.25, 0.5, 1]).tolist() == [0.75, 0.5, 0.25]
    assert np.isnan(cover_at([0], [0], [0.5])).all()

"""Reviews: votes, CoT-pass@k, agreement."""

import math

import pytest

from explorer.core.passk import pass_at_k
from explorer.core.review import (
    Finding,
    Rule,
    bounds_of_sound,
    cot_pass_at_k,
    is_sound,
    kappa,
    queue_order,
)


@pytest.mark.parametrize(
    ("votes", "found"),
    [
        ([True, False, False], (True, False, False)),
        ([True, True, False], (True, True, False)),
        ([True, True, True], (True, True, True)),
        ([True, False], (True, None, False)),
        ([], (None, None, None)),
    ],
)
def test_three_ways_to_count_votes(votes: list[bool], found: tuple[bool | None, ...]) -> None:
    assert tuple(is_sound(votes, rule) for rule in (Rule.ANY, Rule.MAJORITY, Rule.ALL)) == found


def test_cot_pass_counts_only_what_is_right_in_both() -> None:
    assert cot_pass_at_k(3, 64, 16) == pass_at_k(3, 64, 16)
    assert math.isnan(cot_pass_at_k(3, 8, 16))


def test_what_was_not_reviewed_is_left_open() -> None:
    assert bounds_of_sound(correct=10, reviewed_sound=3, reviewed=4) == (3, 9)
    assert bounds_of_sound(correct=10, reviewed_sound=8, reviewed=10) == (8, 8)


def test_agreement_beyond_chance() -> None:
    sound, logic = Finding.SOUND, Finding.LOGIC
    first = dict(enumerate([sound] * 25 + [logic] * 25))
    second = dict(enumerate([sound] * 20 + [logic] * 5 + [sound] * 10 + [logic] * 15))
    # Cohen's own kind of table: agreed 35 of 50; by chance (25·30 + 25·20) / 2500 = 1/2.
    agreement, n = kappa(first, second)
    assert (agreement, n) == pytest.approx((0.4, 50))
    assert kappa(first, first)[0] == pytest.approx(1.0)
    assert kappa(first, {99: sound})[1] == 0
    assert math.isnan(kappa({1: sound}, {1: sound})[0])


def test_the_rarely_solved_come_first() -> None:
    assert sorted([0.0, 0.5, 0.04, 0.01], key=queue_order) == [0.01, 0.04, 0.5, 0.0]

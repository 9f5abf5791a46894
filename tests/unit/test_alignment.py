"""Alignment, steps and nearest samples."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.alignment import Kind, Stretch, align, common_prefix, shared_in_order, similarity
from explorer.core.nearest import Order, Sample, compare, ranked
from explorer.core.steps import repeated, sentences, steps

small = st.lists(st.integers(0, 4), max_size=30)


@given(small, small, st.integers(1, 4))
def test_stretches_cover_both_sides_and_what_is_called_same_is(
    left: list[int], right: list[int], island: int
) -> None:
    stretches = align(left, right, island)
    assert [left[s.left_start : s.left_end] for s in stretches if s.left] == [
        left[a:b] for a, b in _covers([(s.left_start, s.left_end) for s in stretches], len(left))
    ]
    _covers([(s.right_start, s.right_end) for s in stretches], len(right))
    for before, after in pairwise(stretches):
        assert before.kind is not after.kind
    for stretch in stretches:
        if stretch.kind is Kind.SAME:
            here = left[stretch.left_start : stretch.left_end]
            assert here == right[stretch.right_start : stretch.right_end]


def _covers(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    at = 0
    for start, end in spans:
        assert start == at
        at = end
    assert at == length
    return [span for span in spans if span[1] > span[0]]


def test_a_lone_common_word_does_not_shred_a_difference() -> None:
    left, right = list("weadd7and8toget"), list("wetake9andgotoget")
    assert [s.kind for s in align(left, right)] == [
        Kind.SAME,
        Kind.DIFFERENT,
        Kind.SAME,
        Kind.DIFFERENT,
        Kind.SAME,
    ]
    assert align(left, right)[0] == Stretch(Kind.SAME, 0, 2, 0, 2)


def test_the_point_where_two_traces_part() -> None:
    assert common_prefix([1, 2, 3, 9], [1, 2, 4]) == 2
    assert common_prefix([], [1]) == 0
    assert common_prefix([1], [1]) == 1


def test_similarity_of_the_same_and_of_nothing_in_common() -> None:
    assert similarity([1, 2], [1, 2]) == 1
    assert similarity([1, 2], [3]) == 0
    assert similarity([], []) == 1
    assert shared_in_order("abcd", "bxd") == 2


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("47 + 5 = 52, then 52 - 3 = 49.", ["47+5=52", "52-3=49"]),
        (r"so $3 \times 4 = 12$ and \frac{1}{2}", ["3*4=12", "1/2"]),
        ("1,200 apples at 3.50 each", ["1200", "3.50"]),
        ("x = 5 and 2x + 3 = 13", ["x=5", "2x+3=13"]),
        ("a story without a sum", []),
        ("(3 + 4) × 2 = 14", ["3+4)*2=14"]),
        ("", []),
    ],
)
def test_steps_are_calculations(text: str, keys: list[str]) -> None:
    assert [step.key for step in steps(text)] == keys


def test_a_step_says_where_it_stands() -> None:
    text = "Add: 7 + 8 = 15."
    (step,) = steps(text)
    assert text[step.start : step.end] == "7 + 8 = 15"


def test_sentences_and_lines() -> None:
    text = "One is 1.5 apples. Two?  Three!\n\nFour\n"
    assert [text[a:b] for a, b in sentences(text)] == [
        "One is 1.5 apples.",
        "Two?",
        "Three!",
        "Four",
    ]
    assert sentences(" \n ") == []


def test_a_passage_said_twice_is_found_the_second_time() -> None:
    text = "Let me check this again.  So 5. Let me  check this again. So 5."
    assert [text[a:b] for a, b in repeated(text)] == ["Let me  check this again."]


def test_the_same_answer_and_the_same_calculation_come_first() -> None:
    trace = Sample(0, "Take 7 + 8 = 15. The answer is 15.", "15", [1, 2, 3, 4])
    samples = [
        Sample(1, "The answer is 15.", "15", [9]),
        Sample(2, "We first see that 7 + 8 = 15, hence 15. 15", "15", [1, 9]),
        Sample(3, "Take 7 + 8 = 15. The answer is 16.", "16", [1, 2, 3]),
        Sample(4, "Take it.", "", None),
    ]
    found = compare(trace, samples)
    assert [one.id for one in ranked(found)] == [2, 1, 3, 4]
    assert [one.prefix for one in found] == [0, 1, 3, None]
    assert [one.shared_steps for one in found] == [1, 2, 1, 0]
    assert found[0].steps == 2
    assert [one.id for one in ranked(found, Order.PREFIX)][2:] == [3, 4]


def test_no_answer_is_not_the_same_answer_as_none() -> None:
    (one,) = compare(Sample(0, "a", ""), [Sample(1, "a", "")])
    assert not one.same_answer
    assert one.text == 1

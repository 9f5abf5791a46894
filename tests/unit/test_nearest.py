"""Comparing many samples: fast ways give what the plain ones do, and the top rows come first."""

from __future__ import annotations

import random

import numpy as np
import pytest

from explorer.core.alignment import common_prefix, shared_in_order
from explorer.core.nearest import Order, Sample, compare, most_promising, ranked, same_answer
from explorer.core.steps import steps
from explorer.views.step_book import StepBook

WORDS = ["so", "wait", "let", "x", "3 + 4", "= 7", "12 * 3 = 36", "\\frac{3}{4}", "1,000", "36"]


def sample(number: int, generator: random.Random) -> Sample:
    text = " ".join(generator.choices(WORDS, k=generator.randint(0, 30)))
    ids = np.array(generator.choices(range(2), k=generator.randint(0, 9)), np.int32)
    answer = generator.choice(["7", "36", ""])
    return Sample(number, text, answer, None if number % 7 == 0 else ids)


def listed(one: Sample) -> list[int]:
    return [] if one.ids is None else [int(token) for token in one.ids]


@pytest.fixture
def samples() -> list[Sample]:
    generator = random.Random(4)
    return [sample(number, generator) for number in range(200)]


def test_remembered_steps_and_arrays_give_what_plain_lists_do(samples: list[Sample]) -> None:
    book = StepBook()
    for trace in samples[:5]:
        keys = [step.key for step in steps(trace.text)]
        for one, like in zip(samples, compare(trace, samples, book.of), strict=True):
            assert like.shared_steps == shared_in_order(keys, [s.key for s in steps(one.text)])
            assert like.steps == len(keys)
            known = trace.ids is not None and one.ids is not None
            assert like.prefix == (common_prefix(listed(trace), listed(one)) if known else None)
    assert len(book) == len({one.text for one in samples})


def test_what_is_forgotten_is_found_again() -> None:
    book = StepBook(room=4)
    texts = ["1 2 3", "3 2 1", "1 2 3 4 5 6 7 8", ""]
    first = [book.of(text) for text in texts]
    assert len(book) < len(texts)
    assert [book.of(text) for text in texts] == first
    assert first[0] == first[1][::-1]


def test_the_top_of_every_order_is_known_once_the_promising_are_compared(
    samples: list[Sample],
) -> None:
    trace = samples[1]
    assert trace.answer
    order = most_promising(trace, samples)
    assert sorted(order) == list(range(len(samples)))
    alike = sum(same_answer(trace, one) for one in samples)
    assert 0 < alike < len(samples)
    early = compare(trace, [samples[place] for place in order[:alike]])
    every = compare(trace, samples)
    for by in Order:
        assert ranked(early, by) == ranked(every, by)[:alike]

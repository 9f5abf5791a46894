"""Which completions of one arm are most like a given trace, in four ways.

No single number says 'the same solution'; the four are shown side by side, and the order is by
one of them, the others breaking ties.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from explorer.core.alignment import shared_in_order, similarity
from explorer.core.completion import Int32
from explorer.core.steps import steps


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion as it is compared.

    Attributes:
        id: whatever the caller knows it by.
        ids: [T] token ids; None if the tokens are unknown or another tokenizer's.
    """

    id: int
    text: str
    answer: str
    ids: Sequence[int] | Int32 | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a sample is to the trace.

    Attributes:
        same_answer: both gave an answer, and the same one, as text.
        prefix: tokens that both begin with; None where token ids cannot be compared.
        shared_steps, steps: calculations of the trace that the sample has in the same order, and
            how many the trace has.
        text: similarity of the words in order, in 0..1.
    """

    id: int
    same_answer: bool
    prefix: int | None
    shared_steps: int
    steps: int
    text: float

    @property
    def step_share(self) -> float:
        return self.shared_steps / self.steps if self.steps else 0.0


class Order(StrEnum):
    """What 'nearest' means."""

    STEPS = "steps"
    PREFIX = "prefix"
    TEXT = "text"


def step_keys(text: str) -> list[str]:
    """The calculations of a text in order, as they are compared."""
    return [step.key for step in steps(text)]


def compare(
    trace: Sample,
    samples: Iterable[Sample],
    marks_of: Callable[[str], Sequence[Hashable]] = step_keys,
) -> list[Likeness]:
    """The likeness of each sample, in the order given.

    Args:
        marks_of: a mark for each calculation of a text, equal where `step_keys` are.
    """
    marks = marks_of(trace.text)
    words = trace.text.split()
    return [
        Likeness(
            id=sample.id,
            same_answer=same_answer(trace, sample),
            prefix=common_tokens(trace, sample),
            shared_steps=shared_in_order(marks, marks_of(sample.text)),
            steps=len(marks),
            text=similarity(words, sample.text.split()),
        )
        for sample in samples
    ]


def ranked(found: Iterable[Likeness], order: Order = Order.STEPS) -> list[Likeness]:
    """Most alike first; those with the same answer before all others."""

    def place(one: Likeness) -> tuple[float, ...]:
        prefix = -1.0 if one.prefix is None else float(one.prefix)
        parts = {Order.STEPS: one.step_share, Order.PREFIX: prefix, Order.TEXT: one.text}
        rest = (one.step_share, prefix, one.text)
        return (-float(one.same_answer), -parts[order], *(-part for part in rest), float(one.id))

    return sorted(found, key=place)


def most_promising(trace: Sample, samples: Sequence[Sample]) -> list[int]:
    """Positions of the samples in the order in which to compare them.

    Those with the same answer stand first in every order, so that once they are compared the
    beginning of the list is final; among equals, the longest common prefix, which costs nothing.
    """
    cheap = [(same_answer(trace, one), common_tokens(trace, one) or 0) for one in samples]
    return sorted(range(len(samples)), key=cheap.__getitem__, reverse=True)


def same_answer(trace: Sample, sample: Sample) -> bool:
    """Whether both gave an answer, and the same one."""
    return bool(trace.answer) and trace.answer == sample.answer


def common_tokens(trace: Sample, sample: Sample) -> int | None:
    """Tokens that both begin with; None where token ids cannot be compared."""
    if trace.ids is None or sample.ids is None:
        return None
    shorter = min(len(trace.ids), len(sample.ids))
    parts = np.flatnonzero(np.asarray(trace.ids[:shorter]) != np.asarray(sample.ids[:shorter]))
    return int(parts[0]) if len(parts) else shorter

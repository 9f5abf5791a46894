"""Which completions of one arm are most like a given trace, in four ways.

No single number says 'the same solution'; the four are shown side by side, and the order is by
one of them, the others breaking ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from explorer.core.alignment import common_prefix, shared_in_order, similarity
from explorer.core.steps import steps


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion as it is compared.

    Attributes:
        id: whatever the caller knows it by.
        ids: token ids; None if the tokens are unknown or another tokenizer's.
    """

    id: int
    text: str
    answer: str
    ids: Sequence[int] | None = None


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


def compare(trace: Sample, samples: Iterable[Sample]) -> list[Likeness]:
    """The likeness of each sample, in the order given."""
    keys = [step.key for step in steps(trace.text)]
    words = trace.text.split()
    return [
        Likeness(
            id=sample.id,
            same_answer=bool(trace.answer) and trace.answer == sample.answer,
            prefix=_prefix(trace, sample),
            shared_steps=shared_in_order(keys, [step.key for step in steps(sample.text)]),
            steps=len(keys),
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


def _prefix(trace: Sample, sample: Sample) -> int | None:
    if trace.ids is None or sample.ids is None:
        return None
    return common_prefix(trace.ids, sample.ids)

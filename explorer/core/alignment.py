"""Two traces laid beside each other: where they agree, where they part, and how alike they are.

Sequences may be token ids, step keys or anything hashable. Invariant: the stretches of an
alignment cover both sequences in order, without gap or overlap.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from rapidfuzz.distance import Indel, LCSseq

SHORTEST_ISLAND = 3
"""Equal items between two differences that are fewer than this are shown as part of one
difference: common words would otherwise shred it into pieces that nobody can read."""


class Kind(StrEnum):
    """What a stretch is."""

    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Items left[left_start:left_end] stand beside right[right_start:right_end]."""

    kind: Kind
    left_start: int
    left_end: int
    right_start: int
    right_end: int

    @property
    def left(self) -> int:
        return self.left_end - self.left_start

    @property
    def right(self) -> int:
        return self.right_end - self.right_start


def align(
    left: Sequence[Hashable], right: Sequence[Hashable], island: int = SHORTEST_ISLAND
) -> list[Stretch]:
    """The longest common subsequence as stretches that read well.

    What both begin with is one stretch, however short; likewise what both end with.
    """
    found = [
        Stretch(
            Kind.SAME if op.tag == "equal" else Kind.DIFFERENT,
            op.src_start, op.src_end, op.dest_start, op.dest_end,
        )
        for op in LCSseq.opcodes(list(left), list(right))
    ]  # fmt: skip
    last = len(found) - 1
    kept: list[Stretch] = []
    for place, stretch in enumerate(found):
        is_island = stretch.kind is Kind.SAME and stretch.left < island and 0 < place < last
        kind = Kind.DIFFERENT if is_island else stretch.kind
        if kept and kept[-1].kind is kind:
            before = kept[-1]
            kept[-1] = Stretch(
                kind, before.left_start, stretch.left_end, before.right_start, stretch.right_end
            )
        else:
            kept.append(
                Stretch(
                    kind,
                    stretch.left_start, stretch.left_end, stretch.right_start, stretch.right_end,
                )
            )  # fmt: skip
    return kept


def common_prefix(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """How many items both begin with; the next one is where they part."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def similarity(left: Sequence[Hashable], right: Sequence[Hashable]) -> float:
    """2 · common / (length + length), in 0..1, common being the longest common subsequence."""
    if not left and not right:
        return 1.0
    return float(Indel.normalized_similarity(list(left), list(right)))


def shared_in_order(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence."""
    return int(LCSseq.similarity(list(left), list(right)))

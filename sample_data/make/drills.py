"""Rows of true sums: how the base model learns to calculate at all.

So small a model would need far more stories than minutes allow to learn sums from them alone.
Drills are dense in sums, and go from two digits to three: with both at once from the start the
last digit of a sum stayed a guess for a whole pretraining.
"""

from collections.abc import Iterator
from itertools import count
from random import Random

from sample_data.make.heldout import forbidden_numbers
from sample_data.make.tasks import apply

LINES = 6

Row = tuple[tuple[str, float], ...]
"""Text in pieces, each with the weight that its tokens have in the loss."""


def _sum(rng: Random, large: bool) -> tuple[int, str, int]:
    """Operands of two digits, or of the sizes that the stories need."""
    op = rng.choice("+++---*/")
    if op in "*/":
        left, right = rng.randint(10, 60), rng.randint(2, 9)
        if large and rng.random() < 0.3:
            left, right = rng.randint(10, 200), rng.choice((2, 2, 3))
        return (left, op, right) if op == "*" else (left * right, op, right)
    left = rng.randint(10, rng.choice((99, 200, 200, 400)) if large else 99)
    right = rng.randint(10, rng.choice((60, 60, 60, 100, 250)) if large else 99)
    if large and rng.random() < 0.05:
        right = 1
    if op == "-":
        left, right = max(left, right) + 1, min(left, right)
    return left, op, right


def _is_held_out(numbers: list[int]) -> bool:
    """Whether a held-out question's numbers follow one another in the row."""
    widths = {len(held) for held in forbidden_numbers()}
    return any(
        tuple(numbers[at : at + width]) in forbidden_numbers()
        for width in widths
        for at in range(len(numbers) - width + 1)
    )


def rows(rng: Random, small: int = 0) -> Iterator[Row]:
    """Endless rows such as ` 47 + 26 = 73. 90 / 6 = 15.`; only what a sum comes to counts.

    The first `small` rows keep to two digits.
    """
    for at in count():
        sums = [_sum(rng, large=at >= small) for _ in range(LINES)]
        worked = [(left, op, right, apply(op, left, right)) for left, op, right in sums]
        numbers = [number for left, _, right, result in worked for number in (left, right, result)]
        if not _is_held_out(numbers):
            yield tuple(
                piece
                for left, op, right, result in worked
                for piece in ((f" {left} {op} {right} =", 0.0), (f" {result}.", 1.0))
            )

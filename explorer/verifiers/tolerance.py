"""Answers that a dataset allows an error: `tolerance` (absolute) or `precision` (places) in extra.

OlympiadBench states such errors, and graders test with them. Invariant: without a stated
tolerance nothing is rounded.
"""

from __future__ import annotations

from explorer.core.problem import Problem
from explorer.verifiers.clean import without_names, without_units
from explorer.verifiers.expression import UnreadableError
from explorer.verifiers.parts import both_signs
from explorer.verifiers.shapes import Formula, Group, Matrix, Shape, read_shape


def allowed_error(problem: Problem) -> float | None:
    """The largest absolute error that the dataset allows, None if it states none."""
    tolerance, places = problem.extra.get("tolerance"), problem.extra.get("precision")
    if isinstance(tolerance, int | float) and 0 < tolerance < float("inf"):
        return float(tolerance)
    if isinstance(places, int) and 0 <= places <= 15:
        return 0.5 * 10.0**-places
    return None


def within(gold: str, answer: str, error: float) -> bool:
    """Whether cleaned texts are equal up to an error in each of their numbers."""
    try:
        return _within(_shape(gold), _shape(answer), error)
    except (UnreadableError, RecursionError, OverflowError):
        return False


def _shape(text: str) -> Shape:
    return read_shape(both_signs(without_units(without_names(text))))


def _within(gold: Shape, answer: Shape, error: float) -> bool:
    if isinstance(gold, Formula) and isinstance(answer, Formula):
        return _near(gold, answer, error)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        gold = Group("matrix", tuple(Group("row", row) for row in gold.rows))
        answer = Group("matrix", tuple(Group("row", row) for row in answer.rows))
    if not isinstance(gold, Group) or not isinstance(answer, Group) or gold.kind != answer.kind:
        return False
    return len(gold.items) == len(answer.items) and all(
        _within(one, other, error) for one, other in zip(gold.items, answer.items, strict=True)
    )


def _near(gold: Formula, answer: Formula, error: float) -> bool:
    from explorer.verifiers.evaluate import letters, value

    if gold.node is None or answer.node is None:
        return gold == answer
    if letters(gold.node) or letters(answer.node):
        return False
    return bool(abs(value(gold.node, 0) - value(answer.node, 0)) <= error * (1 + 1e-9))

r"""The verifier 'numeric', a second opinion on mathematics that shares no parser with the first.

Strings after cleaning, exact fractions, and our own reading of formulas, evaluated to 50 digits
at random but fixed points. It never decides what counts: where it contradicts 'math', the
completion is marked. Its one deliberate difference: a decimal that is the other side rounded to
three or more digits agrees here and is wrong there, so that a person sees it.

Invariant: what it cannot read is undecided, which contradicts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import version as installed_version
from typing import Final

from explorer.core.answers import find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.cheap import LONGEST_ANSWER, cheaply, part_by_part
from explorer.verifiers.clean import clean, split_list, without_names, without_units
from explorer.verifiers.expression import UnreadableError
from explorer.verifiers.numbers import read_number
from explorer.verifiers.parts import both_signs
from explorer.verifiers.shapes import Formula, Group, Matrix, Relation, Shape, read_shape
from explorer.verifiers.tolerance import allowed_error, within
from explorer.verifiers.units import bare_measure

RULES: Final = 1
"""Raise when a rule here or in what it reads with changes a decision."""

LEAST_DIGITS: Final = 3
"""Significant digits from which a rounded decimal stands for what was rounded."""


class NumericVerifier:
    """Equality of values, by evaluation."""

    name = "numeric"

    def __init__(self) -> None:
        self.version = f"numeric-{RULES}+mp{installed_version('mpmath')}"

    def extract(self, text: str) -> Extracted:
        return Extracted(*find_answer(text))

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        """What needs no evaluation: strings, plain numbers, letters and words."""
        if not answer.strip():
            return Decision(Outcome.UNDECIDED, "no answer found")
        if len(answer) > LONGEST_ANSWER:
            return Decision(Outcome.UNDECIDED, f"answer longer than {LONGEST_ANSWER} characters")
        gold, given = _clean(problem.gold), _clean(answer)
        if not gold:
            return Decision(Outcome.UNDECIDED, "the problem has no gold answer")
        known = cheaply(gold, given)
        if known is None or (known is False and allowed_error(problem)):
            return None
        return Decision(_outcome(known or _rounded(gold, given)))

    def decide(self, problem: Problem, answer: str) -> Decision:
        known = self.quick(problem, answer)
        if known is not None:
            return known
        try:
            gold, given = _clean(problem.gold), _clean(answer)
            right = _equal(gold, given)
            error = allowed_error(problem)
            return Decision(_outcome(right or (error is not None and within(gold, given, error))))
        except UnreadableError as error:
            return Decision(Outcome.UNDECIDED, f"not read as a formula: {error}"[:200])
        except (MemoryError, RecursionError, OverflowError) as error:
            return Decision(Outcome.UNDECIDED, f"too large to check ({type(error).__name__})")


_clean = lru_cache(maxsize=4096)(clean)
_TRIG = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_TRAILING_TEXT = re.compile(r"(?<=[\w})])\s?\\text\s?\{\s?[A-Za-z][^{}\\]{0,40}\}(?:\^\{?\d\}?)?$")


def _outcome(right: bool) -> Outcome:
    return Outcome.CORRECT if right else Outcome.WRONG


def _equal(gold: str, answer: str) -> bool:
    cheap = cheaply(gold, answer)
    if cheap is not None:
        return cheap or _rounded(gold, answer)
    apart = part_by_part(gold, answer, _equal)
    if apart is not None:
        return apart
    if "=" in gold and "=" in answer:
        with suppress(UnreadableError):
            relations = read_shape(gold), read_shape(answer)
            if all(isinstance(one, Relation) for one in relations) and _same(*relations):
                return True
    return _same(_shape(gold), _shape(answer))


def _shape(text: str) -> Shape:
    """The shape of the bare value: without names and units, signs of `\\pm` apart."""
    bare = without_names(text)
    if not _TRIG.search(bare):
        parts = (bare_measure(_TRAILING_TEXT.sub("", one)) for one in split_list(bare))
        bare = ", ".join(without_units(one) for one in parts)
    return read_shape(both_signs(bare) or text)


def _rounded(gold: str, answer: str) -> bool:
    """Whether one of two different numbers is the other one rounded, digits enough."""
    first, second = read_number(without_units(gold)), read_number(without_units(answer))
    if first is None or second is None or first.percent or second.percent:
        return False
    return _rounds_to(first.places, first.value, second.value) or _rounds_to(
        second.places, second.value, first.value
    )


def _rounds_to(places: int | None, rounded: Fraction, value: Fraction) -> bool:
    if not places or value == rounded or len(str(abs(int(rounded * 10**places)))) < LEAST_DIGITS:
        return False
    # Equal places would make 2.50 and 2.51 neighbours; half a unit of the last place does not.
    return abs(rounded - value) * 2 <= Fraction(1, 10**places)


def _same(gold: Shape, answer: Shape) -> bool:
    gold, answer = _alone(gold), _alone(answer)
    if isinstance(gold, Formula) and isinstance(answer, Formula):
        return _same_formula(gold, answer)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        return len(gold.rows) == len(answer.rows) and all(
            len(one) == len(other) and all(map(_same, one, other))
            for one, other in zip(gold.rows, answer.rows, strict=True)
        )
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _same_relation(gold, answer)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        if any(isinstance(one, Relation) and one.sign != "=" for one in (gold, answer)):
            raise UnreadableError("an inequality against something else")
        return _definition(gold, answer)
    if isinstance(gold, Group) and isinstance(answer, Group):
        return _same_group(gold, answer)
    return False


def _alone(shape: Shape) -> Shape:
    """`{2}` is 2."""
    if isinstance(shape, Group) and shape.kind in ("set", "list") and len(shape.items) == 1:
        return shape.items[0]
    return shape


def _same_formula(gold: Formula, answer: Formula) -> bool:
    from explorer.verifiers.evaluate import same_value

    if gold.node is None or answer.node is None:
        return gold.node is answer.node and gold.text == answer.text
    return same_value(gold.node, answer.node) or _rounded_value(gold, answer)


def _rounded_value(gold: Formula, answer: Formula) -> bool:
    """A decimal against a formula without letters: equal as far as the decimal goes."""
    from explorer.verifiers.evaluate import letters, value

    for decimal, other in ((gold, answer), (answer, gold)):
        number = read_number(decimal.text)
        if number is None or not number.places or other.node is None or letters(other.node):
            continue
        digits = len(str(abs(int(number.value * 10**number.places))))
        exact = value(other.node, 0)
        if digits >= LEAST_DIGITS and abs(exact.imag) < 1e-20:
            gap = abs(exact.real * 10**number.places - int(number.value * 10**number.places))
            if gap <= 0.5:
                return True
    return False


def _same_relation(gold: Relation, answer: Relation) -> bool:
    from explorer.verifiers.evaluate import proportional

    if gold.sign != answer.sign:
        return False
    return proportional(gold.difference, answer.difference, positive=gold.sign in ("<", "<="))


def _definition(gold: Shape, answer: Shape) -> bool:
    """`y = 2x + 3` against `2x + 3`: only a letter or `f(x)` defined by it may be left out."""
    relation, other = (gold, answer) if isinstance(gold, Relation) else (answer, gold)
    if not isinstance(relation, Relation) or not isinstance(other, Formula) or other.node is None:
        return False
    from explorer.verifiers.evaluate import letters, same_value

    for name, body in ((relation.left, relation.right), (relation.right, relation.left)):
        defined = name[0] == "var" and name[1] not in letters(body)
        called = name[0] == "mul" and all(
            isinstance(part, tuple) and part[0] == "var" for part in name[1:]
        )
        if same_value(body, other.node):
            if defined or called:
                return True
            raise UnreadableError("an equation against the value of its side")
    return False


def _same_group(gold: Group, answer: Group) -> bool:
    unordered = {"set", "list", "union"}
    kinds = {gold.kind, answer.kind}
    if kinds <= unordered:
        return _same_unordered(gold.items, answer.items) and (
            len(kinds) == 1 or "union" not in kinds
        )
    if len(gold.items) != len(answer.items):
        return False
    if gold.kind not in unordered and answer.kind not in unordered:
        # Brackets of a pair may be an interval's; three coordinates are no interval.
        brackets = gold.kind == answer.kind or len(gold.items) > 2
        return brackets and all(map(_same, gold.items, answer.items))
    # People write a pair in braces, or as two named values; the order still counts.
    return kinds <= {"()", "set", "list"} and all(map(_same, gold.items, answer.items))


def _distinct(shapes: Sequence[Shape]) -> list[Shape]:
    found: list[Shape] = []
    for shape in shapes:
        if not any(_same(shape, other) for other in found):
            found.append(shape)
    return found


def _same_unordered(gold: Sequence[Shape], answer: Sequence[Shape]) -> bool:
    """Equal as sets: an element that is said twice is one element."""
    if len(_distinct(gold)) != len(gold) or len(_distinct(answer)) != len(answer):
        return _same_unordered(_distinct(gold), _distinct(answer))
    left = list(answer)
    for one in gold:
        match = next((place for place, other in enumerate(left) if _same(one, other)), None)
        if match is None:
            return False
        del left[match]
    return not left

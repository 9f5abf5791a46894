"""A trace's value curve: how often a model solves the problem from each token of it on.

Invariant: a curve is one model under one set of sampling settings, its points only branches that
were handed the trace's own tokens; where it falls most is said with the tokens that lie between
the two points, and whether their intervals leave room for chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from explorer.views.branch_line import BranchLine, handed
from explorer.views.numbers import percent
from explorer.views.palette import ArmMark, arm_marks
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.core.arm import Sampling

TEXT_SHOWN: Final = 48
"""Characters of what was written between two points."""


@dataclass(frozen=True, slots=True)
class ValuePoint:
    """The pass rate of completions that were handed the first `position` tokens.

    Attributes:
        lower, upper: 95 % credible interval.
    """

    position: int
    value: float
    lower: float
    upper: float
    correct: int
    n: int

    @property
    def x(self) -> float:
        """Where it stands on a chart."""
        return float(self.position)


@dataclass(frozen=True, slots=True)
class Drop:
    """The two neighbours between which a curve falls most.

    Attributes:
        text: what the trace wrote between them, safe and cut.
    """

    before: ValuePoint
    after: ValuePoint
    text: str

    @property
    def is_clear(self) -> bool:
        """Whether the two intervals leave each other alone."""
        return self.after.upper < self.before.lower

    @property
    def token(self) -> int:
        """0-based token with which the fall begins."""
        return self.before.position

    def where(self) -> str:
        """`token 41 ‘ 12’`, or the stretch that one of whose tokens it is."""
        first, last = self.before.position + 1, self.after.position
        place = f"token {first:,}" if first == last else f"tokens {first:,}–{last:,}"
        return f"{place} ‘{self.text}’" if self.text else place

    def sentence(self) -> str:
        """`falls most 12/16 = 75% → 2/16 = 12% at token 41 ‘12’`."""
        rates = " → ".join(
            f"{point.correct}/{point.n} = {percent(point.value)}"
            for point in (self.before, self.after)
        )
        doubt = "" if self.is_clear else ", perhaps by chance,"
        return f"falls most {rates}{doubt} at {self.where()}"


@dataclass(frozen=True, slots=True)
class ValueCurve:
    """One model's curve under one set of settings.

    Attributes:
        label: safe name; with the settings where the model has several.
    """

    label: str
    mark: ArmMark
    points: tuple[ValuePoint, ...]
    drop: Drop | None

    def sentence(self) -> str:
        """`base handed 40 tokens solves it 71%, handed nothing 8%`, '' for a single point."""
        if len(self.points) < 2:
            return ""
        first, best = self.points[0], max(self.points[1:], key=lambda point: point.value)
        return (
            f"{self.label} {handed(best.position)} solves it {percent(best.value)},"
            f" {handed(first.position)} {percent(first.value)}"
        )


def value_curves(
    lines: Sequence[BranchLine],
    roles: Mapping[str, str],
    written: Callable[[int, int], str],
) -> tuple[ValueCurve, ...]:
    """The curves that branches make up, in the order in which their models come.

    Args:
        roles: of the models, by name.
        written: safe text of the trace's tokens [start, end).
    """
    groups: dict[tuple[str, Sampling], list[ValuePoint]] = {}
    for line in lines:
        branch, tally = line.branch, line.tally
        if branch.swapped_id is None and tally.n:
            point = ValuePoint(
                *(branch.position, line.rate, line.lower, line.upper, tally.correct, tally.n)
            )
            groups.setdefault((branch.model, branch.sampling), []).append(point)
    names = [model for model, _ in groups]
    marks = arm_marks([roles.get(name, "") for name in names])
    curves = []
    for ((model, settings), points), mark in zip(groups.items(), marks, strict=True):
        label = one_line(model, 20)
        if names.count(model) > 1:
            label += f" {settings.label()}"
        curves.append(ValueCurve(label, mark, tuple(points), _drop(points, written)))
    return tuple(curves)


def _drop(points: Sequence[ValuePoint], written: Callable[[int, int], str]) -> Drop | None:
    """The largest fall between neighbours, the first of equals; None if the curve never falls."""
    falls = [(left.value - right.value, left, right) for left, right in pairwise(points)]
    fall, before, after = max(falls, key=lambda one: one[0], default=(0.0, None, None))
    if fall <= 0 or before is None or after is None:
        return None
    text = one_line(written(before.position, after.position), TEXT_SHOWN)
    return Drop(before, after, text)

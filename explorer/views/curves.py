"""pass@k curves as points for a chart: one problem with a posterior band, a set with a bootstrap.

k is trusted up to n/2: beyond it the estimator of one problem is nearly a coin flip, so the chart
marks that part. A set's curves are over the problems that every drawn arm has sampled enough,
so that no two curves of one chart are about different problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.core.intervals import bootstrap_mean, posterior_interval
from explorer.core.passk import curve, standard_ks, table
from explorer.store.rows import Tally
from explorer.views.arms import ArmColumn
from explorer.views.palette import ArmMark
from explorer.views.problem_list import ProblemLine
from explorer.views.text import one_line

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """pass@k at one k, with its 95 % interval."""

    k: int
    value: float
    lower: float
    upper: float

    @property
    def x(self) -> float:
        """Where it stands on a chart."""
        return float(self.k)


@dataclass(frozen=True, slots=True)
class Curve:
    """One arm's curve; `trusted` is the largest k that is at most n/2."""

    label: str
    mark: ArmMark
    n: int
    points: tuple[CurvePoint, ...]

    @property
    def trusted(self) -> float:
        return self.n / 2


@dataclass(frozen=True, slots=True)
class CurveSet:
    """The curves of one chart.

    Attributes:
        problems: how many problems they average over (1 for a single one).
        left_out: problems of the selection that some arm has too few samples of.
    """

    curves: tuple[Curve, ...]
    problems: int
    left_out: int = 0


def problem_curves(columns: Sequence[ArmColumn], cells: Sequence[Tally]) -> CurveSet:
    """Curves of one problem; an arm without graded samples has none."""
    curves = []
    for column, cell in zip(columns, cells, strict=True):
        if cell.n == 0:
            continue
        ks = standard_ks(cell.n)
        values = curve(cell.correct, cell.n, ks)
        band = posterior_interval(cell.correct, cell.n, ks)
        curves.append(_curve(column, cell.n, ks, values, band.lower, band.upper))
    return CurveSet(tuple(curves), problems=1)


def set_curves(columns: Sequence[ArmColumn], lines: Sequence[ProblemLine]) -> CurveSet:
    """Mean curves over the lines, with a bootstrap band over problems."""
    drawn = [
        position
        for position in range(len(columns))
        if any(line.cells[position].n for line in lines)
    ]
    if not drawn:
        return CurveSet((), problems=0, left_out=len(lines))
    enough = {position: _usual_n([line.cells[position].n for line in lines]) for position in drawn}
    used = [line for line in lines if all(line.cells[one].n >= enough[one] for one in drawn)]
    curves = []
    for position in drawn:
        cells = [line.cells[position] for line in used]
        n = min((cell.n for cell in cells), default=0)
        ks = standard_ks(n)
        if not ks:
            continue
        values = table([cell.correct for cell in cells], [cell.n for cell in cells], ks)
        band = bootstrap_mean(values)
        mean = values.mean(axis=0)
        curves.append(_curve(columns[position], n, ks, mean, band.lower, band.upper))
    return CurveSet(tuple(curves), problems=len(used), left_out=len(lines) - len(used))


def _usual_n(counts: Sequence[int]) -> int:
    """The median n of the problems that were sampled: what most of a set has reached."""
    sampled = sorted(count for count in counts if count)
    return sampled[len(sampled) // 2] if sampled else 0


def _curve(
    column: ArmColumn,
    n: int,
    ks: Sequence[int],
    values: Floats,
    lower: Floats,
    upper: Floats,
) -> Curve:
    points = tuple(
        CurvePoint(k, float(value), float(low), float(high))
        for k, value, low, high in zip(ks, values, lower, upper, strict=True)
    )
    return Curve(one_line(column.name, limit=24), column.mark, n, points)

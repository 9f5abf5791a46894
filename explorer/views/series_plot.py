"""One statistic of a series as points to draw: pass@1, pass@k or coverage along a field.

Invariant: every value is an `Estimate` of the series, so the chart says what the table beneath it
and `report --over` say; a line that does not reach the k is left out, not shortened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.views.palette import ArmMark, arm_marks
from explorer.views.study_series import Series, statistic_name


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A value with its band at an x, and how that x is said."""

    x: float
    text: str
    value: float
    lower: float
    upper: float
    mark: ArmMark


@dataclass(frozen=True, slots=True)
class PlotLine:
    """Points of arms that differ in the field alone."""

    label: str
    mark: ArmMark
    points: tuple[PlotPoint, ...]


@dataclass(frozen=True, slots=True)
class SeriesPlot:
    """What is drawn.

    Attributes:
        field: of the x axis, in words.
        in_order: x is a place in an order, so that no line joins the points.
    """

    field: str
    statistic: str
    in_order: bool
    lines: tuple[PlotLine, ...]


def series_plot(found: Series, statistic: int, known: Mapping[str, ArmMark]) -> SeriesPlot:
    """A statistic along the field; `known` are the marks that models have elsewhere."""
    lines = []
    for line, marks in zip(found.lines, series_marks(found, known), strict=True):
        points = [
            PlotPoint(point.x, point.text, *estimate, mark)
            for point, mark in zip(line.points, marks, strict=True)
            if (estimate := line.estimate(point, statistic)) is not None
        ]
        if points:
            lines.append(PlotLine(line.label, marks[-1], tuple(points)))
    field = found.field.replace("_", " ")
    return SeriesPlot(field, statistic_name(statistic), found.in_order, tuple(lines))


def chosen_statistic(found: Series, wanted: int) -> int:
    """The statistic that is asked for, or pass@1 where no line of this field reaches it."""
    return wanted if wanted in found.statistics else 1


def series_marks(found: Series, known: Mapping[str, ArmMark]) -> list[list[ArmMark]]:
    """A mark for each point of each line.

    Points in order wear their models' own, and so does a line of one model; a line of several
    models has one of its own, by its role.
    """
    own = arm_marks([line.role for line in found.lines])
    every = []
    for line, mark in zip(found.lines, own, strict=True):
        names = [point.arm.model.name for point in line.points]
        if found.in_order or len(set(names)) == 1:
            every.append([known.get(name, mark) for name in names])
        else:
            every.append([mark] * len(names))
    return every

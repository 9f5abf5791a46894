"""pass@k charts: log₂ x, an interval as a stipple, labels at the ends of the lines.

Our own rather than a plotting library's: the chart needs a name at each line's end, a band that
stays fainter than the lines on dark and light ground, and dots for the part that is not trusted.
Arms differ by marker and by the label at their end as well as by colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isnan, log2
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from explorer.tui.render.braille import Canvas
from explorer.tui.render.cells import fit, strip_of
from explorer.tui.theme import Palette, ink

if TYPE_CHECKING:
    from explorer.views.curves import Curve, CurvePoint, CurveSet

_CEILINGS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_AXIS: Final = 5
"""Cells of the labels at the left, with one to spare."""

_BAND, _LINE = 0, 10
"""Layers: bands lie under all lines; later arms' lines lie on top."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How values become dots."""

    width: int
    height: int
    top: float
    last: float

    def x(self, k: float) -> int:
        dots = 2 * self.width - 1
        return round(dots * log2(k) / self.last) if self.last else dots // 2

    def y(self, value: float) -> int:
        dots = 4 * self.height - 1
        return dots - round(dots * min(max(value / self.top, 0.0), 1.0))


def chart(curves: CurveSet, width: int, height: int, palette: Palette) -> list[Strip]:
    """The chart in exactly `height` strips of `width` cells, axis included."""
    blank = ink(palette.text, palette.background)
    if not curves.curves or width < 30 or height < 4:
        text = "no graded completions to draw a curve from" if not curves.curves else ""
        middle = fit(text, width, "centre")
        texts = [middle if row == height // 2 else " " * width for row in range(height)]
        return [strip_of([(text, ink(palette.faint))], width, blank) for text in texts]
    labels = [_end_label(curve) for curve in curves.curves]
    margin = min(max(cell_len(label) for label in labels) + 2, 2 * width // 5)
    frame = Frame(
        width=width - _AXIS - margin,
        height=height - 1,
        top=_ceiling(curves),
        last=log2(max(point.k for curve in curves.curves for point in curve.points)),
    )
    canvas = Canvas(frame.width, frame.height, blank)
    _grid(canvas, frame, palette)
    _shade(canvas, frame, curves, palette)
    for layer, curve in enumerate(curves.curves):
        _band(canvas, frame, curve, ink(palette.band(curve.mark.colour)))
        _line(canvas, frame, curve, layer, palette)
    ends = _place_labels(curves.curves, labels, frame, margin, palette)
    rows = [
        strip_of(
            [(_y_label(row, frame), ink(palette.faint))]
            + [(segment.text, segment.style or blank) for segment in strip]
            + [ends.get(row, ("", blank))],
            width,
            blank,
        )
        for row, strip in enumerate(canvas.strips())
    ]
    return [*rows, _x_axis(frame, width, palette)]


def _ceiling(curves: CurveSet) -> float:
    """The top of the y axis: 100 %, or less where all curves stay very low."""
    highest = max(point.value for curve in curves.curves for point in curve.points)
    return next(top for top in _CEILINGS if highest <= top)


def _grid(canvas: Canvas, frame: Frame, palette: Palette) -> None:
    for row in _y_rows(frame):
        canvas.rule(row, "┈", ink(palette.line))


def _y_rows(frame: Frame) -> dict[int, float]:
    """Rows that carry a label, and their values: quarters where there is room, else halves."""
    parts = 4 if frame.height >= 9 else 2
    return {
        frame.y(frame.top * part / parts) // 4: frame.top * part / parts
        for part in range(parts + 1)
    }


def _y_label(row: int, frame: Frame) -> str:
    value = _y_rows(frame).get(row)
    if value is None:
        return " " * _AXIS
    text = f"{100 * value:.3g}%"
    return fit(text, _AXIS - 1, "right") + " "


def _shade(canvas: Canvas, frame: Frame, curves: CurveSet, palette: Palette) -> None:
    """Ground where k > n/2 for every arm."""
    trusted = max(curve.trusted for curve in curves.curves)
    start = frame.x(trusted) // 2 + 1 if trusted >= 1 else 0
    for column in range(start, frame.width):
        canvas.shade(column, Style(bgcolor=palette.raised))


def _band(canvas: Canvas, frame: Frame, curve: Curve, style: Style) -> None:
    """Every other dot between the ends of the interval, like a grey of the arm's own hue."""
    points = [point for point in curve.points if not isnan(point.lower)]
    for left, right in _pairs(points):
        start, end = frame.x(left.k), frame.x(right.k)
        for x in range(start, end + 1):
            share = (x - start) / (end - start) if end > start else 0.0
            top = frame.y(left.upper + (right.upper - left.upper) * share)
            bottom = frame.y(left.lower + (right.lower - left.lower) * share)
            for y in range(top, bottom + 1):
                if (x + y) % 2 == 0 and y % 2 == 0:
                    canvas.dot(x, y, style, _BAND)


def _line(canvas: Canvas, frame: Frame, curve: Curve, layer: int, palette: Palette) -> None:
    style = ink(palette.colour(curve.mark.colour))
    for left, right in _pairs(curve.points):
        gap = 2 if right.k > curve.trusted else (1 if curve.mark.dashed else 0)
        start = (frame.x(left.k), frame.y(left.value))
        end = (frame.x(right.k), frame.y(right.value))
        canvas.line(start, end, style, _LINE + layer, gap)
    spacing = frame.width / max(1.0, frame.last)
    every = max(1, ceil(6 / spacing))
    marked = [point for place, point in enumerate(curve.points) if place % every == 0]
    for point in {*marked, curve.points[-1]}:
        column, row = frame.x(point.k) // 2, frame.y(point.value) // 4
        canvas.put(column, row, curve.mark.marker, style)


def _pairs(
    points: tuple[CurvePoint, ...] | list[CurvePoint],
) -> list[tuple[CurvePoint, CurvePoint]]:
    return list(pairwise(points))


def _end_label(curve: Curve) -> str:
    from explorer.views.numbers import percent

    return f"{curve.mark.marker} {curve.label} {percent(curve.points[-1].value)}"


def _place_labels(
    curves: tuple[Curve, ...], labels: list[str], frame: Frame, margin: int, palette: Palette
) -> dict[int, tuple[str, Style]]:
    """Labels by row, moved apart where lines end close together, in the order of the lines."""
    wanted = sorted(range(len(curves)), key=lambda one: (-curves[one].points[-1].value, one))[
        : frame.height
    ]
    rows: list[int] = []
    for one in wanted:
        row = frame.y(curves[one].points[-1].value) // 4
        rows.append(max(row, rows[-1] + 1) if rows else row)
    for place in range(len(rows) - 1, -1, -1):
        limit = frame.height - 1 if place == len(rows) - 1 else rows[place + 1] - 1
        rows[place] = min(rows[place], limit)
    return {
        row: (
            " " + fit(labels[one], margin - 1),
            ink(palette.colour(curves[one].mark.colour), attributes="bold"),
        )
        for row, one in zip(rows, wanted, strict=True)
    }


def _x_axis(frame: Frame, width: int, palette: Palette) -> Strip:
    """`k  1  2  4 … `: powers of two, as many as there is room for."""
    last = round(2**frame.last)
    powers = [1 << exponent for exponent in range(last.bit_length())]
    step = next(
        step
        for step in range(1, 40)
        if step * frame.width / max(1.0, frame.last) >= len(str(last)) + 2
    )
    row = [" "] * (width - _AXIS)
    taken = -1
    for place, k in enumerate(powers):
        if place % step:
            continue
        text = str(k)
        start = max(0, frame.x(k) // 2 - (len(text) - 1) // 2)
        if start > taken and start + len(text) <= len(row):
            row[start : start + len(text)] = text
            taken = start + len(text)
    axis = fit("k", _AXIS - 1, "right") + " "
    return strip_of(
        [(axis + "".join(row), ink(palette.faint))], width, ink(palette.text, palette.background)
    )

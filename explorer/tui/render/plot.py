"""What all charts share: how values become dots, bands, lines, names at their ends, the y axis.

Invariant: bands lie under all lines, and a later line lies on top of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan, log2
from typing import Final, NamedTuple, Protocol

from rich.style import Style
from textual.strip import Strip

from explorer.tui.render.braille import Canvas
from explorer.tui.render.cells import fit, strip_of
from explorer.tui.theme import Palette, ink

CEILINGS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Tops of the y axis: 100 %, or less where everything stays very low."""

AXIS: Final = 5
"""Cells of the labels at the left, with one to spare."""

_BAND, _LINE = 0, 10
"""Layers."""


class Point(Protocol):
    """A value with its interval at an x."""

    @property
    def x(self) -> float: ...
    @property
    def value(self) -> float: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """How values become dots: `first` … `last` across, logarithmic or not; 0 … `top` upwards."""

    width: int
    height: int
    top: float
    first: float
    last: float
    log: bool = False

    def x(self, value: float) -> int:
        dots = 2 * self.width - 1
        low, high, at = self.first, self.last, value
        if self.log:
            low, high, at = log2(low), log2(high), log2(at)
        return round(dots * (at - low) / (high - low)) if high > low else dots // 2

    def y(self, value: float) -> int:
        dots = 4 * self.height - 1
        return dots - round(dots * min(max(value / self.top, 0.0), 1.0))


def ceiling(highest: float) -> float:
    """The lowest top of the y axis that holds a value."""
    return next((top for top in CEILINGS if highest <= top), 1.0)


def draw_grid(canvas: Canvas, frame: Frame, palette: Palette) -> None:
    """Rules at the labels of the y axis."""
    for row in _y_rows(frame):
        canvas.rule(row, "┈", ink(palette.line))


def y_label(row: int, frame: Frame) -> str:
    """What stands at the left of a row."""
    value = _y_rows(frame).get(row)
    if value is None:
        return " " * AXIS
    text = f"{100 * value:.3g}%"
    return fit(text, AXIS - 1, "right") + " "


def _y_rows(frame: Frame) -> dict[int, float]:
    """Rows that carry a label, and their values: four or five where there is room, else halves."""
    even = 5 if frame.top in (0.5, 0.05) else 4  # so that no label needs a long fraction
    parts = even if frame.height >= 9 else 2
    return {
        frame.y(frame.top * part / parts) // 4: frame.top * part / parts
        for part in range(parts + 1)
    }


def draw_band(canvas: Canvas, frame: Frame, points: Sequence[Point], style: Style) -> None:
    """Every other dot between the ends of the interval, like a grey of the arm's own hue."""
    for left, right in pairwise([point for point in points if not isnan(point.lower)]):
        start, end = frame.x(left.x), frame.x(right.x)
        for x in range(start, end + 1):
            share = (x - start) / (end - start) if end > start else 0.0
            top = frame.y(left.upper + (right.upper - left.upper) * share)
            bottom = frame.y(left.lower + (right.lower - left.lower) * share)
            for y in range(top, bottom + 1):
                if (x + y) % 2 == 0 and y % 2 == 0:
                    canvas.dot(x, y, style, _BAND)


def draw_line(
    canvas: Canvas,
    frame: Frame,
    points: Sequence[Point],
    style: Style,
    layer: int,
    gap: Callable[[Point], int],
) -> None:
    """Lines between neighbours; `gap` says how dotted the one that ends at a point is."""
    for left, right in pairwise(points):
        start = (frame.x(left.x), frame.y(left.value))
        end = (frame.x(right.x), frame.y(right.value))
        canvas.line(start, end, style, _LINE + layer, gap(right))


def draw_marker(canvas: Canvas, frame: Frame, point: Point, marker: str, style: Style) -> None:
    """An arm's marker on a point."""
    canvas.put(frame.x(point.x) // 2, frame.y(point.value) // 4, marker, style)


def framed_rows(
    canvas: Canvas,
    frame: Frame,
    placed: Mapping[int, tuple[str, Style]],
    width: int,
    palette: Palette,
) -> list[Strip]:
    """The canvas between the labels of the y axis and those at the ends of the lines."""
    blank = ink(palette.text, palette.background)
    return [
        strip_of(
            [(y_label(row, frame), ink(palette.faint))]
            + [(segment.text, segment.style or blank) for segment in strip]
            + [placed.get(row, ("", blank))],
            width,
            blank,
        )
        for row, strip in enumerate(canvas.strips())
    ]


class End(NamedTuple):
    """Where a line ends, and what is written there."""

    value: float
    label: str
    colour: str


def place_labels(
    ends: Sequence[End], frame: Frame, margin: int, palette: Palette
) -> dict[int, tuple[str, Style]]:
    """Labels by row, moved apart where lines end close together, in the order of the lines.

    Where there are more lines than rows the last row says how many names are missing.
    """
    wanted = sorted(range(len(ends)), key=lambda one: (-ends[one].value, one))[: frame.height]
    rows: list[int] = []
    for one in wanted:
        row = frame.y(ends[one].value) // 4
        rows.append(max(row, rows[-1] + 1) if rows else row)
    for place in range(len(rows) - 1, -1, -1):
        limit = frame.height - 1 if place == len(rows) - 1 else rows[place + 1] - 1
        rows[place] = min(rows[place], limit)
    placed = {
        row: (
            " " + fit(ends[one].label, margin - 1),
            ink(palette.colour(ends[one].colour), attributes="bold"),
        )
        for row, one in zip(rows, wanted, strict=True)
    }
    if len(ends) > len(wanted) and rows:
        missing = len(ends) - len(wanted) + 1
        placed[rows[-1]] = (" " + fit(f"and {missing} more", margin - 1), ink(palette.faint))
    return placed

"""A series as a chart: a statistic over training step, temperature, rollouts, method, ….

Numbers lie on an axis of numbers, logarithmic where they span much; words are points in order, each
with its interval as a bar and no line between them, because there is nothing in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from textual.strip import Strip

from explorer.tui.render.braille import Canvas
from explorer.tui.render.cells import fit, strip_of
from explorer.tui.render.plot import (
    AXIS,
    End,
    Frame,
    ceiling,
    draw_band,
    draw_grid,
    draw_line,
    draw_marker,
    framed_rows,
    place_labels,
)
from explorer.tui.theme import Palette, ink

if TYPE_CHECKING:
    from explorer.views.series_plot import PlotLine, SeriesPlot

_MUCH: Final = 8
"""Positive values whose largest is this many times the smallest lie on a logarithmic axis."""

_AIR: Final = 0.5
"""Room beside the first and last of the points in order, in steps."""


def series_chart(plot: SeriesPlot, width: int, height: int, palette: Palette) -> list[Strip]:
    """The chart in exactly `height` strips of `width` cells, axis included."""
    blank = ink(palette.text, palette.background)
    if not plot.lines or width < 30 or height < 4:
        return [Strip.blank(width, blank) for _ in range(height)]
    ends = [] if plot.in_order and len(plot.lines) == 1 else [_end(line) for line in plot.lines]
    longest = max((cell_len(end.label) for end in ends), default=0)
    margin = min(longest + 2, 2 * width // 5) if ends else 1
    frame = _frame(plot, width - AXIS - margin, height - 2)
    canvas = Canvas(frame.width, frame.height, blank)
    draw_grid(canvas, frame, palette)
    for layer, line in enumerate(plot.lines):
        if plot.in_order:
            _bars(canvas, frame, line, palette)
        else:
            _curve(canvas, frame, line, layer, palette)
    placed = place_labels(ends, frame, margin, palette)
    rows = framed_rows(canvas, frame, placed, width, palette)
    words = f"{plot.field}, {'in order' if plot.in_order else 'log scale' if frame.log else ''}"
    legend = f"{plot.statistic} over {words.rstrip(', ')}"
    return [
        *rows,
        strip_of([(_ticks(plot, frame, width), ink(palette.faint))], width, blank),
        strip_of([(" " * AXIS + legend, ink(palette.muted))], width, blank),
    ]


def _frame(plot: SeriesPlot, width: int, height: int) -> Frame:
    points = [point for line in plot.lines for point in line.points]
    first, last = min(point.x for point in points), max(point.x for point in points)
    air = _AIR if plot.in_order else 0.0
    return Frame(
        width=width,
        height=height,
        top=ceiling(max(point.upper for point in points)),
        first=first - air,
        last=last + air,
        log=not plot.in_order and first > 0 and last / first >= _MUCH,
    )


def _end(line: PlotLine) -> End:
    from explorer.views.numbers import percent

    last = line.points[-1]
    return End(
        last.value, f"{line.mark.marker} {line.label} {percent(last.value)}", last.mark.colour
    )


def _curve(canvas: Canvas, frame: Frame, line: PlotLine, layer: int, palette: Palette) -> None:
    style = ink(palette.colour(line.mark.colour))
    draw_band(canvas, frame, line.points, ink(palette.band(line.mark.colour)))
    dashed = 1 if line.mark.dashed else 0
    draw_line(canvas, frame, line.points, style, layer, gap=lambda _: dashed)
    for point in line.points:
        draw_marker(canvas, frame, point, line.mark.marker, style)


def _bars(canvas: Canvas, frame: Frame, line: PlotLine, palette: Palette) -> None:
    for point in line.points:
        style = ink(palette.colour(point.mark.colour))
        x = frame.x(point.x)
        canvas.line((x, frame.y(point.lower)), (x, frame.y(point.upper)), style, 1)
        draw_marker(canvas, frame, point, point.mark.marker, style)


def _ticks(plot: SeriesPlot, frame: Frame, width: int) -> str:
    """The values under their points, as many as there is room for."""
    room = width - AXIS
    row = [" "] * room
    texts = {point.x: point.text for line in plot.lines for point in line.points}
    each = max(4, frame.width // max(1, len(texts)) - 1) if plot.in_order else room
    taken = -1
    for x, text in sorted(texts.items()):
        said = fit(text, each).rstrip() if cell_len(text) > each else text
        start = max(0, frame.x(x) // 2 - (cell_len(said) - 1) // 2)
        start = min(start, room - cell_len(said))
        if start > taken and cell_len(said) == len(said):
            row[start : start + len(said)] = said
            taken = start + len(said)
    return " " * AXIS + "".join(row)

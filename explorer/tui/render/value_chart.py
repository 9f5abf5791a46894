"""A trace's value curves over its tokens: lines with their intervals, and where the cursor is.

Invariant: the y axis is always 0–100 %, so that two traces' charts can be held side by side; the
largest fall of a curve is marked `↓` under the stretch of tokens that it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from explorer.tui.render.braille import Canvas
from explorer.tui.render.cells import fit, strip_of
from explorer.tui.render.plot import (
    AXIS,
    End,
    Frame,
    draw_band,
    draw_grid,
    draw_line,
    draw_marker,
    framed_rows,
    place_labels,
)
from explorer.tui.theme import Palette, ink
from explorer.views.value_curve import ValueCurve

LEAST_WIDTH: Final = 30
LEAST_HEIGHT: Final = 5
DROP: Final = "↓"
CURSOR: Final = "▴"
"""Under the chosen branch; unlike a model's mark it stands on the axis."""


def value_chart(
    curves: Sequence[ValueCurve],
    n_tokens: int,
    chosen: int | None,
    width: int,
    height: int,
    palette: Palette,
) -> list[Strip]:
    """The chart in exactly `height` strips of `width` cells, axis included.

    Args:
        n_tokens: length of the trace, where the axis ends.
        chosen: position of the branch that the cursor is on.
    """
    blank = ink(palette.text, palette.background)
    if not curves or width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [Strip.blank(width, blank) for _ in range(height)]
    ends = [
        End(one.points[-1].value, f"{one.mark.marker} {one.label}", one.mark.colour)
        for one in curves
    ]
    margin = min(max(cell_len(end.label) for end in ends) + 2, 2 * width // 5)
    last = max([n_tokens, 1, *(point.position for one in curves for point in one.points)])
    frame = Frame(width - AXIS - margin, height - 2, 1.0, 0.0, float(last))
    canvas = Canvas(frame.width, frame.height, blank)
    draw_grid(canvas, frame, palette)
    if chosen is not None:
        canvas.shade(frame.x(chosen) // 2, Style(bgcolor=palette.cursor))
    for layer, curve in enumerate(curves):
        _curve(canvas, frame, curve, layer, palette)
    placed = place_labels(ends, frame, margin, palette)
    rows = framed_rows(canvas, frame, placed, width, palette)
    marks = _marks(curves, frame, chosen, palette)
    return [*rows, strip_of(marks, width, blank), _ticks(frame, last, width, palette)]


def _curve(canvas: Canvas, frame: Frame, curve: ValueCurve, layer: int, palette: Palette) -> None:
    style, band = ink(palette.colour(curve.mark.colour)), ink(palette.band(curve.mark.colour))
    draw_band(canvas, frame, curve.points, band)
    for point in curve.points if len(curve.points) == 1 else ():
        x = frame.x(point.x)
        canvas.line((x, frame.y(point.lower)), (x, frame.y(point.upper)), band, 1, gap=1)
    draw_line(*(canvas, frame, curve.points, style, layer), gap=lambda _: int(curve.mark.dashed))
    for point in curve.points:
        draw_marker(canvas, frame, point, curve.mark.marker, style)


def _marks(
    curves: Sequence[ValueCurve], frame: Frame, chosen: int | None, palette: Palette
) -> list[tuple[str, Style]]:
    """The row under the curves: where each falls most, and the chosen branch."""
    row: list[tuple[str, Style]] = [(" ", ink(palette.text))] * frame.width
    for curve in curves:
        if curve.drop is not None:
            middle = (curve.drop.before.x + curve.drop.after.x) / 2
            row[frame.x(middle) // 2] = (DROP, ink(palette.colour(curve.mark.colour)))
    if chosen is not None:
        row[frame.x(chosen) // 2] = (CURSOR, ink(palette.accent, attributes="bold"))
    return [(" " * AXIS, ink(palette.text)), *row]


def _ticks(frame: Frame, last: int, width: int, palette: Palette) -> Strip:
    """`0 … 400 tokens handed`: round numbers of tokens, as many as there is room for."""
    row = [" "] * (frame.width + 1)
    taken = -2
    for value in _round_steps(last, frame.width):
        text = f"{value:,}"
        start = max(0, frame.x(value) // 2 - (len(text) - 1) // 2)
        start = min(start, len(row) - len(text))
        if start > taken + 1:
            row[start : start + len(text)] = text
            taken = start + len(text) - 1
    words = fit(" tokens", width - AXIS - len(row))
    return strip_of(
        [(" " * AXIS + "".join(row) + words, ink(palette.faint))],
        width,
        ink(palette.text, palette.background),
    )


def _round_steps(last: int, width: int) -> list[int]:
    """0, and multiples of 1, 2 or 5 times a power of ten that leave each other room."""
    most = max(1, width // (len(f"{last:,}") + 4))
    sizes = (factor * 10**power for power in range(12) for factor in (1, 2, 5))
    step = next(size for size in sizes if last / size <= most)
    return list(range(0, last + 1, step))

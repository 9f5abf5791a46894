"""pass@k charts: log₂ x, an interval as a stipple, labels at the ends of the lines.

Our own rather than a plotting library's: the chart needs a name at each line's end, a band that
stays fainter than the lines on dark and light ground, and dots for the part that is not trusted.
Arms differ by marker and by the label at their end as well as by colour.
"""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.style import Style
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
    from explorer.views.curves import Curve, CurveSet


CROWD: Final = 4
"""With more curves than this their bands would hide the lines: only one arm's is drawn."""


def chart(
    curves: CurveSet, width: int, height: int, palette: Palette, focus: str = ""
) -> list[Strip]:
    """The chart in exactly `height` strips of `width` cells, axis included.

    Args:
        focus: label of the arm that lies on top, in a crowd the only one with a band; '' = the
            first.
    """
    blank = ink(palette.text, palette.background)
    if not curves.curves or width < 30 or height < 4:
        text = "no graded completions to draw a curve from" if not curves.curves else ""
        middle = fit(text, width, "centre")
        texts = [middle if row == height // 2 else " " * width for row in range(height)]
        return [strip_of([(text, ink(palette.faint))], width, blank) for text in texts]
    ends = [End(one.points[-1].value, _end_label(one), one.mark.colour) for one in curves.curves]
    margin = min(max(cell_len(end.label) for end in ends) + 2, 2 * width // 5)
    points = [point for curve in curves.curves for point in curve.points]
    frame = Frame(
        width=width - AXIS - margin,
        height=height - 1,
        top=ceiling(max(point.value for point in points)),
        first=1,
        last=max(point.k for point in points),
        log=True,
    )
    canvas = Canvas(frame.width, frame.height, blank)
    draw_grid(canvas, frame, palette)
    _shade(canvas, frame, curves, palette)
    for layer, (curve, is_banded) in enumerate(_in_layers(curves.curves, focus)):
        if is_banded:
            draw_band(canvas, frame, curve.points, ink(palette.band(curve.mark.colour)))
        _line(canvas, frame, curve, layer, palette, solid=bool(focus) and curve.label == focus)
    placed = place_labels(ends, frame, margin, palette)
    rows = framed_rows(canvas, frame, placed, width, palette)
    return [*rows, _x_axis(frame, width, palette)]


def _shade(canvas: Canvas, frame: Frame, curves: CurveSet, palette: Palette) -> None:
    """Ground where k > n/2 for every arm."""
    trusted = max(curve.trusted for curve in curves.curves)
    start = frame.x(trusted) // 2 + 1 if trusted >= 1 else 0
    for column in range(start, frame.width):
        canvas.shade(column, Style(bgcolor=palette.raised))


def _in_layers(curves: tuple[Curve, ...], focus: str) -> list[tuple[Curve, bool]]:
    """Curves from the lowest layer up, and whether each has its band."""
    if len(curves) <= CROWD:
        return [(curve, True) for curve in curves]
    top = next((curve for curve in curves if curve.label == focus), curves[0])
    return [*((curve, False) for curve in curves if curve is not top), (top, True)]


def _line(
    canvas: Canvas, frame: Frame, curve: Curve, layer: int, palette: Palette, solid: bool
) -> None:
    style = ink(palette.colour(curve.mark.colour))
    dashed = 1 if curve.mark.dashed and not solid else 0
    draw_line(
        *(canvas, frame, curve.points, style, layer),
        gap=lambda point: 2 if point.x > curve.trusted else dashed,
    )
    spacing = frame.width / max(1.0, log2(frame.last))
    every = max(1, ceil(6 / spacing))
    marked = [point for place, point in enumerate(curve.points) if place % every == 0]
    for point in {*marked, curve.points[-1]}:
        draw_marker(canvas, frame, point, curve.mark.marker, style)


def _end_label(curve: Curve) -> str:
    from explorer.views.numbers import percent

    return f"{curve.mark.marker} {curve.label} {percent(curve.points[-1].value)}"


def _x_axis(frame: Frame, width: int, palette: Palette) -> Strip:
    """`k  1  2  4 … `: powers of two, as many as there is room for."""
    last = round(frame.last)
    powers = [1 << exponent for exponent in range(last.bit_length())]
    step = next(
        step
        for step in range(1, 40)
        if step * frame.width / max(1.0, log2(frame.last)) >= len(str(last)) + 2
    )
    row = [" "] * (width - AXIS)
    taken = -1
    for place, k in enumerate(powers):
        if place % step:
            continue
        text = str(k)
        start = max(0, frame.x(k) // 2 - (len(text) - 1) // 2)
        if start > taken and start + len(text) <= len(row):
            row[start : start + len(text)] = text
            taken = start + len(text)
    axis = fit("k", AXIS - 1, "right") + " "
    return strip_of(
        [(axis + "".join(row), ink(palette.faint))], width, ink(palette.text, palette.background)
    )

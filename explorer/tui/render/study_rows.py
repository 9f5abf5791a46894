"""A study's tables in terminal cells: bands, then names, then columns give way for want of room.

Invariant: the texts are those of the grid, never rounded again; what is left out is a whole band or
a whole column, and a column left out is said with '…'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from explorer.tui.render.cells import fit
from explorer.tui.widgets.line import Pieces

if TYPE_CHECKING:
    from explorer.core.boxes import Box
    from explorer.views.study import Member, Study, StudyPair
    from explorer.views.study_grids import Grid
    from explorer.views.study_perplexity import Perplexities

_FIRST: Final = 30
"""Most cells of the column of names."""

_HEAD: Final = 8
"""Fewest cells that a header is cut to."""

LEAST_TAIL: Final = 16
"""Cells that bars or boxes need beside the numbers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the columns that are shown; `cut` if some are not, `tail` cells are left over."""

    widths: tuple[int, ...]
    bands: bool
    cut: bool
    tail: int


def layout(grid: Grid, width: int) -> Layout:
    """The richest form that fits into `width` cells."""
    room = width - 2
    for bands, least in ((True, 99), (True, _HEAD), (False, 99), (False, _HEAD)):
        widths = _widths(grid, bands, least)
        if sum(widths) + 2 * (len(widths) - 1) <= room:
            return Layout(widths, bands, False, room - sum(widths) - 2 * (len(widths) - 1))
    widths = _widths(grid, False, _HEAD)
    while len(widths) > 2 and sum(widths) + 2 * len(widths) > room:
        widths = widths[:-1]
    return Layout(widths, False, True, 0)


def heading(grid: Grid, how: Layout) -> Pieces:
    """The line of headers."""
    pieces = [(fit(grid.headers[0], how.widths[0]), "muted")]
    for place, width in enumerate(how.widths[1:], start=1):
        colour = grid.heads[place - 1] if place <= len(grid.heads) else "muted"
        pieces.append(("  " + fit(grid.headers[place], width, "right"), colour))
    return [*pieces, *([(" …", "faint")] if how.cut else [])]


def row(grid: Grid, how: Layout, number: int) -> Pieces:
    """One line of the table."""
    cells = grid.rows[number]
    colour = grid.colours[number] if number < len(grid.colours) else "text"
    pieces = [(fit(cells[0].text, how.widths[0]), colour)]
    for place, width in enumerate(how.widths[1:], start=1):
        cell = cells[place]
        band = f" {cell.band}" if how.bands and cell.band else ""
        left = width - cell_len(cell.text) - cell_len(band)
        pieces += [
            ("  " + " " * max(0, left), "text"),
            (fit(cell.text, min(width, cell_len(cell.text))), "strong"),
        ]
        pieces += [(band, "muted")] if band else []
    return pieces


def histogram_tail(study: Study, number: int, room: int) -> Pieces:
    """The bin's bars, one an arm, on one scale; nothing where there is no room."""
    from explorer.views.numbers import bar

    arms = study.histograms
    each = (room - 2) // max(1, len(arms)) - 1
    if each < 3 or number >= 12:
        return []
    most = max(one.share for arm in arms for one in arm.bins) or 1.0
    pieces: list[tuple[str, str]] = [("  ", "text")]
    for arm in arms:
        drawn, _ = bar(arm.bins[number].share / most, each)
        pieces.append((fit(drawn, each) + " ", arm.column.mark.colour))
    return pieces


def gap_tail(study: Study, number: int, room: int) -> Pieces:
    """A bar of Δ_SE, all on one scale from 0."""
    from explorer.views.numbers import bar

    pairs = [pair.comparison for pair in study.pairs if pair.comparison.problems]
    most = max((one.gap for one in pairs if not math.isnan(one.gap)), default=0.0)
    gap = pairs[number].gap
    if room < LEAST_TAIL or most <= 0 or math.isnan(gap):
        return []
    return [
        ("  ", "text"),
        (bar(max(0.0, gap) / most, min(40, room - 2))[0], pairs[number].other.mark.colour),
    ]


def box_tail(found: Perplexities, number: int, room: int) -> Pieces:
    """The box on a scale of log perplexity that all share: whiskers 5 and 95 %."""
    width = min(60, room - 2)
    boxes = [line.box for line in found.lines if line.box.n]
    box = found.lines[number].box
    if width < LEAST_TAIL or not box.n or not boxes:
        return []
    low = math.log(max(1e-9, min(one.low for one in boxes)))
    high = math.log(max(one.high for one in boxes))
    return [("  ", "text"), (_draw(box, low, high, width), found.lines[number].writer.mark.colour)]


def _draw(box: Box, low: float, high: float, width: int) -> str:
    def at(value: float) -> int:
        share = (math.log(value) - low) / (high - low) if high > low else 0.5
        return round((width - 1) * min(max(share, 0.0), 1.0))

    cells = [" "] * width
    for place in range(at(box.low), at(box.high) + 1):
        cells[place] = "─"
    for place in range(at(box.lower), at(box.upper) + 1):
        cells[place] = "█"
    cells[at(box.low)] = "├" if cells[at(box.low)] != "█" else "█"
    cells[at(box.high)] = "┤" if cells[at(box.high)] != "█" else "█"
    cells[at(box.median)] = "┃"
    return "".join(cells)


CLASS_WORDS: Final = {
    "S": "only base solves",
    "E": "only it solves",
    "P": "both solve",
    "O": "neither solves",
}


def cell_heading(pair: StudyPair, letter: str, count: int, width: int) -> Pieces:
    """`S  only base solves, not rl · 9`."""
    from explorer.views.palette import CLASS_COLOURS
    from explorer.views.text import one_line

    other = one_line(pair.comparison.other.name, 24)
    words = CLASS_WORDS[letter].replace("it", other, 1) if letter == "E" else CLASS_WORDS[letter]
    if letter == "S":
        words += f", not {other}"
    return [(f"{letter}  ", f"{CLASS_COLOURS[letter]} bold"), (f"{words} · {count:,}", "muted")]


def member_row(member: Member, width: int) -> Pieces:
    """A problem of a cell with its counts: base's, then the other's."""
    from explorer.views.problem_list import headline
    from explorer.views.text import one_line

    problem = member.row.problem
    name = fit(one_line(problem.name, 24), 20)
    base, other = (f"{one.correct:,}/{one.n:,}" for one in (member.base, member.other))
    mark = "?" if member.uncertain else " "
    counts = [
        (f"  {name}", "text"),
        (mark, "undecided"),
        (fit(base, 11, "right"), "base"),
        (fit(other, 11, "right"), "rl"),
    ]
    room = width - 2 - 20 - 1 - 22 - 4
    return [
        *counts,
        *([("  " + fit(headline(problem.statement), room), "muted")] if room > 12 else []),
    ]


def _widths(grid: Grid, bands: bool, least: int) -> tuple[int, ...]:
    first = max([cell_len(row[0].text) for row in grid.rows] + [cell_len(grid.headers[0])])
    widths = [min(first, _FIRST)]
    for place in range(1, len(grid.headers)):
        texts: Sequence[str] = [str(row[place]) if bands else row[place].text for row in grid.rows]
        cells = max((cell_len(text) for text in texts), default=0)
        widths.append(max(cells, min(cell_len(grid.headers[place]), least)))
    return tuple(widths)

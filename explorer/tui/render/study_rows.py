"""A study's tables in terminal cells: bands, then names, then columns give way for want of room.

Invariant: the texts are those of the grid, never rounded again; what is left out is a whole band or
a whole column, and columns left out are said with '…': what does not fit can be brought into sight
(`skip`), spare columns come back where there is more room.
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

_HEADS: Final = (8, 12, 16, 20, 99)
"""What headers are cut to: the first at which no two of them look alike."""

LEAST_TAIL: Final = 16
"""Cells that bars or boxes need beside the numbers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is shown.

    Attributes:
        columns: which are, the first among them always; `widths` are theirs.
        bands: whether bands are.
        before, after: columns are left out at the left, or at the right.
        tail: cells that are left over.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    bands: bool
    before: bool
    after: bool
    tail: int

    @property
    def cut(self) -> bool:
        """Some columns are not in sight."""
        return self.before or self.after

    @property
    def is_window(self) -> bool:
        """Which columns are in sight can be changed."""
        return self.cut and not self.bands


def layout(grid: Grid, width: int, skip: int = 0) -> Layout:
    """The richest form that fits into `width` cells.

    Args:
        skip: columns to leave out after the first, where not all fit.
    """
    room = width - 2
    everything = tuple(range(len(grid.headers)))
    short = _head_width(grid)
    without = tuple(place for place in everything if place not in grid.spare)
    forms = [(everything, True, 99), (everything, True, short)]
    forms += [(without, True, short)] if grid.spare else []
    for columns, bands, least in (*forms, (everything, False, 99), (everything, False, short)):
        widths = _widths(grid, columns, bands, least)
        taken = sum(widths) + 2 * (len(widths) - 1)
        if taken <= room:
            return Layout(columns, widths, bands, columns != everything, False, room - taken)
    return _window(grid, _widths(grid, everything, False, short), room, skip)


def _window(grid: Grid, widths: Sequence[int], room: int, skip: int) -> Layout:
    """The first column, and of the others as many as fit from the one after `skip` on."""
    others = len(grid.headers) - 1
    start = 1 + max(0, min(skip, others - 1))
    chosen, taken = [0], widths[0] + 2  # two cells for the '…' at the end
    for place in range(start, others + 1):
        if taken + widths[place] + 2 > room and len(chosen) > 1:
            break
        chosen.append(place)
        taken += widths[place] + 2
    while start > 1 and chosen[-1] == others and taken + widths[start - 1] + 2 <= room:
        start -= 1  # at the end there may be room for some that were left behind
        chosen.insert(1, start)
        taken += widths[start] + 2
    shown = tuple(widths[place] for place in chosen)
    return Layout(tuple(chosen), shown, False, start > 1, chosen[-1] < others, 0)


def heading(grid: Grid, how: Layout) -> Pieces:
    """The line of headers."""
    pieces = [(fit(grid.headers[0], how.widths[0]), "muted")]
    for at, (place, width) in enumerate(zip(how.columns[1:], how.widths[1:], strict=True)):
        colour = grid.heads[place - 1] if place <= len(grid.heads) else "muted"
        if how.before and not at:
            pieces += [("… ", "faint"), (fit(grid.headers[place], width, "right"), colour)]
        else:
            pieces.append(("  " + fit(grid.headers[place], width, "right"), colour))
    return [*pieces, *([(" …", "faint")] if how.after else [])]


def row(grid: Grid, how: Layout, number: int) -> Pieces:
    """One line of the table."""
    cells = grid.rows[number]
    colour = grid.colours[number] if number < len(grid.colours) else "text"
    pieces = [(fit(cells[0].text, how.widths[0]), colour)]
    for place, width in zip(how.columns[1:], how.widths[1:], strict=True):
        cell = cells[place]
        band = f" {cell.band}" if how.bands and cell.band else ""
        left = width - cell_len(cell.text) - cell_len(band)
        pieces += [
            ("  " + " " * max(0, left), "text"),
            (fit(cell.text, min(width, cell_len(cell.text))), "strong"),
        ]
        pieces += [(band, "muted")] if band else []
    return pieces


def _head_width(grid: Grid) -> int:
    """Cells that headers are cut to without two of them becoming the same."""
    different = len(set(grid.headers[1:]))
    return next(
        least
        for least in _HEADS
        if least == _HEADS[-1]
        or len({fit(text, min(least, cell_len(text))) for text in grid.headers[1:]}) == different
    )


def histogram_tail(study: Study, number: int, room: int) -> Pieces:
    """The bin's bars, one an arm, on one scale; nothing where there is no room."""
    from explorer.views.numbers import bar

    arms = study.histograms
    each = (room - 2) // max(1, len(arms)) - 1
    if each < 3 or number >= 12:
        return []
    most = _most_share(study)
    pieces: list[tuple[str, str]] = [("  ", "text")]
    for arm in arms:
        drawn, _ = bar(arm.bins[number].share / most, each)
        pieces.append((fit(drawn, each) + " ", arm.column.mark.colour))
    return pieces


def has_histogram_tail(study: Study, room: int) -> bool:
    """Whether the bars stand beside the numbers."""
    return bool(histogram_tail(study, 0, room))


def small_histograms(study: Study) -> list[Pieces]:
    """A row an arm instead, as columns of a common height over the bins."""
    from explorer.views.study_grids import name_of

    most = _most_share(study)
    names = [name_of(arm.column) for arm in study.histograms]
    first = min(_FIRST, max((cell_len(name) for name in names), default=0))
    rows: list[Pieces] = []
    head = "".join(f" {text:<3}" for text in _BIN_ENDS)
    rows.append([(" " * first + " " + head, "muted")])
    for name, arm in zip(names, study.histograms, strict=True):
        drawn = "".join(" " + _COLUMNS[_level(one.share / most)] * 3 for one in arm.bins)
        rows.append(
            [(fit(name, first) + " ", arm.column.mark.colour), (drawn, arm.column.mark.colour)]
        )
    return rows


_COLUMNS: Final = " ▁▂▃▄▅▆▇█"
_BIN_ENDS: Final = ("0", *(f"≤.{tenth}" for tenth in range(1, 10)), "<1", "1")


def _level(share: float) -> int:
    """Of eight; what is there at all is seen."""
    return max(1, round(8 * share)) if share > 0 else 0


def _most_share(study: Study) -> float:
    return max((one.share for arm in study.histograms for one in arm.bins), default=0.0) or 1.0


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


def _widths(grid: Grid, columns: Sequence[int], bands: bool, least: int) -> tuple[int, ...]:
    first = max([cell_len(row[0].text) for row in grid.rows] + [cell_len(grid.headers[0])])
    widths = [min(first, _FIRST)]
    for place in columns[1:]:
        texts: Sequence[str] = [str(row[place]) if bands else row[place].text for row in grid.rows]
        cells = max((cell_len(text) for text in texts), default=0)
        widths.append(max(cells, min(cell_len(grid.headers[place]), least)))
    return tuple(widths)

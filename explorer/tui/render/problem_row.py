"""The problem list's columns for a width, and one row of it as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style
from textual.strip import Strip

from explorer.tui.render.cells import fit, strip_of
from explorer.tui.theme import Palette, ink
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.store.rows import Tally
    from explorer.views.arms import ArmChoice, ArmColumn
    from explorer.views.problem_list import Order, ProblemLine

RATE = 5
"""Cells of a percentage: `<0.1%`."""

BAR = 6
BAR_FROM = 116
"""Terminal width from which the small bars are drawn."""

FAMILY_FROM = 150
LEAST_STATEMENT = 12
LEAST_WHEN_NARROW = 6
"""Cells of the statement below which an arm is dropped instead; the latter under 80 columns."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the columns, all separated by two cells; 0 = not shown."""

    width: int
    name: int
    family: int
    statement: int
    counts: tuple[int, ...]
    bar: int
    letter: int

    @property
    def arms(self) -> int:
        """How many arms fit."""
        return len(self.counts)

    def arm_width(self, position: int) -> int:
        return self.counts[position] + 1 + RATE + (self.bar + 1 if self.bar else 0)


def plan(width: int, choice: ArmChoice, lines: Sequence[ProblemLine]) -> Layout:
    """Widths for a list; the statement takes what is left, later arms are dropped first."""
    sample = lines[:2000]
    name = min(
        max((len(line.problem.name) for line in sample), default=8), 28 if width >= 110 else 14
    )
    family = 0
    if width >= FAMILY_FROM:
        longest = max((len(line.problem.family) for line in sample), default=0)
        family = min(longest, 16) if longest else 0
    letter = 5 if choice.pair() else 0
    bar = BAR if width >= BAR_FROM else 0
    counts = [
        max(
            max((len(_counts(line.cells[position])) for line in sample), default=0),
            min(len(column.name), 24) + 2 - (RATE + 1) - (bar + 1 if bar else 0),
            3,
        )
        for position, column in enumerate(choice.columns)
    ]
    name = max(name, 7)
    least = LEAST_STATEMENT if width >= 79 else LEAST_WHEN_NARROW
    while True:
        layout = Layout(width, name, family, 0, tuple(counts), bar, letter)
        fixed = 2 + name + 2 + (family + 2 if family else 0) + (letter + 2 if letter else 1)
        fixed += sum(layout.arm_width(position) + 2 for position in range(len(counts)))
        if width - fixed >= least or not counts:
            statement = max(width - fixed, 0)
            return Layout(width, name, family, statement, tuple(counts), bar, letter)
        counts.pop()


def header_strip(layout: Layout, choice: ArmChoice, order: Order, palette: Palette) -> Strip:
    """The titles; the sorted column is marked by an arrow and stands out."""
    quiet = ink(palette.muted)

    def title(text: str, key: str, style: Style = quiet) -> tuple[str, Style]:
        if order.key != key or key == "file":
            return text, style
        return f"{text} {'▾' if order.reverse else '▴'}", ink(palette.strong, attributes="bold")

    text, style = title("problem", "id")
    pieces = [("  ", quiet), (fit(text, layout.name) + "  ", style)]
    if layout.family:
        pieces.append((fit("family", layout.family) + "  ", quiet))
    dropped = len(choice.columns) - layout.arms
    more = f" +{dropped} arm{'s' if dropped > 1 else ''}" if dropped else ""
    room = layout.statement - len(more)
    pieces.append(
        (fit("statement"[: max(0, room)], max(0, room)) + more[: layout.statement], quiet)
    )
    for position in range(layout.arms):
        column = choice.columns[position]
        colour = ink(palette.colour(column.mark.colour), attributes="bold")
        text, style = title(
            f"{column.mark.marker} {one_line(column.name, 24)}", column.name, colour
        )
        pieces += [("  ", quiet), (fit(text, layout.arm_width(position), "right"), style)]
    if layout.letter:
        text, style = title("class", "class")
        pieces.append(("  " + fit(text.replace(" ", ""), layout.letter, "right"), style))
    return strip_of(pieces, layout.width, ink(palette.text, palette.background))


def row_strip(
    line: ProblemLine, layout: Layout, choice: ArmChoice, palette: Palette, cursor: bool
) -> Strip:
    """One row."""
    from explorer.views.problem_list import headline

    back = palette.cursor if cursor else ""
    ground = ink(palette.text, back or palette.background)
    text = ink(palette.strong if cursor else palette.text, back)
    quiet = ink(palette.muted, back)
    pieces = [
        ("▌ " if cursor else "  ", ink(palette.accent, back)),
        (fit(one_line(line.problem.name), layout.name) + "  ", text if cursor else quiet),
    ]
    if layout.family:
        pieces.append((fit(one_line(line.problem.family), layout.family) + "  ", quiet))
    mark, colour = _image_mark(line)
    if mark:
        pieces.append((mark[: layout.statement], ink(palette.colour(colour), back)))
    room = max(0, layout.statement - len(mark))
    pieces.append((fit(headline(line.problem.statement), room), text))
    for position in range(layout.arms):
        pieces.append(("  ", text))
        pieces += _arm(
            line.cells[position], choice.columns[position], layout, position, palette, back
        )
    if layout.letter:
        pieces.append(_letter(line, layout, palette, back))
    return strip_of(pieces, layout.width, ground)


def _image_mark(line: ProblemLine) -> tuple[str, str]:
    """What stands before the statement of a problem with images, and its colour."""
    if line.fault:
        return f"✗ image {line.fault} ", "wrong"
    return ("▣ ", "accent") if line.problem.images else ("", "")


def _arm(
    cell: Tally, column: ArmColumn, layout: Layout, position: int, palette: Palette, back: str
) -> list[tuple[str, Style]]:
    from explorer.views.numbers import bar, percent

    quiet = ink(palette.muted, back)
    if cell.n == 0:
        return [(fit(_counts(cell), layout.arm_width(position), "right"), quiet)]
    rate = cell.correct / cell.n
    zero = cell.correct == 0
    number = ink(palette.faint if zero else palette.text, back)
    pieces = [
        (fit(_counts(cell), layout.counts[position], "right"), quiet),
        (_doubt(cell), ink(palette.faint, back)),
        (fit(percent(rate), RATE, "right"), number),
    ]
    if layout.bar:
        colour = ink(palette.colour(column.mark.colour), back)
        drawn, rest = bar(rate, layout.bar)
        pieces += [(" " + drawn, colour), (rest, ink(palette.line, back))]
    return pieces


def _doubt(cell: Tally) -> str:
    """One sign behind the counts: undecided samples, or verifiers that disagree."""
    return "?" if cell.undecided else "≠" if cell.disagreed else " "


def _letter(line: ProblemLine, layout: Layout, palette: Palette, back: str) -> tuple[str, Style]:
    from explorer.views.palette import CLASS_COLOURS

    if line.coverage is None:
        return "  " + fit("–", layout.letter - 1, "right") + " ", ink(palette.faint, back)
    letter = line.coverage.coverage.value
    mark = "?" if line.coverage.uncertain else " "
    style = ink(palette.colour(CLASS_COLOURS[letter]), back, "bold")
    return "  " + fit(letter + mark, layout.letter, "right"), style


def _counts(cell: Tally) -> str:
    if cell.completions == 0:
        return "·"
    if cell.n == 0:
        return f"{cell.ungraded} ungraded"
    return f"{cell.correct}/{cell.n}"

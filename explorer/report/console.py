"""Tables and lines on stdout: aligned, narrow enough for a terminal, never markup.

What is not a terminal (a pipe, a file) gets wide, uncoloured lines unless COLUMNS is set. A grid of
numbers is laid out anew until it fits (`views.table_layout`): none of them is cut or broken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from explorer.views import table_layout

PIPE_WIDTH = 200
"""Columns of a line where there is no terminal to ask."""


def console() -> Console:
    """A console on stdout that honours NO_COLOR and COLUMNS."""
    asked = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    width = None if asked else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> Table:
    """A table without boxes; columns after the first `text_columns` are right-aligned numbers."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for position, header in enumerate(headers):
        number = position >= text_columns
        grid.add_column(
            header, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def crowded(out: Console, grids: Iterable[table_layout.Table]) -> bool:
    """Whether one of them is too wide: then all of a report are printed with an arm a row."""
    return not all(table_layout.fits(grid, out.width, cell_len) for grid in grids)


def print_grid(out: Console, grid: table_layout.Table) -> None:
    """Print names at the left and numbers at the right, in as many parts as the width asks for."""
    for place, part in enumerate(table_layout.laid_out(grid, out.width, cell_len)):
        if place:
            out.print()
        for line in part.heads:
            out.print(_line(part, line, "bold"), soft_wrap=True)
        for row in part.rows:
            for line in row:
                out.print(_line(part, line), soft_wrap=True)


def _line(part: table_layout.Part, texts: Sequence[str], style: str = "") -> Text:
    """One line: the name at the left, numbers right-aligned."""
    cells = [
        f"{text}{' ' * (width - cell_len(text))}" if place == 0
        else f"{' ' * (width - cell_len(text))}{text}"
        for place, (text, width) in enumerate(zip(texts, part.widths, strict=True))
    ]  # fmt: skip
    return Text((" " * table_layout.GAP).join(cells).rstrip(), style=style)

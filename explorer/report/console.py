"""Tables and lines on stdout: aligned, narrow enough for a terminal, never markup.

What is not a terminal (a pipe, a file) gets wide, uncoloured lines, so that nothing is cut.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
"""Columns of a line where there is no terminal to ask."""


def console() -> Console:
    """A console on stdout that honours NO_COLOR and COLUMNS."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
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

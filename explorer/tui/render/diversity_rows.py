"""Diversity as a small table, a column or a row an arm, then what the numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from explorer.tui.render.cells import fit
from explorer.tui.widgets.line import Pieces
from explorer.views.table_layout import GAP, Table, fits, laid_out
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.diversity import Diversity


def diversity_rows(found: Diversity, width: int) -> list[Pieces]:
    """The table for a page of its own: a column an arm, or a row where so many do not fit."""
    from explorer.views.diversity import diversity_remarks
    from explorer.views.numbers import plural

    if not found.arms:
        return [[("No arm has graded samples here yet.", "muted")]]
    rows: list[Pieces] = []
    if found.problems != 1:
        rows += [[(f"means over {plural(found.problems, 'problem')} that all have", "muted")], []]
    rows += _table(found, width)
    rows += [[], *([(line, "faint")] for line in MEANINGS)]
    rows += [[(line, "text")] for line in found.matched]
    for remark in diversity_remarks(found):
        rows += [[], [(remark, "base")]]
    return rows


def _table(found: Diversity, width: int) -> list[Pieces]:
    from explorer.views.diversity import diversity_table

    names = [f"{arm.column.mark.marker} {one_line(arm.column.name)}" for arm in found.arms]
    inks = [f"{arm.column.mark.colour} bold" for arm in found.arms]
    table = Table(["", *names], [[label, *values] for label, values in diversity_table(found)])
    upright = fits(table, width, cell_len)
    rows: list[Pieces] = []
    for part in laid_out(table if upright else table.turned(), width, cell_len):
        heads = ["muted", *inks] if upright else ["muted"] * len(part.columns)
        rows += [[], *(_cells(line, part.widths, heads) for line in part.heads)]
        for place, row in enumerate(part.rows):
            first = "muted" if upright else inks[place]
            rows += [_cells(line, part.widths, [first, *["text"] * len(line)]) for line in row]
    return rows[1:]


def _cells(texts: Sequence[str], widths: Sequence[int], inks: Sequence[str]) -> Pieces:
    """A line: the first text at the left, numbers right-aligned."""
    first, *rest = zip(texts, widths, inks, strict=False)
    pieces = [(fit(first[0], first[1]), first[2])]
    return pieces + [(fit(text, width + GAP, "right"), ink) for text, width, ink in rest]


MEANINGS = (
    "answer entropy: −Σ p ln p over distinct answers, no answer being one of them",
    "token entropy: of a model's next-token distribution at temperature 1, along its own samples",
    "majority@k: the most frequent answer of k samples is right",
    "G-Pass@k: at least half, or all, of k samples are right; mG-Pass@k is the mean from half on",
)

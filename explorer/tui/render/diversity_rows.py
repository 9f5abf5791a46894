"""Diversity as a small table of rows: one column an arm, then what the numbers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from explorer.tui.render.cells import fit
from explorer.tui.widgets.line import Pieces
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.diversity import Diversity


def diversity_rows(found: Diversity) -> list[Pieces]:
    """The table for a page of its own."""
    from explorer.views.diversity import diversity_table, entropy_remark
    from explorer.views.numbers import plural

    if not found.arms:
        return [[("No arm has graded samples here yet.", "muted")]]
    table = diversity_table(found)
    names = [f"{arm.column.mark.marker} {one_line(arm.column.name, 14)}" for arm in found.arms]
    first = max(len(label) for label, _ in table) + 2
    wide = max(9, *(cell_len(name) for name in names)) + 2
    header: list[tuple[str, str]] = [(" " * first, "muted")]
    for arm, name in zip(found.arms, names, strict=True):
        header.append((fit(name, wide, "right"), f"{arm.column.mark.colour} bold"))
    rows: list[Pieces] = []
    if found.problems != 1:
        rows += [[(f"means over {plural(found.problems, 'problem')} that all have", "muted")], []]
    rows.append(header)
    for label, values in table:
        cells = [(fit(value, wide, "right"), "text") for value in values]
        rows.append([(fit(label, first), "muted"), *cells])
    rows += [[], *([(line, "faint")] for line in MEANINGS)]
    rows += [[(line, "text")] for line in found.matched]
    remark = entropy_remark(found)
    if remark:
        rows += [[], [(remark, "base")]]
    return rows


MEANINGS = (
    "answer entropy: −Σ p ln p over distinct answers, no answer being one of them",
    "token entropy: of a model's next-token distribution at temperature 1, along its own samples",
    "majority@k: the most frequent answer of k samples is right",
    "G-Pass@k: at least half, or all, of k samples are right; mG-Pass@k is the mean from half on",
)

"""What stands beside and above the set's curves: the 2×2 and a title that says what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.tui.widgets.line import Pieces

if TYPE_CHECKING:
    from explorer.views.coverage import CoverageTable
    from explorer.views.set_snapshot import SetPanel

_NAME = 14
_CELL = 12


def panel_title(panel: SetPanel) -> tuple[Pieces, Pieces]:
    """`pass@k  mean of 37 problems, filtered` and the key to its marks."""
    from explorer.views.numbers import plural

    curves = panel.curves
    what = f"mean of {plural(curves.problems, 'problem')}"
    if panel.filtered:
        what += " shown"
    if curves.left_out:
        what += f", {curves.left_out} sampled too little"
    if panel.crossing is not None:
        what += f"  ·  {panel.crossing.sentence()}"
    left = [("pass@k  ", "strong bold"), (what, "muted")]
    return left, [("⣿ 95% over problems   ⠒⠂⠒ k > n/2", "faint")]


def coverage_rows(table: CoverageTable | None) -> list[Pieces]:
    """The 2×2 with its margins named, and what it rests on."""
    from explorer.views.numbers import percent

    if table is None:
        return [[("no base and other model side by side", "faint")]]
    counts = table.counts
    base, other = table.base[: _NAME - 7], table.other[: _CELL - 2]
    rows: list[Pieces] = [
        [("solved at least once", "strong bold"), (f"  {table.n_label}", "muted")],
        [],
        [
            (" " * _NAME, "muted"),
            (f"{table.marker + ' ' + other:>{_CELL}}", f"{table.colour} bold"),
            (f"{'not':>{_CELL - 4}}", "muted"),
        ],
        [
            (f"{'● ' + base:<{_NAME}}", "base bold"),
            *_cell("P", counts.preserved, _CELL, "right"),
            *_cell("S", counts.shrunk, _CELL - 4, "base"),
        ],
        [
            (f"{'  not':<{_NAME}}", "muted"),
            *_cell("E", counts.expanded, _CELL, "rl"),
            *_cell("O", counts.out, _CELL - 4, "muted"),
        ],
        [],
        [
            ("kept ", "muted"),
            (percent(counts.retention), "text"),
            ("  of what base solves", "muted"),
        ],
        [
            ("new  ", "muted"),
            (percent(counts.discovery), "text"),
            (f"  of what {other} solves", "muted"),
        ],
    ]
    if counts.uncertain:
        rows.append([(f"{counts.uncertain} open: undecided samples", "muted")])
    if table.unsampled:
        rows.append([(f"{table.unsampled} not sampled by both", "muted")])
    return rows


def _cell(letter: str, count: int, width: int, colour: str) -> Pieces:
    number = f"{count:,}"
    gap = " " * max(1, width - len(number) - 2)
    return [(gap, "text"), (f"{letter} ", f"{colour} bold"), (number, "text")]

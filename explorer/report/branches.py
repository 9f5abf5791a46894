"""A completion's branches and the value curves that they make up, as text or for programs.

Invariant: every rate has its n and its interval beside it, the latter as numbers and as a rule
from 0 to 100 %, so that the curve can be read downwards without colour.
"""

from __future__ import annotations

from math import isnan
from typing import Any, Final

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.branch_line import BranchLine
from explorer.views.branches import Branches
from explorer.views.numbers import percent, span
from explorer.views.text import one_line

_RULE: Final = 31
"""Cells from 0 to 100 %."""

_WIDE: Final = 120
"""Columns from which the last words handed are shown too."""

_AFTER: Final = 40
"""Characters of what was handed last."""


def print_branches(found: Branches) -> None:
    """A row a branch from the trace's beginning to its end, then the curves in words."""
    out = console()
    if not found.lines:
        out.print(Text("No model was made to go on from this completion yet."))
        return
    headers = ["model", "handed", "right", "rate", "95%", _scale(), "ends with"]
    shown = len(headers) if out.width >= _WIDE else len(headers) - 1
    headers, rows = headers[:shown], [_row(line)[:shown] for line in found.lines]
    out.print(table(headers, rows, text_columns=2))
    for sentence in found.sentences():
        out.print(Text(sentence))


def interval_rule(lower: float, value: float, upper: float, width: int = _RULE) -> str:
    """`···├──●──┤·····`: an interval and its estimate between 0 and 1; all dots if unknown."""
    cells = ["·"] * width
    if isnan(value):
        return "".join(cells)
    low, at, high = (round(min(max(one, 0.0), 1.0) * (width - 1)) for one in (lower, value, upper))
    cells[low : high + 1] = ["─"] * (high + 1 - low)
    cells[low], cells[high] = "├", "┤"
    cells[at] = "●"
    return "".join(cells)


def as_dict(found: Branches) -> list[dict[str, Any]]:
    """Every branch, for programs."""
    return [
        {
            "model": line.branch.model,
            "position": line.branch.position,
            "swapped_id": line.branch.swapped_id,
            "swapped_text": line.branch.swapped_text,
            "asked": line.branch.asked,
            "state": line.branch.state,
            "n": line.tally.n,
            "correct": line.tally.correct,
            "lower": line.lower if line.tally.n else None,
            "upper": line.upper if line.tally.n else None,
        }
        for line in found.lines
    ]


def _row(line: BranchLine) -> list[str]:
    where = line.where().removeprefix("handed ")
    waiting = line.waiting()
    rate = percent(line.rate) + (f", {waiting}" if waiting and line.tally.n else "")
    return [
        one_line(line.branch.model, 20),
        ("└ " if line.branch.swapped_id is not None else "") + where,
        f"{line.tally.correct}/{line.tally.n}" if line.tally.n else "–",
        rate if line.tally.n else waiting or "nothing graded yet",
        span(line.lower, line.upper),
        interval_rule(line.lower, line.rate, line.upper),
        f"…{line.after[-_AFTER:]}" if line.after else "",
    ]


def _scale() -> str:
    """The heading of the rules: where 0, 50 and 100 % are."""
    return "0" + "50%".center(_RULE - 5, " ") + "100%"

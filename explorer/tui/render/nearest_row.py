"""A row of the table of nearest samples, and its heading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from explorer.core.nearest import Order
from explorer.tui.render.cells import fit
from explorer.tui.widgets.line import Pieces
from explorer.views.nearest import NearLine
from explorer.views.numbers import percent
from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS, ArmMark
from explorer.views.text import one_line

_NAME: Final = 14
_FIXED: Final = 3 + _NAME + 7 + 7 + 10 + 12 + 8 + 8 + 3
"""Cells of all columns but the answer."""


def answer_width(width: int) -> int:
    """Cells for the answer; what is left of the line."""
    return max(8, min(28, width - _FIXED))


def heading(width: int, order: Order) -> Pieces:
    """The titles; the column that orders is marked."""

    def title(text: str, cells: int, mine: Order | None = None) -> tuple[str, str]:
        here = mine is order
        return fit(f"{text}{'▾' if here else ''}", cells, "right"), "accent" if here else "muted"

    answer = answer_width(width)
    return [
        (" " * 3 + fit("arm", _NAME), "muted"),
        title("sample", 7),
        (fit("   answer", answer + 5), "muted"),
        (fit("same", 5), "muted"),
        title("prefix", 8, Order.PREFIX),
        title("steps", 12, Order.STEPS),
        title("text", 8, Order.TEXT),
        title("tokens", 8),
    ]


def row(line: NearLine, mark: ArmMark, width: int) -> Pieces:
    """One peer: who, right or not, its answer, and the four likenesses."""
    head, like = line.peer.head, line.likeness
    outcome = str(head.outcome or "")
    steps = f"{like.shared_steps}/{like.steps}" if like.steps else "–"
    prefix = "–" if like.prefix is None else f"{like.prefix:,}"
    tokens = "–" if head.n_tokens is None else f"{head.n_tokens:,}"
    return [
        (f"{mark.marker} ", mark.colour),
        (fit(one_line(line.peer.arm.model.name), _NAME), "text"),
        (fit(f"#{head.index}", 7, "right"), "text"),
        (f"  {OUTCOME_MARKS[outcome]} ", OUTCOME_COLOURS[outcome]),
        (fit(one_line(head.answer, 60) or "–", answer_width(width)), "text"),
        (fit(" =" if like.same_answer else "", 6), "accent"),
        (fit(prefix, 8, "right"), "text"),
        (fit(steps, 12, "right"), "text"),
        (fit(percent(like.text), 8, "right"), "text"),
        (fit(tokens, 8, "right"), "muted"),
    ]


def marks_of(lines: Sequence[NearLine], marks: dict[int, ArmMark]) -> list[ArmMark]:
    """The mark of each line's arm."""
    return [marks[line.peer.arm.id] for line in lines]

"""Lines under the Problem screen's table of arms: reviewed reasoning, and guessing without any.

Imports nothing that computes: the sentences are made in `views`, on the reading thread's data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from explorer.tui.render.cells import wrap
from explorer.tui.widgets.line import Pieces
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.cot import CotCell
    from explorer.views.luck import ProblemLuck

_WIDEST: Final = 130


def cot_rows(luck: ProblemLuck, width: int) -> list[Pieces]:
    """Lines under the table of arms: CoT-pass@k where there are reviews, and guessing."""
    rows: list[Pieces] = []
    for arm in luck.cot:
        mark = (f" {arm.column.mark.marker} ", f"{arm.column.mark.colour} bold")
        for cell in arm.cells:
            rows += _hung(mark, _cot_words(cell, luck), width)
    for guess in luck.guesses:
        colour = "undecided" if guess.guessable else "muted"
        rows += _hung((" ? ", "undecided bold"), [(one_line(guess.sentence()), colour)], width)
    return rows


def _cot_words(cell: CotCell, luck: ProblemLuck) -> list[tuple[str, str]]:
    from explorer.views.cot import sentence

    reached = [k for k in luck.ks if k <= cell.n]
    ks = list(dict.fromkeys([*reached[:1], *reached[-1:]]))
    return [(one_line(sentence(cell, ks)), "text")]


def _hung(mark: tuple[str, str], words: list[tuple[str, str]], width: int) -> list[Pieces]:
    ((text, colour),) = words
    room = max(20, min(width - 4, _WIDEST))
    first, *rest = wrap(text, room)
    return [[mark, (first, colour)], *([("   ", "text"), (line, colour)] for line in rest)]

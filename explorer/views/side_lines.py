"""Aligned traces as lines of a given width: two columns, or one beneath the other.

Invariant: every piece of both sides is on some line, except that one column shows what is the
same on both sides once. Marks besides colour: `◆` where the two part, `≠` where they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from explorer.views.side_by_side import Aligned, By, Piece, Tone
from explorer.views.trace import Measure, TraceLayout, TraceText
from explorer.views.trace_glyphs import CONTROL_TOKEN_GLYPH, NEWLINE_GLYPH, visible

PARTING: Final = "◆"
DIFFERENT: Final = "≠"
LEFT, RIGHT, BOTH = "left", "right", "both"


@dataclass(frozen=True, slots=True)
class Run:
    """Some safe text of a line, of one piece."""

    text: str
    tone: Tone
    difference: int | None = None


@dataclass(frozen=True, slots=True)
class SideLine:
    """A line as it is drawn.

    Attributes:
        left: the runs of the left column, or of the only one.
        right: those of the right column; None where there is one column.
        side: whose the only column is: 'left', 'right' or 'both'; '' for two columns.
        mark: `◆`, `≠` or ''.
        differences: numbers of the differences on it.
    """

    left: tuple[Run, ...]
    right: tuple[Run, ...] | None
    side: str
    mark: str
    differences: frozenset[int]


def lay(aligned: Aligned, width: int, stacked: bool, measure: Measure) -> list[SideLine]:
    """Lines of at most `width` cells per column."""
    lines: list[SideLine] = []
    told: set[int] = set()
    for group in aligned.groups:
        if stacked and not group.differs and _text(group.left) == _text(group.right):
            lines += [_line(runs, None, BOTH, told) for runs in wrap(group.left, width, measure)]
        elif stacked:
            for side, pieces in ((LEFT, group.left), (RIGHT, group.right)):
                seen = set(told)  # the parting is marked on both sides
                lines += [_line(runs, None, side, seen) for runs in wrap(pieces, width, measure)]
            told |= _numbers([*group.left, *group.right])
        else:
            both = zip_longest(
                wrap(group.left, width, measure), wrap(group.right, width, measure), fillvalue=()
            )
            lines += [_line(left, right, "", told) for left, right in both]
    return lines


def first_line(lines: Sequence[SideLine], difference: int) -> int:
    """The line on which a difference begins."""
    return next((at for at, line in enumerate(lines) if difference in line.differences), 0)


def wrap(pieces: Sequence[Piece], width: int, measure: Measure) -> list[tuple[Run, ...]]:
    """Pieces of one side as lines of runs; control characters are shown by stand-ins."""
    texts = [_safe(piece.text) or CONTROL_TOKEN_GLYPH for piece in pieces]
    shown = "".join(texts)
    layout = TraceLayout(TraceText(shown, None), width, measure)
    edges, at = [], 0
    for text, piece in zip(texts, pieces, strict=True):
        edges.append((at, at + len(text), piece))
        at += len(text)
    if not at:
        return []
    found = []
    for line in range(len(layout)):
        start, end = layout.bounds(line)
        runs = [
            Run(
                shown[max(start, low) : min(end, high)].replace("\n", NEWLINE_GLYPH),
                piece.tone,
                piece.difference,
            )
            for low, high, piece in edges
            if low < end and high > start
        ]
        found.append(tuple(runs))
    return found


def headline(aligned: Aligned) -> str:
    """How alike they are, in a sentence."""
    items = "tokens" if aligned.by is By.TOKENS else "calculations"
    share = f"{aligned.same:,} of {aligned.left_items:,} and {aligned.right_items:,} {items}"
    many = len(aligned.differences)
    said = "no difference" if not many else f"{many} difference{'' if many == 1 else 's'}"
    return f"{share} aligned · {said}"


def _line(
    left: tuple[Run, ...], right: tuple[Run, ...] | None, side: str, told: set[int]
) -> SideLine:
    numbers = frozenset(
        run.difference for run in (*left, *(right or ())) if run.difference is not None
    )
    parts = 0 in numbers and 0 not in told
    told |= numbers
    mark = PARTING if parts else DIFFERENT if numbers else ""
    return SideLine(left, right, side, mark, numbers)


def _numbers(pieces: Sequence[Piece]) -> set[int]:
    return {piece.difference for piece in pieces if piece.difference is not None}


def _safe(text: str) -> str:
    return "\n".join(visible(line, spaces=" ") for line in text.split("\n"))


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)

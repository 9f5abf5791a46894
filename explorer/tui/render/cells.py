"""Text fitted into terminal cells: cut with an ellipsis, padded, aligned; wide characters count 2.

Invariants: what `fit` returns is exactly as wide as was asked, whatever it is given; no strip
made here holds a control or format character.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from explorer.views.trace_glyphs import visible


@lru_cache(maxsize=4096)
def fit(text: str, width: int, align: str = "left") -> str:
    """`text` in exactly `width` cells; what does not fit ends in `…`."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        head = set_cell_size(text, width - 1)
        return head.rstrip() + "…" + " " * (len(head) - len(head.rstrip()))
    if align == "right":
        return " " * (width - length) + text
    if align == "centre":
        left = (width - length) // 2
        return " " * left + text + " " * (width - length - left)
    return text + " " * (width - length)


def strip_of(pieces: Iterable[tuple[str, Style]], width: int, rest: Style) -> Strip:
    """A strip of exactly `width` cells on the ground of `rest`; equal neighbours are merged."""
    segments: list[Segment] = []
    for text, style in pieces:
        if not text:
            continue
        if not text.isprintable():  # the last line of defence: nothing here moves a cursor
            text = visible(text, spaces=" ")
        style = rest + style
        if segments and segments[-1].style == style:
            segments[-1] = Segment(segments[-1].text + text, style)
        else:
            segments.append(Segment(text, style))
    return Strip(segments).adjust_cell_length(width, rest)


@lru_cache(maxsize=512)
def wrap(text: str, width: int) -> tuple[str, ...]:
    """A safe line broken at spaces into lines of at most `width` cells; long words are cut."""
    width = max(1, width)
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        current = word
        while cell_len(current) > width:
            head, current = _cut(current, width)
            lines.append(head)
    lines.append(current)
    return tuple(lines)


def _cut(word: str, width: int) -> tuple[str, str]:
    taken = cells = 0
    for character in word:
        cells += cell_len(character)
        if cells > width and taken:
            break
        taken += 1
    return word[:taken], word[taken:]

"""A completion's text cut into token cells and wrapped into lines, without losing a character.

`TraceText` is independent of width: the display string, and which part of it each token owns.
`TraceLayout` wraps it for one width. Invariant: the lines of a layout, joined, are exactly the
display string, and every part of it that a token wrote belongs to exactly one unit. A unit is
one token, or the few tokens that share a character (a multi-byte character, a combining mark).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.core.completion import Tokens
from explorer.views.trace_glyphs import (
    CONTROL_TOKEN_GLYPH,
    NEWLINE_GLYPH,
    is_mark,
    replacements,
)

Measure = Callable[[str], int]
"""Width of a string in terminal cells; the screen passes its toolkit's own."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """A run of a line that belongs to one unit (`unit` is None for text that no token wrote)."""

    unit: int | None
    text: str
    hanging: bool = False
    """White space at the end of a wrapped line, which is drawn but not coloured."""


class TraceText:
    """The display string of a completion and its units.

    Args:
        text: the completion's text.
        tokens: its tokens, or None when only the text is known.
    """

    def __init__(self, text: str, tokens: Tokens | None) -> None:
        self.source = text
        self.n_tokens = 0 if tokens is None else len(tokens)
        self.char_ends = char_ends = char_ends_of(text, tokens)
        starts = np.concatenate([np.zeros(1, np.int64), char_ends])[:-1]
        self.control = char_ends == starts if len(char_ends) else np.zeros(0, bool)
        closes = _closes_unit(text, tokens, char_ends)
        self.control &= closes & np.concatenate([np.ones(1, bool), closes])[:-1][: len(closes)]
        self.unit_of_token: Ints = np.concatenate([np.zeros(1, np.int64), np.cumsum(closes)])[:-1]
        self.first_token: Ints = np.flatnonzero(np.concatenate([[True], closes])[: len(closes)])
        self._byte_ends = None if tokens is None else tokens.ends
        self.display, self.unit_starts = self._compose(starts, char_ends)

    @property
    def n_units(self) -> int:
        return len(self.first_token)

    @cached_property
    def starts(self) -> list[int]:
        """Display offset at which each unit begins, and where the last one ends."""
        return [int(start) for start in self.unit_starts]

    def tokens_of(self, unit: int) -> range:
        """The tokens that make up a unit."""
        following = self.n_tokens if unit + 1 >= self.n_units else int(self.first_token[unit + 1])
        return range(int(self.first_token[unit]), following)

    def unit_at_character(self, character: int) -> int | None:
        """The unit that wrote a character of the source, None if no token did."""
        token = int(np.searchsorted(self.char_ends, character, "right"))
        return int(self.unit_of_token[token]) if token < self.n_tokens else None

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the text that a token wrote; empty for a control token."""
        assert self._byte_ends is not None
        start = int(self._byte_ends[token - 1]) if token else 0
        return self._encoded[start : int(self._byte_ends[token])]

    @cached_property
    def _encoded(self) -> bytes:
        return self.source.encode("utf-8", "surrogatepass")

    def _compose(self, starts: Ints, char_ends: Ints) -> tuple[str, Ints]:
        edits = [(position, 1, glyph) for position, glyph in replacements(self.source)]
        markers = starts[self.control].tolist()
        edits += [(position, 0, CONTROL_TOKEN_GLYPH) for position in markers]
        edits.sort(key=lambda edit: edit[:2])
        pieces, done = [], 0
        for position, length, glyph in edits:
            pieces += [self.source[done:position], glyph]
            done = position + length
        pieces.append(self.source[done:])
        growth = np.cumsum([0] + [len(glyph) - length for _, length, glyph in edits])
        edited = np.array([position for position, *_ in edits], dtype=np.int64)
        marked = np.array(sorted(markers), dtype=np.int64)

        def offset(chars: Ints) -> Ints:
            before = growth[np.searchsorted(edited, chars, "left")]
            return np.asarray(chars + before, dtype=np.int64)

        first = starts[self.first_token]
        at_same_place = np.searchsorted(marked, first, "right") - np.searchsorted(
            marked, first, "left"
        )
        unit_starts = offset(first) + at_same_place * len(CONTROL_TOKEN_GLYPH)
        is_marker = self.control[self.first_token]
        if is_marker.any():
            order = np.arange(int(is_marker.sum())) - np.searchsorted(marked, marked, "left")
            unit_starts[is_marker] = offset(first[is_marker]) + order * len(CONTROL_TOKEN_GLYPH)
        last = char_ends[-1:] if len(char_ends) else np.zeros(1, np.int64)
        trailing = np.searchsorted(marked, last, "right") - np.searchsorted(marked, last, "left")
        end = offset(last) + trailing * len(CONTROL_TOKEN_GLYPH)
        return "".join(pieces), np.concatenate([unit_starts, end])


class TraceLayout:
    """A trace wrapped for one width.

    The last cell of the width is kept for what ends a line: one space, or the newline's glyph.

    Args:
        text: the trace.
        width: cells per line, at least 2.
        measure: width of a string in cells; must be the sum over its characters.
    """

    def __init__(self, text: TraceText, width: int, measure: Measure) -> None:
        self.text = text
        self.width = max(width, 2)
        self._measure = measure
        self.starts = _wrap(text.display, self.width - 1, measure)

    def __len__(self) -> int:
        return len(self.starts)

    def bounds(self, line: int) -> tuple[int, int]:
        """Display offsets [start, end) of a line; a newline belongs to the line it ends."""
        last = line + 1 >= len(self.starts)
        return self.starts[line], len(self.text.display) if last else self.starts[line + 1]

    def spans(self, line: int) -> list[Span]:
        """A line as runs of one unit each, ready to be drawn."""
        start, end = self.bounds(line)
        display, edges, n_units = self.text.display, self.text.starts, self.text.n_units
        wrapped = start < end < len(display) and display[end - 1] == " "
        found: list[Span] = []
        position = start
        while position < end:
            unit = bisect_right(edges, position) - 1
            stop = min(edges[unit + 1], end) if unit < n_units else end
            piece = display[position:stop]
            hangs = wrapped and stop == end and unit < n_units and self._is_word(unit)
            body = piece[:-1] if hangs else piece
            if body:
                owner = unit if unit < n_units else None
                found.append(Span(owner, body.replace("\n", NEWLINE_GLYPH)))
            if hangs:
                found.append(Span(unit, " ", hanging=True))
            position = stop
        return found

    def line_of(self, unit: int) -> int:
        """The line on which a unit's first visible character stands."""
        return self._line_at(self._anchor(unit))

    def column_of(self, unit: int) -> int:
        """The cell at which a unit's first visible character stands in its line."""
        anchor = self._anchor(unit)
        return self._measure(self.text.display[self._line_start(self._line_at(anchor)) : anchor])

    def lines_of(self, unit: int) -> range:
        """Every line that a unit touches."""
        first, end = self.text.starts[unit], self.text.starts[unit + 1]
        return range(self._line_at(first), self._line_at(max(first, end - 1)) + 1)

    def unit_at(self, line: int, column: int) -> int | None:
        """The nearest unit that begins on this line, for moving a cursor; None if none does."""
        start, end = self.bounds(line)
        edges = self.text.starts
        low, high = bisect_left(edges, start), bisect_left(edges, end)
        if end == len(self.text.display):
            high = len(edges)
        candidates = [
            unit
            for unit in range(max(0, low - 1), min(high, self.text.n_units))
            if self.line_of(unit) == line
        ]
        offset = self._offset_at(line, column)
        before = [unit for unit in candidates if self._anchor(unit) <= offset]
        return before[-1] if before else next(iter(candidates), None)

    def unit_covering(self, line: int, column: int) -> int | None:
        """The unit drawn at a cell, for pointing at it; None where no token wrote anything."""
        start, end = self.bounds(line)
        offset = self._offset_at(line, column)
        if not start <= offset < end:
            return None
        unit = bisect_right(self.text.starts, offset) - 1
        return unit if unit < self.text.n_units else None

    def _offset_at(self, line: int, column: int) -> int:
        start, end = self.bounds(line)
        cells = 0
        for offset in range(start, end):
            character = self.text.display[offset]
            cells += 1 if character == "\n" else self._measure(character)
            if cells > column:
                return offset
        return end

    def _is_word(self, unit: int) -> bool:
        return not self.text.display[self.text.starts[unit] : self.text.starts[unit + 1]].isspace()

    def _anchor(self, unit: int) -> int:
        first, end = self.text.starts[unit], self.text.starts[unit + 1]
        piece = self.text.display[first:end]
        skipped = len(piece) - len(piece.lstrip(" "))
        return first + skipped if skipped < len(piece) else first

    def _line_start(self, line: int) -> int:
        return self.starts[line]

    def line_at(self, offset: int) -> int:
        """The line on which a display offset stands."""
        return self._line_at(offset)

    def _line_at(self, offset: int) -> int:
        return max(0, bisect_right(self.starts, offset) - 1)


def char_ends_of(text: str, tokens: Tokens | None) -> Ints:
    """[T] position in `text` after the last character that each token begins or ends in."""
    if tokens is None or not len(tokens):
        return np.zeros(0, np.int64)
    ends = np.maximum.accumulate(tokens.ends.astype(np.int64))
    if text.isascii():
        return np.clip(ends, 0, len(text))
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    begun = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    return np.asarray(begun[np.clip(ends, 0, len(data))], dtype=np.int64)


def _closes_unit(text: str, tokens: Tokens | None, char_ends: Ints) -> NDArray[np.bool_]:
    """[T] whether a unit ends after each token; False inside a character or before a mark."""
    if tokens is None or not len(tokens):
        return np.zeros(0, bool)
    closes = np.ones(len(char_ends), bool)
    if not text.isascii():
        data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        whole = np.concatenate([(data & 0xC0) != 0x80, [True]])
        ends = np.maximum.accumulate(tokens.ends.astype(np.int64))
        closes = whole[np.clip(ends, 0, len(data))]
        for token in np.flatnonzero(closes).tolist():
            place = int(char_ends[token])
            if place < len(text) and text[place] > "\u02ff" and is_mark(text[place]):
                closes[token] = place == 0
    closes[-1] = True
    return closes


def _wrap(display: str, body: int, measure: Measure) -> list[int]:
    """Display offsets at which lines begin; greedy by words, hard where a word is too long."""
    starts: list[int] = []
    narrow = display.isascii() or measure(display.replace("\n", "")) == len(
        display
    ) - display.count("\n")
    position = 0
    while True:
        stop = display.find("\n", position)
        stop = len(display) if stop < 0 else stop
        paragraph_is_narrow = narrow or display[position:stop].isascii()
        wrap = _wrap_narrow if paragraph_is_narrow else _wrap_wide
        starts.append(position)
        starts += wrap(display, position, stop, body, measure)
        position = stop + 1
        if position >= len(display):
            return starts


def _wrap_narrow(display: str, start: int, stop: int, body: int, measure: Measure) -> list[int]:
    """Further line starts of a paragraph in which every character takes one cell."""
    starts = []
    while stop - start > body:
        space = display.rfind(" ", start, start + body + 1)
        if space < 0 or display[start:space].isspace() or space == start:
            start += body
        else:
            start = space + 1
        if start < stop:
            starts.append(start)
    return starts


def _wrap_wide(display: str, start: int, stop: int, body: int, measure: Measure) -> list[int]:
    """As `_wrap_narrow`, for paragraphs with characters of two cells, or of none."""
    starts: list[int] = []
    sizes = {character: measure(character) for character in set(display[start:stop])}
    cells, last_space, position = 0, -1, start
    while position < stop:
        character = display[position]
        size = sizes[character]
        if cells + size > body and size and not (character == " " and cells == body):
            if cells == 0:  # wider than the line: it must go somewhere
                cells, position = size, position + 1
                continue
            start = last_space + 1 if last_space >= start else position
            starts.append(start)
            position, cells, last_space = start, 0, -1
            continue
        if character == " " and not display[start:position].isspace() and position > start:
            last_space = position
        cells += size
        position += 1
    return starts


def line_texts(layout: TraceLayout) -> Sequence[str]:
    """The lines as they are drawn, for printing without colour."""
    return ["".join(span.text for span in layout.spans(line)) for line in range(len(layout))]

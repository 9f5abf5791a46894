"""A trace with its `<think>…</think>` part folded into one line, and which passages repeat.

Invariant: a folded layout has the lines of the whole one but those that lie wholly inside a fold;
each fold leaves one line that says how much is hidden. Unclosed thinking is not folded: nothing
would be left to read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.steps import repeated
from explorer.views.trace import Measure, Span, TraceLayout, TraceText

_THINKING: Final = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_CLOSED_ONLY: Final = re.compile(r"\A(.*?)</think>", re.DOTALL)
"""Where the template wrote the opening tag into the prompt."""


def folds_of(text: TraceText) -> list[tuple[int, int]]:
    """[start, end) of what can be folded, as display offsets."""
    display = text.display
    found = [match.span(1) for match in _THINKING.finditer(display)]
    if not found and (match := _CLOSED_ONLY.search(display)) is not None:
        found = [match.span(1)]
    return [(start, end) for start, end in found if end > start]


def repeated_units(text: TraceText) -> NDArray[np.bool_]:
    """[units] whether a unit lies in a sentence that stood before, word for word."""
    spans = repeated(text.source)
    if not text.n_units or not spans:
        return np.zeros(text.n_units, bool)
    starts = np.array([span.start for span in spans])
    stops = np.array([span.end for span in spans])
    ends = text.char_ends[text.first_token]
    at = np.searchsorted(starts, ends, "left") - 1
    return np.asarray((at >= 0) & (ends <= stops[np.maximum(at, 0)]), bool)


class FoldedLayout(TraceLayout):
    """A layout without the lines inside its folds."""

    def __init__(
        self, text: TraceText, width: int, measure: Measure, folds: list[tuple[int, int]]
    ) -> None:
        super().__init__(text, width, measure)
        self._kept: list[int] = []
        """Line of the whole layout that each line shows; −1 − fold where it stands for one."""
        self._shown: list[int] = []
        """For each line of the whole layout, the line that shows it or stands for it."""
        self._counts = [_tokens_in(text, start, end) for start, end in folds]
        for line in range(len(self.starts)):
            start, end = super().bounds(line)
            inside = [
                number for number, (low, high) in enumerate(folds) if low <= start and end <= high
            ]
            wanted = -1 - inside[0] if inside else line
            if not self._kept or self._kept[-1] != wanted:
                self._kept.append(wanted)
            self._shown.append(len(self._kept) - 1)

    def __len__(self) -> int:
        return len(self._kept)

    def bounds(self, line: int) -> tuple[int, int]:
        real = self._kept[line]
        return super().bounds(real) if real >= 0 else (0, 0)

    def spans(self, line: int) -> list[Span]:
        real = self._kept[line]
        if real >= 0:
            return super().spans(line)
        count = self._counts[-1 - real]
        said = f"⋯ {count:,} tokens of thinking folded" if count else "⋯ thinking folded"
        return [Span(None, said[: self.width])]

    def column_of(self, unit: int) -> int:
        return super().column_of(unit) if self._kept[self.line_of(unit)] >= 0 else 0

    def _line_at(self, offset: int) -> int:
        return self._shown[max(0, bisect_right(self.starts, offset) - 1)]

    def _line_start(self, line: int) -> int:
        return self.starts[max(0, self._kept[line])]


def _tokens_in(text: TraceText, start: int, end: int) -> int:
    edges = text.unit_starts
    return int(((edges[:-1] >= start) & (edges[:-1] < end)).sum()) if text.n_units else 0

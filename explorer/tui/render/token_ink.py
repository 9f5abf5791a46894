"""How a line of a trace is inked: the gutter, each token's colour, the cursor.

Invariant: what is said in colour is said without it too: by a gutter digit, a mark at the edge or
an attribute; equal neighbours are one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from explorer.tui.render.ramp import gutter_mark, token_style
from explorer.tui.theme import Palette, ink
from explorer.views.overlay import NOTABLE_LEVEL, Colouring, Overlay
from explorer.views.trace import Span, TraceText

Run = tuple[str, Style]


@dataclass(frozen=True, slots=True)
class TokenInk:
    """All that the look of a trace's lines depends on.

    Attributes:
        dimmed: [units] said before, word for word; None where nothing is dimmed.
        marked: tokens from which models went on.
    """

    palette: Palette
    text: TraceText
    colouring: Colouring
    dimmed: NDArray[np.bool_] | None
    marked: frozenset[int]

    def runs(
        self, gutter: list[Run], spans: Sequence[Span], cursor: int | None, focused: bool
    ) -> list[Run]:
        """The gutter and the spans of a line; `cursor` is the unit it stands on, if here."""
        runs = list(gutter)
        for span in spans:
            if span.unit is not None and span.unit == cursor and not span.hanging:
                style = self._cursor_style(cursor, focused)
            else:
                style = self._span_style(span)
            if runs and runs[-1][1] == style:
                runs[-1] = (runs[-1][0] + span.text, style)
            else:
                runs.append((span.text, style))
        return runs

    def gutter(self, edge: Run, spans: Sequence[Span], digits: bool, here: bool) -> list[Run]:
        """What stands left of a line; `here` is where the cursor of the focused column is."""
        palette = self.palette
        if self.marked and self._is_marked(spans):
            edge = ("├", ink(palette.accent))
        if here:  # where the cursor is must show without colour too
            edge = ("▸", ink(palette.accent))
        if not digits:
            return [edge]
        levels = [int(self.colouring.levels[span.unit]) for span in spans if span.unit is not None]
        strongest = max(levels, key=abs, default=0)
        if abs(strongest) < NOTABLE_LEVEL:
            return [edge, ("   ", ink(palette.text))]
        tone = palette.text if abs(strongest) >= 3 else palette.faint
        return [edge, (f"{gutter_mark(self.colouring.overlay, strongest)} ", ink(tone))]

    def _is_marked(self, spans: Sequence[Span]) -> bool:
        units = {span.unit for span in spans if span.unit is not None and not span.hanging}
        return any(token in self.marked for unit in units for token in self.text.tokens_of(unit))

    def _span_style(self, span: Span) -> Style:
        palette, text = self.palette, self.text
        if span.hanging:
            return token_style(palette, Overlay.PLAIN, 0)
        if span.unit is None:
            return ink(palette.muted)
        level = int(self.colouring.levels[span.unit])
        faint = level == 0 and (
            span.text in ("↵", "∎") or bool(text.control[text.first_token[span.unit]])
        )
        if level == 0 and self.dimmed is not None and self.dimmed[span.unit]:
            return ink(palette.muted, attributes="italic")  # said before, word for word
        return ink(palette.faint) if faint else token_style(palette, self.colouring.overlay, level)

    def _cursor_style(self, unit: int, focused: bool) -> Style:
        palette = self.palette
        if focused:
            return ink(palette.on_accent, palette.accent, "bold italic")
        style = token_style(palette, self.colouring.overlay, int(self.colouring.levels[unit]))
        return style if style.bgcolor else style + ink(background=palette.cursor)

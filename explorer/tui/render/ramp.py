"""Which style a token of a given level has: colours of the 256-colour cube, and a second channel.

Surprisal, rank and entropy share the palette's heat ramp; a signed overlay has two ramps, towards
the base arm's orange where the base likes the token more, towards blue where the trace's own model
does. Invariants: within a ramp the grey value and the 16-colour fallback of every level differ;
level 0 has no background of its own; levels 2 and 4 (heat) or all negative levels (signed) are
underlined and levels from 3 are bold, so that nothing is lost without colour.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rich.style import Style

from explorer.tui.theme import Palette, ink
from explorer.views.overlay import Overlay

_DARK_INK: Final = "#121212"
_LIGHT_INK: Final = "#ffffff"

# (background, text) of levels 1 to 4
_RISE: Final = {
    True: (
        ("#005f87", _LIGHT_INK),
        ("#0087d7", _DARK_INK),
        ("#5fafff", _DARK_INK),
        ("#afd7ff", _DARK_INK),
    ),
    False: (
        ("#87d7ff", _DARK_INK),
        ("#00afff", _DARK_INK),
        ("#005fd7", _LIGHT_INK),
        ("#00005f", _LIGHT_INK),
    ),
}
_FALL: Final = {
    True: (
        ("#875f00", _LIGHT_INK),
        ("#d7875f", _DARK_INK),
        ("#ffaf00", _DARK_INK),
        ("#ffd7af", _DARK_INK),
    ),
    False: (
        ("#ffd787", _DARK_INK),
        ("#ff8700", _DARK_INK),
        ("#af5f00", _LIGHT_INK),
        ("#5f0000", _LIGHT_INK),
    ),
}


@cache
def token_style(palette: Palette, overlay: Overlay, level: int) -> Style:
    """The style of a token; level 0 has the palette's text colour and no background."""
    if level == 0 or overlay is Overlay.PLAIN:
        return ink(palette.text)
    size = min(abs(level), 4)
    if overlay.signed:
        ramp = (_RISE if level > 0 else _FALL)[palette.dark]
        background, text = ramp[size - 1]
        underlined = level < 0
    else:
        background, text = palette.heat[size], palette.heat_text[size]
        underlined = size in (2, 4)
    attributes = [word for word, on in (("bold", size >= 3), ("underline", underlined)) if on]
    return ink(text, background, " ".join(attributes))


def gutter_mark(overlay: Overlay, level: int) -> str:
    """A line's strongest level as two cells: ` 3`, or `+3` and `−3` in a signed overlay."""
    if level == 0:
        return "  "
    sign = " " if not overlay.signed else "+" if level > 0 else "−"
    return f"{sign}{abs(level)}"

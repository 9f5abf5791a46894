"""Hostile text made safe for a terminal. Everything a screen shows of a model or a file goes here.

Invariant: what comes out holds no control, escape, bidirectional or zero-width character and no
tab; such characters are shown by stand-ins (`␛`, `‹202E›`), and white space is kept or collapsed.
"""

from __future__ import annotations

import re
from typing import Final

from explorer.views.trace_glyphs import visible

TAB_WIDTH: Final = 4
_SPACES: Final = re.compile(r"[ \t\r\n]+")

_LONGEST_LINE: Final = 4000
"""A single line longer than this is cut for display; nobody reads it and wrapping it is slow."""


def one_line(text: str, limit: int = _LONGEST_LINE) -> str:
    """A text on one line: white space collapsed, everything odd made visible."""
    return visible(_SPACES.sub(" ", text[: 4 * limit]), spaces=" ")[:limit].strip()


def lines_of(text: str) -> list[str]:
    """A text as safe lines, line ends and indentation kept."""
    plain = text.replace("\r\n", "\n").expandtabs(TAB_WIDTH)
    return [visible(line, spaces=" ")[:_LONGEST_LINE] for line in plain.split("\n")]


def last_line(text: str, limit: int = 400) -> str:
    """The line that is being written: the last one that is not blank."""
    for line in reversed(text[-4 * limit :].splitlines()):
        if line.strip():
            return one_line(line[-limit:])
    return ""

"""What one character of a trace looks like in a terminal cell grid: itself, or a stand-in.

Model output is hostile. Invariant: a displayed string holds no control, format, bidirectional or
zero-width character except up to three combining marks on a visible base, so that its width is the
sum of its characters' widths in every terminal, and nothing in it can move the cursor.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

NEWLINE_GLYPH: Final = "↵"
"""Shown for a line feed, at the end of the line that it ends."""

CONTROL_TOKEN_GLYPH: Final = "∎"
"""Shown for a token without text, such as the end-of-sequence token."""

TRAILING_SPACE_GLYPH: Final = "·"
"""Shown for white space that ends a line, which would otherwise be invisible."""

MAX_MARKS: Final = 3
"""Combining marks kept on one base character; more would climb into the neighbouring lines."""

_PLAIN = re.compile(
    r"[^\n -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u037b-\u037f\u0391-\u03a1\u03a3-\u0482"
    r"\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u25ff\u3001-\u3029\u3041-\u3096"
    r"\u30a0-\u30ff\u4e00-\u9fa5\uac00-\ud7a3]"
)
_TRAILING_SPACES = re.compile(r" +(?=\n|\Z)")
_NAMED: Final = {"\t": "→   ", "\x7f": "␡"}
_ESCAPED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def replacements(text: str) -> Iterator[tuple[int, str]]:
    """(position, stand-in) of every character that is not shown as itself, in order."""
    if text.isascii() and text.replace("\n", "").isprintable():
        yield from _trailing_spaces(text)
        return
    found = dict(_trailing_spaces(text))
    found.update(_unusual(text))
    yield from sorted(found.items())


def visible(text: str, spaces: str = "␣") -> str:
    """A short text with everything in it made visible: spaces, line feeds, controls."""
    pieces, done = [], 0
    for position, glyph in _unusual(text):
        pieces += [text[done:position], glyph]
        done = position + 1
    pieces.append(text[done:])
    return "".join(pieces).replace(" ", spaces).replace("\n", NEWLINE_GLYPH)


def is_mark(character: str) -> bool:
    """Whether a character is drawn onto the one before it."""
    conjoining = "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"
    return conjoining or unicodedata.category(character) in ("Mn", "Mc", "Me")


def _trailing_spaces(text: str) -> Iterator[tuple[int, str]]:
    for match in _TRAILING_SPACES.finditer(text):
        for position in range(match.start(), match.end()):
            yield position, TRAILING_SPACE_GLYPH


def _unusual(text: str) -> Iterator[tuple[int, str]]:
    marks, previous_end, base_is_visible = 0, 0, False
    for match in _PLAIN.finditer(text):
        position, character = match.start(), match[0]
        if position > previous_end:
            marks, base_is_visible = 0, text[position - 1] not in "\n "
        previous_end = position + 1
        if not is_mark(character):
            glyph = _glyph(character)
            marks, base_is_visible = 0, glyph == character
            if glyph != character:
                yield position, glyph
        elif "\ufe00" <= character <= "\ufe0f" and base_is_visible:
            yield position, ""  # a variation selector chooses a glyph's look and has no own
        elif marks >= MAX_MARKS or "\ufe00" <= character <= "\ufe0f":
            yield position, _code_point(character)
        else:
            marks += 1
            if not base_is_visible:
                base_is_visible = True
                yield position, "◌" + character


@lru_cache(maxsize=4096)
def _glyph(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character < " ":
        return chr(0x2400 + ord(character))  # the control pictures, ␛ for escape
    category = unicodedata.category(character)
    other_space = category == "Zs" and character not in "\u00a0\u3000"
    filler = character in "\u3164\uffa0"  # Hangul letters without a shape
    regional = "\U0001f1e6" <= character <= "\U0001f1ff"  # flags: terminals disagree on width
    skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    if category in _ESCAPED_CATEGORIES or other_space or filler or regional or skin_tone:
        return _code_point(character)
    return character


def _code_point(character: str) -> str:
    return f"‹{ord(character):X}›"

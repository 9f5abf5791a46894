"""On which line of a TOML text each key stands, so that a mistake can be shown where it is.

`tomllib` reads values and forgets places. This scanner reads places and no values; it is only
given text that `tomllib` has already accepted, so it need not detect errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

KeyPath = tuple[str, ...]

_KEY_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY: Final = rf"{_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*"
_HEADER: Final = re.compile(rf"[ \t]*\[\[?[ \t]*({_KEY})[ \t]*\]\]?")
_ASSIGNMENT: Final = re.compile(rf"[ \t]*({_KEY})[ \t]*=")
_PART: Final = re.compile(_KEY_PART)
_VALUE_PIECE: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*|[\[{]|[\]}]|\n|[^\"'\#\[\]{}\n]+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """1-based line of every table header and every key; keys of inline tables are not listed."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for offset, line_number in _statements(text):
        header = _HEADER.match(text, offset)
        if header:
            table = _path(header[1])
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], line_number)
            continue
        assignment = _ASSIGNMENT.match(text, offset)
        if assignment:
            path = (*table, *_path(assignment[1]))
            for length in range(1, len(path) + 1):
                lines.setdefault(path[:length], line_number)
    return lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, or of the nearest table around it (0 = the file as a whole)."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Offset and line of each statement; values that span lines are stepped over."""
    offset, line_number = 0, 1
    while offset < len(text):
        yield offset, line_number
        assignment = _ASSIGNMENT.match(text, offset)
        if assignment and not _HEADER.match(text, offset):
            end = _value_end(text, assignment.end())
        else:
            end = text.find("\n", offset)
        end = len(text) if end < 0 else end + 1
        line_number += text.count("\n", offset, end)
        offset = end


def _value_end(text: str, offset: int) -> int:
    """Offset of the newline that ends a value, -1 at the end of the text."""
    depth = 0
    for piece in _VALUE_PIECE.finditer(text, offset):
        if piece[0] in ("[", "{"):
            depth += 1
        elif piece[0] in ("]", "}"):
            depth -= 1
        elif piece[0] == "\n" and depth <= 0:
            return piece.start()
    return -1


def _path(key: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(key))

"""Rows of a JSON file that is one array of rows, or one object of rows by their ids.

Invariant: rows are decoded one by one, so that damage costs the rows after it and not those
before; a file with one JSON value after the other is left to the reader of JSON lines.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from explorer.datasets.row import Row
from explorer.errors import DataError
from explorer.json_lines import RowFault

LARGEST: Final = 1 << 30
"""Bytes of text; a JSON file is read as a whole, so a larger one must be JSON lines or Parquet."""

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def read_text(path: Path) -> str:
    """The text of a .json or .json.gz file.

    Raises:
        DataError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise DataError(
                f"{path.name} is too large", f"{path} has more than {LARGEST >> 20} MiB of JSON."
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8", f"{path}: byte {error.start + 1}.") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path.name} cannot be read", f"{path}: {reason}.", "Check the path."
        ) from error


def is_lines(text: str) -> bool:
    """Whether this is one object after the other instead of one value."""
    start = _BLANK.match(text).end()  # type: ignore[union-attr]  # matches the empty text too
    if not text.startswith("{", start):
        return False
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    return text.startswith("{", _BLANK.match(text, end).end())  # type: ignore[union-attr]


def rows(path: Path, text: str, first: int = 0) -> Iterator[Row | RowFault]:
    """The rows of an array, or of an object whose keys are ids; `first` is the first's index."""
    return _Rows(path, text, first).read()


class _Rows:
    """A position in the text that moves from row to row."""

    def __init__(self, path: Path, text: str, index: int) -> None:
        self.path = path
        self.text = text
        self.index = index
        self.place = 0
        self.line = 1
        self.counted = 0

    def read(self) -> Iterator[Row | RowFault]:
        self._skip_blank()
        opening = self.text[self.place : self.place + 1]
        if opening not in ("[", "{"):
            yield self._fault("neither a JSON array nor an object of rows")
            return
        closing = "]" if opening == "[" else "}"
        self.place += 1
        while True:
            self._skip_blank()
            if self.text.startswith(closing, self.place):
                return
            try:
                key = self._key() if opening == "{" else ""
                line = self._line()
                value = self._value()
            except (ValueError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else error
                yield self._fault(f"not JSON from here on, the rest is left out ({reason})")
                return
            yield self._row(value, key, line)
            self.index += 1
            self._skip_blank()
            if self.text.startswith(",", self.place):
                self.place += 1
            elif not self.text.startswith(closing, self.place):
                yield self._fault("not JSON from here on, the rest is left out (no comma)")
                return

    def _row(self, value: Any, key: str, line: int) -> Row | RowFault:
        if not isinstance(value, dict):
            return RowFault(self.path, line, "not a JSON object")
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            return RowFault(self.path, line, "half of a surrogate pair, which is not text")
        except ValueError as error:
            return RowFault(self.path, line, f"not usable JSON: {error}")
        return Row(value, self.path, line, self.index, key)

    def _key(self) -> str:
        key = self._value()
        self._skip_blank()
        if not isinstance(key, str) or not self.text.startswith(":", self.place):
            raise ValueError("no key")
        self.place += 1
        self._skip_blank()
        return key

    def _value(self) -> Any:
        value, self.place = _DECODER.raw_decode(self.text, self.place)
        return value

    def _skip_blank(self) -> None:
        self.place = _BLANK.match(self.text, self.place).end()  # type: ignore[union-attr]

    def _line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.place)
        self.counted = self.place
        return self.line

    def _fault(self, reason: str) -> RowFault:
        return RowFault(self.path, self._line(), reason)

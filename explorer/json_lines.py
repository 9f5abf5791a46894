"""Reading JSON lines that others wrote: bad lines are reported and do not stop the good ones.

Invariant: every row that is yielded is a JSON object of valid Unicode; memory stays bounded by
one line however large the file, compressed or not.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import msgspec

from explorer.errors import DataError

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes; a longer line is not one of ours, and a bomb must not fill the memory."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a line was left out; `line` counts from 1, 0 means the file as a whole."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.reason}"


class LineReader:
    """The rows of a .jsonl or .jsonl.gz file, in order.

    A lenient reader takes what other programs write beside the standard: NaN and infinities, and
    halves of surrogate pairs, which become U+FFFD.

    Attributes:
        line: number of the line that was read last.
        text_read: bytes of text so far, uncompressed.
    """

    def __init__(self, path: Path, lenient: bool = False) -> None:
        """Open the file.

        Raises:
            DataError: it is not there or may not be read.
        """
        self.path = path
        self.lenient = lenient
        self.line = 0
        self.text_read = 0
        try:
            self._raw = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise DataError(
                f"{path.name} cannot be read", f"{path}: {error.strerror}.", "Check the path."
            ) from error
        packed = self._raw.peek(2)[:2] == b"\x1f\x8b"
        self._file: IO[bytes] = (
            io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=self._raw)), 1 << 18)
            if packed
            else self._raw
        )

    def __enter__(self) -> LineReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    def bytes_read(self) -> int:
        """How far into the file, of `size`."""
        return self._raw.tell()

    def rows(self) -> Iterator[Json | RowFault]:
        """Each non-empty line as an object, or what is wrong with it."""
        while True:
            try:
                line = self._file.readline(LONGEST_LINE + 1)
            except (OSError, EOFError, zlib.error) as error:
                yield self.fault(f"the file ends here, damaged or cut off ({error})")
                return
            if not line:
                return
            self.line += 1
            self.text_read += len(line)
            if len(line) > LONGEST_LINE:
                yield self.fault(f"a line longer than {LONGEST_LINE >> 20} MiB")
                if not line.endswith(b"\n") and not self._skip_line():
                    return
                continue
            if not line.isspace():
                yield self._row(line)

    def fault(self, reason: str, line: int | None = None) -> RowFault:
        return RowFault(self.path, self.line if line is None else line, reason)

    def _skip_line(self) -> bool:
        """Leave out the rest of a line; False if the file breaks in it."""
        try:
            while (rest := self._file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                self.text_read += len(rest)
        except (OSError, EOFError, zlib.error):
            return False
        return True

    def _row(self, line: bytes) -> Json | RowFault:
        """A line parsed by the fast parser; what it refuses, the thorough way says why."""
        try:
            row = _FAST.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._row_with_care(line)
        return row if isinstance(row, dict) else self.fault("not a JSON object")

    def _row_with_care(self, line: bytes) -> Json | RowFault:
        try:
            text = line.decode()
            if self.line == 1:
                text = text.removeprefix("\ufeff")
            row = (_LENIENT if self.lenient else _DECODER).decode(text)
            if _SURROGATE.search(line):  # half a surrogate pair is legal JSON but no text
                if self.lenient:
                    row = mended(row)
                else:
                    json.dumps(row, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            cut = " (the line is cut off?)" if not line.endswith(b"\n") else ""
            return self.fault(f"not JSON: {error.msg} at column {error.colno}{cut}")
        except UnicodeDecodeError as error:
            return self.fault(f"not UTF-8: byte {error.start + 1} of the line")
        except UnicodeEncodeError:
            return self.fault("half of a surrogate pair, which is not text")
        except (ValueError, RecursionError) as error:
            return self.fault(f"not usable JSON: {error}")
        return row if isinstance(row, dict) else self.fault("not a JSON object")


class _Unpacked(io.RawIOBase):
    """Hands on what is unpacked at once, so that the good part of a damaged file is not lost."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._packed.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def mended(value: Any) -> Any:
    """JSON with U+FFFD where half a surrogate pair stood."""
    text = json.dumps(value, ensure_ascii=False)
    whole = _HALF.sub("\ufffd", text)
    return value if whole == text else json.loads(whole)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_FAST: Final = msgspec.json.Decoder()
_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_LENIENT: Final = json.JSONDecoder(strict=False)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF: Final = re.compile("[\ud800-\udfff]")

"""Rows of JSON lines, JSON documents and parquet files, streamed, with what is wrong said per row.

Invariant: memory stays bounded by one row (one row group of a parquet file), a damaged row costs
that row, and a file that is cut off gives every row before the cut.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from explorer.errors import DataError, MissingExtraError
from explorer.json_lines import Json, LineReader, RowFault, mended

CHUNK: Final = 1 << 20
LARGEST_VALUE: Final = 256 << 20
"""Characters of one value of a JSON document; more is not a row of a rollout file."""

_SPACE: Final = " \t\n\r"


@dataclass(slots=True)
class Progress:
    """Bytes read so far of `total`; readers keep it current."""

    total: int = 0
    done: int = 0


def json_rows(path: Path, progress: Progress) -> Iterator[tuple[int, Json | RowFault]]:
    """Number and content of each line of a .jsonl or .jsonl.gz file."""
    with LineReader(path, lenient=True) as reader:
        progress.total = reader.size
        for row in reader.rows():
            progress.done = reader.bytes_read()
            yield reader.line, row
        progress.done = reader.size


class JsonDocument:
    """A JSON document that is walked from the front, one value in memory at a time.

    Errors are `ValueError` with the place; what was yielded before stays good.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        """Open the file, gzipped or not.

        Raises:
            DataError: it is not there or may not be read.
        """
        self.path = path
        self.progress = progress or Progress()
        try:
            self._raw: IO[bytes] = path.open("rb")
            self.progress.total = path.stat().st_size
        except OSError as error:
            raise unreadable(path, error) from error
        packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=self._raw) if packed else self._raw  # type: ignore[assignment]
        # Broken bytes become U+FFFD: a value around them is still better than none.
        self._file = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        self._text = ""
        self._at = 0
        self._ended = False

    def __enter__(self) -> JsonDocument:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    def peek(self) -> str:
        """The next character that is no white space, '' at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, wanted: str) -> bool:
        """Step over that character if it comes next."""
        if self.peek() != wanted:
            return False
        self._at += 1
        return True

    def value(self) -> Any:
        """The next value, parsed.

        Raises:
            ValueError: there is no whole value, or it is not JSON.
        """
        self.peek()
        self._text, self._at = self._text[self._at :], 0
        want = CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text)
            except json.JSONDecodeError as error:
                if self._more(want):
                    want *= 2
                    continue
                cut = error.pos >= len(self._text) - 1 or error.msg.startswith("Unterminated")
                reason = "the file is cut off here" if cut else "not JSON"
                raise ValueError(f"{reason}: {error.msg}") from error
            except RecursionError as error:
                raise ValueError("not usable JSON: nested too deeply") from error
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return mended(value) if "\\ud" in self._text[:end].lower() else value

    def elements(self) -> Iterator[Any]:
        """The values of the list that comes next."""
        if not self.take("["):
            raise ValueError("a list was expected")
        if self.take("]"):
            return
        while True:
            yield self.value()
            if self.take("]"):
                return
            if not self.take(","):
                raise ValueError("the file is cut off in a list" if not self.peek() else "not JSON")

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; take each value before the next key."""
        if not self.take("{"):
            raise ValueError("an object was expected")
        if self.take("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str) or not self.take(":"):
                raise ValueError("not JSON: a key was expected")
            yield key
            if self.take("}"):
                return
            if not self.take(","):
                raise ValueError(
                    "the file is cut off in an object" if not self.peek() else "not JSON"
                )

    def _more(self, amount: int = CHUNK) -> bool:
        if self._ended:
            return False
        if len(self._text) - self._at > LARGEST_VALUE:
            raise ValueError(f"a value longer than {LARGEST_VALUE >> 20} MiB")
        try:
            text = self._file.read(amount)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"the file is damaged or cut off here ({error})") from error
        self.progress.done = self._raw.tell()
        self._text += text
        self._ended = not text
        return bool(text)


def json_elements(path: Path, progress: Progress) -> Iterator[tuple[int, Any]]:
    """Number (from 1) and content of each value of a JSON list; a fault where it breaks."""
    number = 0
    with JsonDocument(path, progress) as document:
        try:
            for value in document.elements():
                number += 1
                yield number, value
        except ValueError as error:
            yield number + 1, RowFault(path, number + 1, str(error))


def parquet_rows(path: Path, progress: Progress) -> Iterator[tuple[int, Json | RowFault]]:
    """Number (from 1) and content of each row; nested columns become dicts and lists."""
    file = open_parquet(path)
    progress.total = path.stat().st_size
    number = 0
    groups = file.metadata.num_row_groups
    for group in range(groups):
        try:
            rows = file.read_row_group(group).to_pylist()
        except (OSError, ValueError) as error:
            length = file.metadata.row_group(group).num_rows
            yield number + 1, RowFault(path, number + 1, f"{length} rows are damaged ({error})")
            number += length
            continue
        for row in rows:
            number += 1
            yield number, row
        progress.done = progress.total * (group + 1) // groups


def open_parquet(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: the file is not parquet, or not whole.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Reading parquet files", "data") from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except (pyarrow.ArrowException, ValueError) as error:
        raise DataError(
            f"{path.name} is not a whole parquet file",
            f"{path}: {str(error).partition(chr(10))[0]}",
            "A file that is still being written has no end yet; import it when it is done.",
        ) from error


def unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path.name} cannot be read", f"{path}: {error.strerror or error}.", "Check the path."
    )


def read_json(path: Path) -> Any:
    """A small JSON file that lies beside others; None if it is absent or no JSON."""
    try:
        if path.stat().st_size > LARGEST_VALUE:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


_DECODER: Final = json.JSONDecoder(strict=False)

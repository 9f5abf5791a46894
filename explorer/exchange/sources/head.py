"""The beginning of a file, looked at once so that every source can say whether it is its own.

Invariant: recognising reads at most the first rows of a file, never all of it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from explorer.errors import DataError
from explorer.exchange.sources.reading import JsonDocument, open_parquet, unreadable
from explorer.json_lines import LineReader, RowFault

FIRST_ROWS: Final = 20
"""Rows looked at for one that can be read."""

FIRST_MEMBERS: Final = 40

_PICKLES: Final = frozenset({".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy"})

_GENERIC: Final = re.compile(
    r"math_eval|eval_results?|evals?|evaluations?|outputs?|results?|samples?|rollouts?|"
    r"completions?|details|data|logs?|train|test|val|validation|dumped_evals|episodes|recorded|"
    r"evalplus_results|step_\d+|[0-9a-f]{8}|rollout_data(_dir)?|validation_data(_dir)?|tmp|",
    re.IGNORECASE,
)
"""Folder names that name no model."""


@dataclass(frozen=True)
class Head:
    """A file and its first row, parsed.

    Attributes:
        kind: 'lines', 'list', 'object', 'parquet', 'zip', 'pickle' or 'unknown'.
    """

    path: Path

    @cached_property
    def name(self) -> str:
        """The file's name without `.gz`."""
        return self.path.name.removesuffix(".gz")

    @cached_property
    def kind(self) -> str:
        first = self._first_bytes
        if first[:4] == b"PAR1":
            return "parquet"
        if first[:2] == b"PK" and self.path.suffix not in _PICKLES:
            return "zip"
        if self.path.suffix in _PICKLES or first[:1] == b"\x80" or first[:2] == b"PK":
            return "pickle"
        text = self._document_start
        if text == "[":
            return "list"
        if text == "{":
            return "lines" if self._has_rows else "object"
        return "lines" if self.name.endswith(".jsonl") else "unknown"

    @cached_property
    def row(self) -> Mapping[str, Any]:
        """The first row that can be read (of lines, a list or a table), {} if there is none."""
        if self.kind == "lines":
            return self._first_line
        if self.kind == "parquet":
            return dict.fromkeys(open_parquet(self.path).schema_arrow.names)
        value = self.element
        return value if isinstance(value, dict) else {}

    @cached_property
    def element(self) -> Any:
        """The first value of a list."""
        if self.kind != "list":
            return None
        try:
            with JsonDocument(self.path) as document:
                return next(document.elements(), None)
        except ValueError:
            return None

    @cached_property
    def members(self) -> Mapping[str, Any]:
        """The members of an object up to its first list or large object; their keys at least."""
        found: dict[str, Any] = {}
        if self.kind != "object":
            return found
        try:
            with JsonDocument(self.path) as document:
                for key in document.members():
                    found[key] = None
                    if document.peek() == "[" or (key == "eval" and "date" in found):
                        break
                    found[key] = document.value()
                    if len(found) == FIRST_MEMBERS:
                        break
        except ValueError:
            pass
        return found

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Names of a zip's members.

        Raises:
            DataError: the zip is not whole.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(
                f"{self.path.name} is not a whole zip file",
                f"{self.path}: {error}.",
                "A file that is still being written has no directory yet; import it when done.",
            ) from error

    def has(self, *columns: str) -> bool:
        """Whether the first row has all these columns."""
        return all(column in self.row for column in columns)

    @cached_property
    def model(self) -> str:
        """A model's name from the folders above, '' if none of them names one."""
        return model_above(self.path)

    @cached_property
    def _first_bytes(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(64)
        except OSError as error:
            raise unreadable(self.path, error) from error

    @cached_property
    def _document_start(self) -> str:
        try:
            with JsonDocument(self.path) as document:
                return document.peek()
        except ValueError:
            return ""

    @cached_property
    def _first_line(self) -> Mapping[str, Any]:
        with LineReader(self.path, lenient=True) as reader:
            for number, row in enumerate(reader.rows()):
                if not isinstance(row, RowFault):
                    return row
                if number == FIRST_ROWS:
                    break
        return {}

    @cached_property
    def _has_rows(self) -> bool:
        if self.name.endswith((".jsonl", ".ndjson")):
            return True
        if not self._first_line:
            return False
        with LineReader(self.path, lenient=True) as reader:
            rows = reader.rows()
            next(rows, None)
            return next(rows, None) is not None


def model_above(path: Path, levels: int = 4) -> str:
    """A model's name from the nearest folder that can name one; `__` and `--` stand for `/`."""
    for folder in list(path.resolve().parents)[:levels]:
        if not _GENERIC.fullmatch(folder.name):
            return unsanitised(folder.name)
    return ""


def unsanitised(name: str) -> str:
    """A hub name as it was before `/` was written as `__` or `--`."""
    for mark in ("__", "--"):
        owner, found, rest = name.partition(mark)
        if found and owner and rest:
            return f"{owner}/{rest}"
    return name

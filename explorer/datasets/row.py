"""One row of a dataset file and where it stands; its getters say what is wrong with a value.

Invariant: a getter either returns what was asked for or raises a `ValueError` whose text names
the column, so that the row is left out with that reason.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.json_lines import Json


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the file has it.

    Attributes:
        path, line: the file, and the line (of a Parquet file: the row) that it stands in, from 1.
        index: how many rows the dataset has before it, good or bad; 0 is the first.
        key: its key where the file is one JSON object of rows, else ''.
    """

    values: Json
    path: Path
    line: int
    index: int
    key: str = ""

    def has(self, column: str) -> bool:
        """Whether the column is there and not null."""
        return self.values.get(column) is not None

    def first(self, *columns: str) -> str:
        """The first of these columns that is there.

        Raises:
            ValueError: none is.
        """
        for column in columns:
            if self.has(column):
                return column
        raise ValueError(f"no {' or '.join(map(repr, columns))}")

    def text(self, column: str) -> str:
        """A column as text, '' if it is not there; numbers are written as JSON writes them."""
        value = self.values.get(column)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"'{column}' is neither text nor a number")
        return str(value)

    def needed(self, *columns: str) -> str:
        """The first of these columns that is there, as text that is not blank."""
        column = self.first(*columns)
        value = self.text(column)
        if not value.strip():
            raise ValueError(f"'{column}' is empty")
        return value

    def items(self, column: str) -> list[Any]:
        """A column that is a list, empty if it is not there."""
        value = self.values.get(column)
        if value is None:
            return []
        if not isinstance(value, list):
            raise ValueError(f"'{column}' is not a list")
        return value

    def texts(self, column: str) -> tuple[str, ...]:
        """A column that is a list of texts (or numbers, written as text)."""
        value = self.items(column)
        if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in value):
            raise ValueError(f"'{column}' is not a list of texts")
        return tuple(str(item) for item in value)

    def table(self, column: str) -> dict[str, Any]:
        """A column that is an object, empty if it is not there."""
        value = self.values.get(column)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ValueError(f"'{column}' is not an object")
        return value

    def rest(self, used: Collection[str]) -> dict[str, Any]:
        """The columns that are there and not in `used`, and the row's number as `idx`.

        Harnesses name a problem by `idx`, its place in the file; a column of that name wins.
        """
        kept = {name: value for name, value in self.values.items() if value is not None}
        return {"idx": self.index} | {k: v for k, v in kept.items() if k not in used}

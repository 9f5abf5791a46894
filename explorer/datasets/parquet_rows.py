"""Rows of a Parquet file, one row group at a time; needs the extra `data`.

Invariant: memory holds a batch of one row group, however large the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from explorer.datasets.row import Row
from explorer.errors import DataError, MissingExtraError
from explorer.json_lines import RowFault

_BATCH: Final = 256


def rows(path: Path, first: int = 0) -> Iterator[Row | RowFault]:
    """Each row as an object; its `line` is its number in the file.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: the file cannot be read at all.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Reading Parquet files", "data") from error
    number = 0
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read", f"{path}: {_first_line(error)}", "Check the file."
        ) from error
    with file:
        try:
            for batch in file.iter_batches(_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(_plain(values), path, number, first + number - 1)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = f"the rest cannot be read, damaged ({_first_line(error)})"
            yield RowFault(path, number + 1, reason)


def _plain(value: Any) -> Any:
    """Dates and the like as text; what JSON has, and bytes of images, stay what they are."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bytes | bool | int | float):
        return value
    return str(value)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]

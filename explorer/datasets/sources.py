"""From settings to rows: which files of a folder or a hub's dataset are meant, and their rows.

Invariant: rows come in the order of the files' names and of their lines, each with its place, and
a row that cannot be decoded is a fault like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from explorer.datasets import hub, json_rows, parquet_rows
from explorer.datasets.choosing import choose
from explorer.datasets.row import Row
from explorer.errors import DataError
from explorer.json_lines import LineReader, RowFault
from explorer.settings import DatasetSettings
from explorer.settings.formats import FORMATS, KINDS, is_data

_MOST_FILES: Final = 10_000


def files(settings: DatasetSettings, patterns: Sequence[str] = ()) -> list[Path]:
    """The files to read, in order; `patterns` are a format's own file names.

    Raises:
        DataError: there is nothing to read, or no telling which file of a folder is meant.
        MissingExtraError: a hub's dataset needs the extra `data`.
    """
    if settings.path is None:
        return hub.download(settings)
    if not settings.path.is_dir():
        return [settings.path]
    found = [
        path
        for path, _ in zip(sorted(settings.path.rglob("*")), range(_MOST_FILES), strict=False)
        if is_data(path) and path.is_file()
    ]
    split = settings.split or FORMATS[settings.format].split
    names = [path.relative_to(settings.path).as_posix() for path in found]
    chosen = choose(names, split, patterns)
    if chosen:
        return [settings.path / name for name in chosen]
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    raise DataError(
        f"Which file of {settings.path.name}/ is meant?" if names else "There is no data file",
        f"{settings.path} has {listed}." if names else f"Looked in {settings.path}.",
        "Give the file's path, or `split` with the beginning of its name.",
    )


def rows(paths: Sequence[Path], lenient: bool = False) -> Iterator[Row | RowFault]:
    """The rows of these files; `lenient` allows NaN and Infinity in JSON lines.

    Raises:
        DataError, MissingExtraError: a file cannot be read at all.
    """
    index = 0
    for path in paths:
        for row in _rows(path, index, lenient):
            yield row
            index += 1


def _rows(path: Path, first: int, lenient: bool) -> Iterator[Row | RowFault]:
    if path.name.endswith(KINDS[2]):
        yield from parquet_rows.rows(path, first)
        return
    if path.name.endswith(KINDS[1]):
        text = json_rows.read_text(path)
        if not json_rows.is_lines(text):
            yield from json_rows.rows(path, text, first)
            return
    with LineReader(path, lenient) as reader:
        for offset, row in enumerate(reader.rows()):
            if isinstance(row, RowFault):
                yield row
            else:
                yield Row(row, path, reader.line, first + offset)

"""Reads a dataset by the format that explorer.toml names.

A format is one small module with `read(DatasetSettings) -> DatasetContents`; to add a benchmark,
write that file and name it in `_FORMATS`. Its module is imported only when a file has its format.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from explorer.datasets.contents import DatasetContents
from explorer.errors import SettingsError
from explorer.settings import DatasetSettings

_FORMATS: Final = {
    "jsonl": "explorer.datasets.jsonl",
}
"""Name in explorer.toml -> module with a `read` function."""


def format_names() -> tuple[str, ...]:
    return tuple(sorted(_FORMATS))


def read(settings: DatasetSettings) -> DatasetContents:
    """Read a dataset's problems, and what is wrong with its file.

    Raises:
        SettingsError: there is no such format.
        DataError: the file is not there or may not be read.
    """
    if settings.format not in _FORMATS:
        raise SettingsError(
            f"Dataset '{settings.name}' has an unknown format '{settings.format}'",
            f"This version reads: {', '.join(format_names())}.",
            "Change `format` of this dataset in explorer.toml.",
        )
    reader: Callable[[DatasetSettings], DatasetContents] = import_module(
        _FORMATS[settings.format]
    ).read
    return reader(settings)

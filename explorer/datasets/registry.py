"""Reads a dataset by the format that explorer.toml names.

A format is one small module with `read(DatasetSettings) -> DatasetContents`; to add a benchmark,
write that file, name it in `_MODULES`, describe it in `settings.formats`, and give its signs to
`recognition`. Its module is imported only when a dataset has its format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Final

from explorer.datasets import sources
from explorer.datasets.contents import DatasetContents
from explorer.datasets.recognition import recognise
from explorer.errors import DataError, SettingsError
from explorer.json_lines import RowFault
from explorer.settings import DatasetSettings
from explorer.settings.formats import AUTO

_MODULES: Final = {
    "jsonl": "jsonl",
    "gsm8k": "gsm8k",
    "math500": "math500",
    "aime24": "aime",
    "aime25": "aime",
    "amc23": "amc23",
    "minerva": "minerva",
    "olympiadbench": "olympiadbench",
    "humaneval": "humaneval",
    "humaneval-plus": "humaneval_plus",
    "mbpp-plus": "mbpp_plus",
    "livecodebench": "livecodebench",
    "leetcode": "leetcode",
    "mathvista": "mathvista",
    "mathvision": "mathvision",
}
"""Name in explorer.toml -> module here with a `read` function."""

_LOOKED_AT: Final = 20
"""Rows that 'auto' tries, as the first may be damaged."""


_TRIED: Final = (
    *("test.*", "testmini.*", "problems.jsonl*"),
    *("HumanEval.jsonl*", "HumanEvalPlus[-_.]*", "MbppPlus*"),
)
"""Names of files that benchmarks' folders have; 'auto' looks into the first of these."""


def format_names() -> tuple[str, ...]:
    """Every format that can be named, 'auto' among them."""
    return (AUTO, *_MODULES)


def read(settings: DatasetSettings) -> DatasetContents:
    """Read a dataset's problems, and what is wrong with its file.

    Raises:
        SettingsError: there is no such format.
        DataError: the file is not there or may not be read, or nothing is recognised in it.
        MissingExtraError: it needs the extra `data`.
    """
    if settings.format == AUTO:
        settings = _recognised(settings)
    if settings.format not in _MODULES:
        raise SettingsError(
            f"Dataset '{settings.name}' has an unknown format '{settings.format}'",
            f"This version reads: {', '.join(format_names())}.",
            "Change `format` of this dataset in explorer.toml.",
        )
    module = f"explorer.datasets.{_MODULES[settings.format]}"
    reader: Callable[[DatasetSettings], DatasetContents] = import_module(module).read
    return reader(settings)


def _recognised(settings: DatasetSettings) -> DatasetSettings:
    """The settings with the format of the first row in which one is recognised."""
    paths = sources.files(settings, _TRIED)
    seen: list[str] = []
    rows = sources.rows(paths[:1], lenient=True)
    for row, _ in zip(rows, range(_LOOKED_AT), strict=False):
        if isinstance(row, RowFault):
            continue
        name = recognise(row.values)
        if name:
            return replace(settings, format=name)
        seen = seen or list(row.values)
    fields = f"Its fields are {', '.join(seen)[:200]}." if seen else "It has no row that is JSON."
    raise DataError(
        f"No format is recognised in {settings.source}", fields, "Name its `format` yourself."
    )

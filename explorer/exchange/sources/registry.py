"""Which rollout files of others can be read, and what a file is.

To add a source: write a module with `NAME`, `recognise` and `read` (`base.Source`) and name it in
`_MODULES`, the more particular formats first. Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from explorer.errors import DataError
from explorer.exchange.sources.base import Companion, Found, Record, Source
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.reading import Progress
from explorer.json_lines import RowFault

_MODULES: Final = (
    "qwen_harness",
    "verifiers_v1",
    "lm_eval",
    "open_instruct",
    "nemo_rl",
    "skyrl",
    "verl",
    "verifiers_v0",
    "gsm8k_solutions",
    "human_eval",
    "evalplus",
    "bigcode",
    "livecodebench",
    "inspect_log",
    "lighteval",
    "trl",
)

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", ".eval")
"""Files of a folder that are looked at; others are passed over."""

NOT_RECOGNISED: Final = "not a file of recorded completions that can be read"

PICKLES: Final = (".pt", ".pth", ".pkl", ".pickle")


def names() -> list[str]:
    """The sources' names."""
    return [_module(name).NAME for name in _MODULES]


def recognise(path: Path) -> Found | Companion | None:
    """What a file is; None if no source knows it.

    Raises:
        DataError: it cannot be read, is not whole, or is a pickle.
    """
    head = Head(path)
    if head.kind == "pickle":
        raise DataError(
            f"{path.name} is a pickle, which is never loaded",
            f"{path}: loading a pickle runs whatever code its author put in (slime's rollout_data,"
            " torch.save).",
            "Write it as JSON lines where you trust it, e.g. with torch.load(…, weights_only=True)"
            " and one json.dumps a sample; `rlvr-explorer export` shows the format to write.",
        )
    for name in _MODULES:
        found = _module(name).recognise(head)
        if found is not None:
            return found
    return None


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    """The records of a recognised file, and what is wrong with its rows."""
    for name in _MODULES:
        module = _module(name)
        if found.source == module.NAME:
            return module.read(found, progress)
    raise AssertionError(found.source)


def unknown(path: Path) -> DataError:
    """The refusal of a file that no source knows."""
    return DataError(
        f"{path.name} is {NOT_RECOGNISED}",
        f"{path}: its first row fits none of: {', '.join(['rlvr-explorer', *names()])}.",
        "`rlvr-explorer export` shows our own format, which any script can write.",
    )


@cache
def _module(name: str) -> Source:
    module: Any = import_module(f"explorer.exchange.sources.{name}")
    return cast("Source", module)

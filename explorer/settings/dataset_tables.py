"""`[datasets.<name>]` -> `DatasetSettings`: a local file or folder, or a dataset of a hub.

Invariant: what leaves here names exactly one source, and paths are absolute.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from explorer.settings import DatasetSettings
from explorer.settings.formats import FORMATS
from explorer.settings.toml_table import Table, TomlFile

DATASET_KEYS: Final = (
    *("path", "format", "verifier", "hub", "config", "split", "images"),
    *("template", "question"),
)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def dataset(
    file: TomlFile,
    name: str,
    root: Path,
    cache: Path,
    verifiers: Collection[str],
    templates: Collection[str] = (),
) -> DatasetSettings:
    """The table `[datasets.<name>]`; mistakes are noted in `file`."""
    table = file.table(("datasets", name), DATASET_KEYS)
    kind = table.text("format", "jsonl", FORMATS)
    known = FORMATS[kind]
    path, hub = table.text("path"), table.text("hub", "" if table.has("path") else known.hub)
    _check_source(table, path, hub)
    default = hub == known.hub
    question = table.text("question")
    if question and "{question}" not in question:
        table.wrong("question", "question has no {question} in it", "put {question} where it goes")
    images = table.text("images")
    return DatasetSettings(
        name=name,
        path=_absolute(root, path) if path else None,
        format=kind,
        verifier=table.text("verifier", "", verifiers),
        hub=hub,
        config=table.text("config", known.config if hub and default else ""),
        split=table.text("split", known.split if hub and default else ""),
        images=_absolute(root, images) if images else None,
        unpacked=cache.parent / "images" / _safe(name),
        template=table.text("template", "", templates),
        question=question,
    )


def _check_source(table: Table, path: str, hub: str) -> None:
    if path and hub:
        table.wrong("hub", "both path and hub are given", "keep one of them")
    elif not path and not hub:
        table.wrong("path", "path is missing", 'add path = "problems.jsonl", or hub = "owner/name"')
    elif hub and not _HUB_NAME.fullmatch(hub):
        table.wrong("hub", f'hub = "{hub}" is not a name', 'write hub = "owner/name"')
    if table.has("config") and not hub:
        table.wrong("config", "config belongs to a hub's dataset", "remove it, or name a hub")


def _absolute(root: Path, text: str) -> Path:
    return (root / Path(text).expanduser()).resolve()


def _safe(name: str) -> str:
    return "".join(ch if ch.isalnum() or ch in "-_." else "_" for ch in name).lstrip(".") or "_"

"""Which files of a folder may hold completions, and what each of them is."""

from __future__ import annotations

from pathlib import Path

from explorer.errors import DataError
from explorer.exchange import native
from explorer.exchange.sources import registry as sources
from explorer.exchange.sources.base import Companion
from explorer.exchange.sources.head import Head


def recognise(path: Path) -> str:
    """What a file is, in words.

    Raises:
        DataError: it cannot be read, or must not be.
    """
    if Head(path).row.get("type") == native.FORMAT:
        return "rlvr-explorer's own format"
    found = sources.recognise(path)
    if found is None:
        return "not recognised"
    if isinstance(found, Companion):
        return f"belongs to {found.of}"
    said = ": ".join(part for part in (found.title, found.detail) if part)
    return f"{said} · model {found.model or 'in the rows'}"


def files_in(path: Path) -> list[Path]:
    """The file, or the files of a folder and those below that may hold completions, by name.

    Raises:
        DataError: the folder has none.
    """
    if not path.is_dir():
        return [path]
    found = [
        one
        for one in sorted(path.rglob("*"))
        if one.name.endswith((*sources.SUFFIXES, *sources.PICKLES))
        and one.is_file()
        and not any(part.startswith(".") for part in one.relative_to(path).parts)
    ]
    if not found:
        raise DataError(
            f"{path.name or path} holds no file of recorded completions",
            f"{path} and the folders below it have none that ends in"
            f" {', '.join(sources.SUFFIXES)}.",
            "Name another folder, or a file.",
        )
    return found

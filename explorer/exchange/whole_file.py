"""A file that is there whole or not at all: written beside its place, then put into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from explorer.errors import DataError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives the path to write to; what is there when the block ends takes the file's place.

    Raises:
        DataError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be written",
            f"{path}: {error.strerror or error}.",
            "Check the folder and the free space; nothing was left behind.",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()

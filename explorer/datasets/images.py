"""Images that lie inside a data file: written out once, so that a problem can name a path.

Invariant: a file is called by the digest of its bytes, so nothing in a dataset chooses a path,
and an image that is already there is not written again.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from explorer.datasets.reading import local_image
from explorer.datasets.row import Row
from explorer.errors import DataError
from explorer.settings import DatasetSettings

_SUFFIXES: Final = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
    (b"BM", ".bmp"),
)


def unpack(settings: DatasetSettings, row: Row, value: Any) -> str:
    """The absolute path of an image: a path in the dataset's folder, or `{bytes, path}`.

    Raises:
        ValueError: the value is no image.
        DataError: an image cannot be written.
    """
    if isinstance(value, str):
        return local_image(settings, row, value)
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes) and data:
        return _write(settings, data)
    path = value.get("path") if isinstance(value, dict) else None
    if isinstance(path, str) and path:
        return local_image(settings, row, path)
    raise ValueError("an image is neither a path nor bytes")


def _write(settings: DatasetSettings, data: bytes) -> str:
    folder = settings.unpacked
    if folder is None:
        raise ValueError("there is no folder for images that lie inside the file")
    suffix = next((suffix for head, suffix in _SUFFIXES if data.startswith(head)), ".bin")
    path = folder.resolve() / f"{blake2b(data, digest_size=12).hexdigest()}{suffix}"
    if path.is_file():
        return str(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except OSError as error:
        raise DataError(
            "An image of the dataset cannot be written", f"{path}: {error.strerror}."
        ) from error
    return str(path)

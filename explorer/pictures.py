"""Opens image files that somebody else made: the one door through which images come in.

Invariant: only the named raster formats are decoded, by the decoder of what the file really is,
and never more than `MOST_PIXELS`; everything else is a `PictureError` that says why. Vector
formats, documents and what a plug-in would hand to another program are refused unread.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from explorer.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP")

MOST_BYTES: Final = 64 * 2**20
"""Bytes of a file; no benchmark's image comes near."""

MOST_PIXELS: Final = 64 * 2**20
"""Pixels of an image: 192 MiB once decoded. A small file can claim far more."""

_HEADS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")
"""How the files of most formats begin."""

DIGEST_PREFIX: Final = "i1:"


class PictureError(DataError):
    """An image file is missing, broken, too big, or of a format that is not read."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of an image without decoding it."""

    width: int
    height: int
    format: str
    bytes: int


def read_picture(path: str) -> bytes:
    """The file's bytes.

    Raises:
        PictureError: it is not a file, cannot be read, is empty or too big.
    """
    file = Path(path)
    try:
        if not file.is_file():  # a device or a pipe would never end
            raise _error("There is no such image", path, "The file is missing.")
        if file.stat().st_size > MOST_BYTES:
            raise _error("The image is too big", path, f"More than {MOST_BYTES >> 20} MiB.")
        data = file.read_bytes()
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise _error("The image cannot be read", path, reason) from failure
    if not data:
        raise _error("The image is empty", path, "The file has no bytes.")
    return data


def picture_digest(data: bytes) -> str:
    """Identity of an image: BLAKE2b-160 of its file's bytes."""
    return DIGEST_PREFIX + blake2b(data, digest_size=20).hexdigest()


def inspect_picture(path: str) -> PictureFacts:
    """Size and format, from the file's head.

    Raises:
        PictureError: as `read_picture`, or it is no image of a known format.
    """
    data = read_picture(path)
    image = _opened(data, path)
    return PictureFacts(image.width, image.height, str(image.format), len(data))


def decode_picture(path: str, data: bytes | None = None) -> Image:
    """The image in RGB, turned upright, transparent parts on white, of a moving one the first.

    Args:
        data: the file's bytes where they have been read already.

    Raises:
        PictureError: as `inspect_picture`, or its data are broken.
    """
    from PIL import Image, ImageOps

    image = _opened(read_picture(path) if data is None else data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                layer = upright.convert("RGBA")
                whole = Image.new("RGBA", layer.size, "white")
                whole.alpha_composite(layer)
                return whole.convert("RGB")
            return upright.convert("RGB")
    except Exception as failure:  # decoders raise whatever their format's code raises
        raise _error("The image is broken", path, _said(failure)) from failure


def picture_fault(path: str) -> str:
    """What is plainly wrong with an image file, from a look at its head; '' if nothing is.

    Cheap enough for every row of a list; only decoding finds all that can be wrong.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return _fault(path, status.st_mtime_ns, status.st_size, stat.S_ISREG(status.st_mode))


@lru_cache(maxsize=20_000)
def _fault(path: str, modified: int, size: int, regular: bool) -> str:
    """The fault of one version of a file; the time is there so that another is looked at anew."""
    if not regular:
        return "missing"
    if size > MOST_BYTES:
        return "too big"
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return "unreadable"
    known = head.startswith(_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    return "" if known else "no image"


def _opened(data: bytes, path: str) -> Image:
    """The image with its head read; the pixels are not decoded yet."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked here, more strictly
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as failure:
        raise _error(
            "The image has no known format", path, f"Read are {', '.join(FORMATS)}."
        ) from failure
    except Image.DecompressionBombError as failure:
        raise _error("The image is too big", path, _said(failure)) from failure
    except Exception as failure:
        raise _error("The image is broken", path, _said(failure)) from failure
    if image.width * image.height > MOST_PIXELS or min(image.size) < 1:
        raise _error(
            "The image is too big",
            path,
            f"{image.width} × {image.height} pixels; read are at most {MOST_PIXELS >> 20} million.",
        )
    return image


def _said(failure: Exception) -> str:
    return f"{type(failure).__name__}: {' '.join(str(failure).split())}"[:200]


def _error(title: str, path: str, detail: str) -> PictureError:
    return PictureError(title, f"{path}: {detail}", "Put the file where the problem says it is.")

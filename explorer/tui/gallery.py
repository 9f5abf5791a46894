"""Keeps images decoded and drawn, so that looking at one again costs nothing.

Decoding and drawing happen on worker threads, never while the screen waits. Invariant: a drawing
that is kept belongs to the file as it is now (its time and size are part of the key), and no two
kept drawings share one of Kitty's image ids.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from explorer.tui.terminal import Graphics, Method

if TYPE_CHECKING:
    from PIL.Image import Image

    from explorer.tui.render.pictures import Drawing

THUMBNAIL: Final = 1600
"""Longest side in pixels of what is kept of an image: more than any terminal shows."""

IMAGES_KEPT: Final = 12
DRAWINGS_KEPT: Final = 32

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as a screen shows it.

    Attributes:
        width, height, format: of the file.
        drawing: None where only the path is shown.
    """

    width: int
    height: int
    format: str
    drawing: Drawing | None

    @property
    def facts(self) -> str:
        return f"{self.width} × {self.height} {self.format}"


class Gallery:
    """Decodes and draws for one terminal; any thread may ask."""

    def __init__(self, graphics: Graphics) -> None:
        self.graphics = graphics
        self._images: Recent[tuple[str, int, int], _Decoded] = Recent(IMAGES_KEPT)
        self._drawings: Recent[tuple[object, ...], Drawing] = Recent(DRAWINGS_KEPT)
        self._numbers = cycle(range(16, 256))
        self._held: dict[int, Drawing] = {}  # what the terminal holds, by Kitty's image id
        self._lock = threading.Lock()

    def show(self, path: str, columns: int, rows: int) -> Shown:
        """The image of a file, drawn into at most these cells.

        Raises:
            PictureError: it is missing, broken, too big or of an unknown format.
        """
        key = _version(path)
        image = self._images.get(key)
        if image is None:
            image = _decode(path)
            self._images.put(key, image)
        drawing = None
        if self.graphics.method is not Method.PATH:
            drawing = self._drawing(key, image, columns, rows)
        return Shown(image.width, image.height, image.format, drawing)

    def _drawing(
        self, key: tuple[str, int, int], image: _Decoded, columns: int, rows: int
    ) -> Drawing:
        from explorer.tui.render.pictures import draw, fit

        box = fit((image.width, image.height), columns, rows, self.graphics)
        drawing = self._drawings.get((key, box))
        if drawing is None:
            with self._lock:
                number = next(self._numbers)
            drawing = draw(image.thumbnail, *box, self.graphics, number)
            self._drawings.put((key, box), drawing)
        return drawing

    def introduce(self, drawing: Drawing) -> str:
        """What the terminal must be sent before it can show a drawing; '' if it has it."""
        if not drawing.setup or self._held.get(drawing.number) is drawing:
            return ""
        self._held[drawing.number] = drawing
        return drawing.setup

    def farewell(self) -> str:
        """What makes the terminal forget all that was sent to it."""
        return "".join(drawing.teardown for drawing in self._held.values())


@dataclass(frozen=True, slots=True)
class _Decoded:
    width: int
    height: int
    format: str
    thumbnail: Image


def _decode(path: str) -> _Decoded:
    from explorer.pictures import decode_picture, inspect_picture

    facts = inspect_picture(path)
    image = decode_picture(path)
    width, height = image.size  # upright, which the file's head need not be
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return _Decoded(width, height, facts.format, image)


def _version(path: str) -> tuple[str, int, int]:
    """What changes when the file does; a missing file is a version too."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path, 0, -1
    return path, status.st_mtime_ns, status.st_size


class Recent(Generic[Key, Value]):
    """The values used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Key, value: Value) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

"""Problems with images for tests of the screen: real files drawn here, and what goes wrong."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

from explorer.core.problem import Problem
from explorer.store import catalog
from explorer.store.connection import open_writer
from tests import fake_cache

SET = "pictures"


def draw_figure(path: Path, size: tuple[int, int] = (300, 200)) -> str:
    """A white sheet with a red disc, a blue bar and a black frame: flat colours, sharp edges."""
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    width, height = size
    pen.rectangle((0, 0, width - 1, height - 1), outline="black", width=4)
    pen.ellipse((width // 8, height // 4, width // 8 + height // 2, 3 * height // 4), fill="red")
    pen.rectangle((width // 2, height // 3, 7 * width // 8, 2 * height // 3), fill="blue")
    image.save(path)
    return str(path)


def write_bomb(path: Path, side: int = 60_000) -> str:
    """A PNG of a few bytes that claims a gigabyte of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    return str(path)


def truncate(path: Path) -> str:
    """Cut a file off in the middle."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return str(path)


def make_cache(folder: Path) -> Path:
    """A small cache with a dataset of images; the files lie beside it."""
    folder.mkdir(exist_ok=True)
    one, two = draw_figure(folder / "one.png"), draw_figure(folder / "two.png", (120, 240))
    half = Path(draw_figure(folder / "half.png", (400, 400)))
    problems = [
        _problem("one", one),
        _problem("several", one, two, one, two, two),
        _problem("missing", str(folder / "nowhere.png")),
        _problem("broken", truncate(half), one),
        _problem("bomb", write_bomb(folder / "bomb.png")),
        _problem("none"),
    ]
    path = folder / "explorer.sqlite"
    db = fake_cache.build(path, problems=3, n=4, scored=0)
    catalog.put_problems(db, problems)
    db.close()
    open_writer(path).close()
    return path


def _problem(name: str, *images: str) -> Problem:
    return Problem(SET, name, f"What does the {name} picture show?", "7", images=images)

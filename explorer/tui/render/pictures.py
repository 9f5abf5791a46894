"""Draws an image as rows of terminal cells, in each way that terminals have.

A drawing is one strip per row, and every strip stands for itself: a row can be scrolled, cropped
or drawn again without the others. So Sixel and iTerm images are cut into rows of one cell's
height, and Kitty's are placed by its placeholder characters. Invariant: what is drawn covers
exactly `columns × rows` cells and leaves the cursor behind it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import ControlType, Segment
from rich.style import Style

from explorer.tui.terminal import Graphics, Method

if TYPE_CHECKING:
    from PIL.Image import Image

HALF_COLOURS: Final = 64
"""Colours of a drawing in half blocks; few, so that its rows are short to send."""

SIXEL_COLOURS: Final = 128

CHUNK: Final = 4096
"""Bytes of base64 per message of Kitty's protocol."""

KITTY_IDS: Final = range(16, 256)
"""Image ids that a palette colour can name: 24-bit colours do not survive every connection."""

_RAW: Final = Style()
_NO_WIDTH: Final = [(ControlType.CURSOR_FORWARD, 0)]
"""Marks a segment that takes no cells; the control itself is not sent."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An image drawn for one terminal at one size.

    Attributes:
        columns, rows: cells that it covers.
        lines: segments of each row, `columns` wide.
        number: Kitty's id of it.
        setup: sent to the terminal once before the rows are, '' for most methods.
        teardown: sent when the drawing is no longer needed.
    """

    columns: int
    rows: int
    lines: Sequence[Sequence[Segment]]
    number: int = 0
    setup: str = ""
    teardown: str = ""


def fit(size: tuple[int, int], columns: int, rows: int, graphics: Graphics) -> tuple[int, int]:
    """Cells (columns, rows) that an image of these pixels takes in a box, its shape kept.

    An image is not made larger than it is, unless the cells themselves are large (HiDPI).
    """
    width, height = size
    cell_width, cell_height = graphics.cell
    scale = min(columns * cell_width / width, rows * cell_height / height)
    if graphics.method is not Method.HALF:
        scale = min(scale, max(1.0, cell_width / 10))
    wide = round(width * scale / cell_width)
    high = round(height * scale / cell_height)
    return max(1, min(wide, columns)), max(1, min(high, rows))


def draw(image: Image, columns: int, rows: int, graphics: Graphics, number: int = 0) -> Drawing:
    """Draw an RGB image over exactly these cells.

    Args:
        number: tells Kitty's images apart; one of `KITTY_IDS`.
    """
    if graphics.method is Method.KITTY:
        return _kitty(image, columns, rows, graphics, number)
    if graphics.method in (Method.SIXEL, Method.ITERM):
        return _in_slices(image, columns, rows, graphics)
    return _half_blocks(image, columns, rows)


def _half_blocks(image: Image, columns: int, rows: int) -> Drawing:
    from PIL import Image as Library

    small = image.resize((columns, 2 * rows), Library.Resampling.BOX)
    few = small.quantize(HALF_COLOURS, dither=Library.Dither.NONE).convert("RGB")
    colours = few.tobytes()
    stride = 3 * columns
    lines = []
    for row in range(rows):
        top = colours[2 * row * stride : (2 * row + 1) * stride]
        bottom = colours[(2 * row + 1) * stride : (2 * row + 2) * stride]
        lines.append(list(_half_row(top, bottom, columns)))
    return Drawing(columns, rows, lines)


def _half_row(top: bytes, bottom: bytes, columns: int) -> Iterator[Segment]:
    """A row's segments; equal neighbours are one."""
    start = 0
    pairs = [(top[x : x + 3], bottom[x : x + 3]) for x in range(0, 3 * columns, 3)]
    for column in range(1, columns + 1):
        if column < columns and pairs[column] == pairs[start]:
            continue
        above, below = (Color.from_triplet(ColorTriplet(*part)) for part in pairs[start])
        # One colour is a space, so that a terminal without the glyph still shows something.
        text = " " if above == below else "▀"
        yield Segment(text * (column - start), Style(color=above, bgcolor=below))
        start = column


def _in_slices(image: Image, columns: int, rows: int, graphics: Graphics) -> Drawing:
    """One small picture per row of cells."""
    from PIL import Image as Library

    cell_width, cell_height = graphics.cell
    whole = image.resize((columns * cell_width, rows * cell_height), Library.Resampling.LANCZOS)
    sixel = graphics.method is Method.SIXEL
    if sixel:  # one palette for all rows, or they would not match at the seams
        whole = whole.quantize(SIXEL_COLOURS, dither=Library.Dither.NONE).convert("RGB")
    lines = []
    for row in range(rows):
        box = (0, row * cell_height, whole.width, (row + 1) * cell_height)
        piece = whole.crop(box)
        data = _sixels(piece) if sixel else _iterm(piece, columns)
        lines.append(_over_blanks(f"\x1b7{data}\x1b8\x1b[{columns}C", columns))
    return Drawing(columns, rows, lines)


def _sixels(piece: Image) -> str:
    # The package's public modules ask the terminal questions when they are imported, which would
    # steal the running app's input; its encoder asks nothing.
    from textual_image._sixel import image_to_sixels

    return image_to_sixels(piece)


def _iterm(piece: Image, columns: int) -> str:
    data = _png(piece)
    fields = f"inline=1;width={columns};height=1;preserveAspectRatio=0;size={len(data)}"
    return f"\x1b]1337;File={fields}:{base64.b64encode(data).decode()}\a"


def _kitty(image: Image, columns: int, rows: int, graphics: Graphics, number: int) -> Drawing:
    from PIL import Image as Library

    from explorer.tui.render.kitty_places import PLACES, row_text

    columns, rows = min(columns, PLACES), min(rows, PLACES)
    cell_width, cell_height = graphics.cell
    most = (columns * cell_width, rows * cell_height)
    scaled = image.resize(most, Library.Resampling.LANCZOS)
    lines = [
        _over_blanks(f"\x1b[38;5;{number}m{row_text(row, columns)}\x1b[39m", columns)
        for row in range(rows)
    ]
    setup = _passing(_kitty_messages(_png(scaled), columns, rows, number), graphics)
    teardown = _passing([f"\x1b_Ga=d,d=I,i={number},q=2;\x1b\\"], graphics)
    return Drawing(columns, rows, lines, number, setup, teardown)


def _kitty_messages(data: bytes, columns: int, rows: int, number: int) -> Iterator[str]:
    """Send a PNG and place it virtually: it shows wherever its placeholders stand."""
    text = base64.b64encode(data).decode()
    keys = f"a=T,U=1,f=100,t=d,i={number},c={columns},r={rows},q=2,"
    for start in range(0, len(text), CHUNK):
        more = int(start + CHUNK < len(text))
        yield f"\x1b_G{keys}m={more};{text[start : start + CHUNK]}\x1b\\"
        keys = "q=2,"


def _passing(messages: Iterator[str] | Sequence[str], graphics: Graphics) -> str:
    """The messages as tmux lets them pass, if it is between (`allow-passthrough on`)."""
    if not graphics.tmux:
        return "".join(messages)
    doubled = (message.replace("\x1b", "\x1b\x1b") for message in messages)
    return "".join(f"\x1bPtmux;{message}\x1b\\" for message in doubled)


def _over_blanks(raw: str, columns: int) -> list[Segment]:
    """Blank cells, so that whoever measures sees their width, and then the image over them."""
    back = f"\x1b[{columns}D"
    return [Segment(" " * columns, _RAW), Segment(back + raw, _RAW, _NO_WIDTH)]


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()

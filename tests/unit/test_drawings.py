"""The bytes that are sent for an image, read back as a terminal would read them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from itertools import pairwise, product

import pytest
from PIL import Image
from rich.segment import Segment

from explorer.tui.gallery import Gallery, Recent
from explorer.tui.render.kitty_places import MARKS, PLACEHOLDER, PLACES
from explorer.tui.render.pictures import Drawing, draw, fit
from explorer.tui.terminal import Graphics, Method
from tests.tui.pictures_data import draw_figure

CELL = (10, 20)
COLUMNS, ROWS = 12, 5
RED, GREEN = (250, 10, 20), (10, 200, 30)


@pytest.fixture
def image() -> Image.Image:
    """Red above, green below."""
    picture = Image.new("RGB", (240, 200), RED)
    picture.paste(GREEN, (0, 100, 240, 200))
    return picture


def drawn(image: Image.Image, method: Method, tmux: bool = False) -> Drawing:
    return draw(image, COLUMNS, ROWS, Graphics(method, CELL, tmux), number=77)


def cells(line: object) -> int:
    assert isinstance(line, list)
    return sum(part.cell_length for part in line if isinstance(part, Segment))


def raw(drawing: Drawing, row: int) -> str:
    """What is drawn over a row's blanks."""
    blanks, over = drawing.lines[row]
    assert blanks.text == " " * COLUMNS
    assert over.control
    match = re.fullmatch(rf"\x1b\[{COLUMNS}D(.*)", over.text, re.S)
    assert match
    return match[1]


@pytest.mark.parametrize("method", [Method.HALF, Method.KITTY, Method.SIXEL, Method.ITERM])
def test_every_row_covers_exactly_its_cells(image: Image.Image, method: Method) -> None:
    drawing = drawn(image, method)
    assert (drawing.columns, drawing.rows, len(drawing.lines)) == (COLUMNS, ROWS, ROWS)
    assert [cells(line) for line in drawing.lines] == [COLUMNS] * ROWS


class TestHalfBlocks:
    def test_show_two_pixels_per_cell(self, image: Image.Image) -> None:
        lines = drawn(image, Method.HALF).lines
        assert [len(line) for line in lines] == [1] * ROWS, "one colour is one segment"
        (middle,) = lines[2]
        assert middle.text == "▀" * COLUMNS
        assert middle.style is not None
        assert middle.style.color is not None
        assert middle.style.bgcolor is not None
        assert middle.style.color.triplet is not None
        assert middle.style.bgcolor.triplet is not None
        for shown, meant in ((middle.style.color, RED), (middle.style.bgcolor, GREEN)):
            assert shown.triplet is not None
            assert max(abs(a - b) for a, b in zip(shown.triplet, meant, strict=True)) < 12
        assert lines[0][0].text == " " * COLUMNS, "where both are the same, a space will do"


class TestKitty:
    def test_sends_the_image_once_in_small_parts_and_places_it_virtually(self) -> None:
        noise = Image.effect_noise((240, 200), 90).convert("RGB")
        drawing = drawn(noise, Method.KITTY)
        messages = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", drawing.setup)
        assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in messages) == drawing.setup
        keys = [dict(pair.split("=") for pair in one.split(",")) for one, _ in messages]
        wanted = {"a": "T", "U": "1", "f": "100", "t": "d", "i": "77", "c": "12", "r": "5"}
        assert keys[0].items() >= wanted.items()
        assert all(one["q"] == "2" for one in keys), "the terminal must not answer"
        assert len(messages) > 2
        assert [one["m"] for one in keys] == ["1"] * (len(messages) - 1) + ["0"]
        assert all(len(data) <= 4096 and len(data) % 4 == 0 for _, data in messages)
        sent = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in messages))))
        assert (sent.format, sent.size) == ("PNG", (COLUMNS * 10, ROWS * 20))
        assert drawing.teardown == "\x1b_Ga=d,d=I,i=77,q=2;\x1b\\"

    def test_every_placeholder_names_its_row_and_column(self, image: Image.Image) -> None:
        drawing = drawn(image, Method.KITTY)
        for row in range(ROWS):
            match = re.fullmatch(r"\x1b\[38;5;77m(.*)\x1b\[39m", raw(drawing, row), re.S)
            assert match
            expected = [PLACEHOLDER + MARKS[row] + MARKS[column] for column in range(COLUMNS)]
            assert re.findall(PLACEHOLDER + "..", match[1]) == expected
            assert match[1] == "".join(expected)

    def test_the_marks_are_those_of_the_protocol(self) -> None:
        assert PLACES == 297
        assert [hex(ord(MARKS[place])) for place in (0, 1, 2, 3, 296)] == [
            "0x305", "0x30d", "0x30e", "0x310", "0x1d244",
        ]  # fmt: skip
        assert all(before < after for before, after in pairwise(MARKS))

    def test_passes_through_tmux(self, image: Image.Image) -> None:
        plain, wrapped = drawn(image, Method.KITTY), drawn(image, Method.KITTY, tmux=True)
        parts = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", wrapped.setup)
        assert "".join(part.replace("\x1b\x1b", "\x1b") for part in parts) == plain.setup
        assert raw(wrapped, 1) == raw(plain, 1), "placeholders are text, which tmux keeps itself"

    def test_a_gallery_sends_an_image_once_and_takes_all_back(self, tmp_path: object) -> None:
        path = draw_figure(tmp_path / "a.png")  # type: ignore[operator]
        gallery = Gallery(Graphics(Method.KITTY, CELL))
        first = gallery.show(path, 30, 8).drawing
        again = gallery.show(path, 30, 8).drawing
        larger = gallery.show(path, 60, 20).drawing
        assert first is not None
        assert larger is not None
        assert again is first
        assert gallery.introduce(first)
        assert gallery.introduce(first) == ""
        assert gallery.introduce(larger)
        assert larger.number != first.number
        assert gallery.farewell() == first.teardown + larger.teardown


def decode_sixel(data: str) -> Image.Image:
    """A Sixel image as pixels; knows what the format's encoders write."""
    match = re.fullmatch(r"\x1bP[\d;]*q(.*)\x1b\\", data, re.S)
    assert match
    raster = re.match(r'"\d+;\d+;(\d+);(\d+)', match[1])
    assert raster
    image = Image.new("RGB", (int(raster[1]), int(raster[2])), (1, 2, 3))
    palette: dict[int, tuple[int, ...]] = {}
    colour, x, y = 0, 0, 0
    tokens = re.findall(r"#\d+(?:;\d+){4}|#\d+|!\d+[?-~]|[?-~]|\$|-", match[1][raster.end() :])
    for token in tokens:
        if token[0] == "#":
            number, *rest = map(int, token[1:].split(";"))
            if rest:
                palette[number] = tuple(round(part * 255 / 100) for part in rest[1:])
            colour = number
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            count = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - 63
            for column, bit in product(range(x, x + count), range(6)):
                if bits >> bit & 1 and y + bit < image.height:
                    image.putpixel((column, y + bit), palette[colour])
            x += count
    return image


def assert_shows(pieces: Sequence[Image.Image], image: Image.Image) -> None:
    """The pieces, one beneath the other, are the image."""
    whole = Image.new("RGB", (COLUMNS * 10, ROWS * 20))
    for row, piece in enumerate(pieces):
        assert piece.size == (COLUMNS * 10, 20)
        whole.paste(piece, (0, 20 * row))
    meant = image.resize(whole.size)
    for x, y in ((3, 3), (60, 40), (117, 30), (60, 60), (3, 97), (117, 95)):
        shown, wanted = whole.getpixel((x, y)), meant.getpixel((x, y))
        assert isinstance(shown, tuple)
        assert isinstance(wanted, tuple)
        assert max(abs(a - b) for a, b in zip(shown, wanted, strict=True)) < 12, (x, y)


class TestSixel:
    def test_each_row_of_cells_is_a_picture_of_its_own(self, image: Image.Image) -> None:
        drawing = drawn(image, Method.SIXEL)
        assert drawing.setup == ""
        pieces = []
        for row in range(ROWS):
            match = re.fullmatch(rf"\x1b7(.*)\x1b8\x1b\[{COLUMNS}C", raw(drawing, row), re.S)
            assert match, "the cursor is put back and moved behind the image"
            pieces.append(decode_sixel(match[1]))
        assert_shows(pieces, image)


class TestITerm:
    def test_each_row_of_cells_is_an_inline_png(self, image: Image.Image) -> None:
        drawing = drawn(image, Method.ITERM)
        pieces = []
        for row in range(ROWS):
            match = re.fullmatch(
                rf"\x1b7\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\a\x1b8\x1b\[{COLUMNS}C",
                raw(drawing, row),
            )
            assert match
            fields = dict(field.split("=") for field in match[1].split(";"))
            data = base64.b64decode(match[2])
            assert fields == {
                "inline": "1", "width": "12", "height": "1", "preserveAspectRatio": "0",
                "size": str(len(data)),
            }  # fmt: skip
            pieces.append(Image.open(io.BytesIO(data)))
        assert_shows(pieces, image)


class TestFit:
    @pytest.mark.parametrize("size", [(300, 200), (2000, 100), (40, 4000), (1, 1), (5000, 5000)])
    @pytest.mark.parametrize("method", [Method.HALF, Method.SIXEL])
    def test_stays_in_the_box_and_keeps_the_shape(
        self, size: tuple[int, int], method: Method
    ) -> None:
        columns, rows = fit(size, 78, 9, Graphics(method, CELL))
        assert 1 <= columns <= 78
        assert 1 <= rows <= 9
        if min(columns, rows) > 4:
            assert columns * 10 / (rows * 20) == pytest.approx(size[0] / size[1], rel=0.2)

    def test_real_pixels_are_not_made_larger_than_they_are(self) -> None:
        assert fit((100, 100), 200, 60, Graphics(Method.SIXEL, CELL)) == (10, 5)
        assert fit((100, 100), 200, 60, Graphics(Method.SIXEL, (20, 40))) == (10, 5)
        assert fit((100, 100), 200, 60, Graphics(Method.HALF, CELL)) == (120, 60)


def test_only_the_values_used_last_are_kept() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("ab"):
        recent.put(key, number)
    assert recent.get("a") == 0
    recent.put("c", 2)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (0, None, 2)
    assert len(recent) == 2

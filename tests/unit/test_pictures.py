"""Opening images that somebody else made: what is read, and what is refused and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from explorer import pictures
from explorer.pictures import (
    PictureError,
    decode_picture,
    inspect_picture,
    picture_digest,
    picture_fault,
)
from tests.tui.pictures_data import draw_figure, truncate, write_bomb

MATHVISION = Path(__file__).parents[3] / "shared" / "data" / "benchmarks" / "mathvision" / "images"


def rgb(image: Image.Image, x: int, y: int) -> tuple[float, ...]:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp"])
def test_the_formats_that_are_read(tmp_path: Path, suffix: str) -> None:
    path = draw_figure(tmp_path / f"figure.{suffix}", (90, 60))
    facts = inspect_picture(path)
    assert (facts.width, facts.height) == (90, 60)
    image = decode_picture(path)
    assert (image.mode, image.size) == ("RGB", (90, 60))
    red, green, blue = rgb(image, 26, 30)
    assert red > 200
    assert max(green, blue) < 70
    assert picture_fault(path) == ""


def test_transparent_parts_are_white_and_turned_ones_upright(tmp_path: Path) -> None:
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(clear)
    assert decode_picture(str(clear)).getpixel((0, 0)) == (255, 255, 255)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees"
    Image.new("RGB", (40, 20), "white").save(turned, exif=exif)
    assert decode_picture(str(turned)).size == (20, 40)


def test_of_a_moving_image_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    red, _, blue = rgb(decode_picture(str(tmp_path / "two.gif")), 2, 2)
    assert red > 200 > blue


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"", "empty"),
        (b"nothing that is an image", "no known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no known format"),
        (b"II*\0\x08\0\0\0\0\0", "no known format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "broken"),
        (b"\xff\xd8\xff\xe0 cut off", "no known format"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, title: str) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        decode_picture(str(path))
    assert title in caught.value.title or caught.value.title.startswith("The image")
    assert str(path) in caught.value.detail


def test_a_format_that_is_not_named_is_refused_whatever_its_name(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    with pytest.raises(PictureError, match="no known format"):
        decode_picture(str(tmp_path / "a.png"))


def test_a_truncated_image_is_broken_and_not_half_an_image(tmp_path: Path) -> None:
    draw_figure(tmp_path / "a.png", (400, 400))
    path = truncate(tmp_path / "a.png")
    with pytest.raises(PictureError, match="broken"):
        decode_picture(path)


@pytest.mark.parametrize("side", [60_000, 9_000])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    with pytest.raises(PictureError, match="too big"):
        decode_picture(write_bomb(tmp_path / "bomb.png", side))


def test_a_file_that_is_too_big_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw_figure(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    with pytest.raises(PictureError, match="too big"):
        decode_picture(path)


@pytest.mark.parametrize("name", ["nowhere.png", ".", "a\0b.png", "x" * 5000])
def test_what_is_no_file_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureError):
        inspect_picture(str(tmp_path / name))
    assert picture_fault(str(tmp_path / name)) == "missing"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="no such image"):
        inspect_picture(str(tmp_path / "pipe.png"))
    assert picture_fault(str(tmp_path / "pipe.png")) == "missing"


def test_a_fault_is_seen_anew_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no image, really")
    assert picture_fault(str(path)) == "no image"
    draw_figure(path)
    assert picture_fault(str(path)) == ""


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    one, other = draw_figure(tmp_path / "a.png"), draw_figure(tmp_path / "b.png")
    assert picture_digest(Path(one).read_bytes()) == picture_digest(Path(other).read_bytes())
    assert picture_digest(b"a") != picture_digest(b"b")
    assert picture_digest(b"").startswith("i1:")


def test_the_real_images_of_mathvision_are_all_read() -> None:
    if not MATHVISION.is_dir():
        pytest.skip("../shared/data/benchmarks/mathvision is not there")
    files = sorted(MATHVISION.iterdir())
    assert len(files) == 70
    for file in files:
        facts = inspect_picture(str(file))
        assert decode_picture(str(file)).size == (facts.width, facts.height)
        assert picture_fault(str(file)) == ""

"""The ramps stay readable with 256 colours, with 16, and with none."""

from __future__ import annotations

import itertools

import pytest
from rich.color import Color, ColorSystem
from rich.style import Style
from textual.color import Color as TextualColor

from explorer.tui.render.ramp import gutter_mark, token_style
from explorer.tui.theme import DARK, LIGHT, Palette
from explorer.views.overlay import Overlay

RAMPS = [
    (palette, overlay, sign)
    for palette in (DARK, LIGHT)
    for overlay, sign in ((Overlay.SURPRISAL, 1), (Overlay.DELTA, 1), (Overlay.DELTA, -1))
]


def ramp(palette: Palette, overlay: Overlay, sign: int) -> list[Style]:
    return [token_style(palette, overlay, sign * level) for level in range(1, 5)]


def backgrounds(styles: list[Style]) -> list[Color]:
    return [style.bgcolor for style in styles if style.bgcolor is not None]


def grey(colour: Color) -> int:
    """The shade that Textual shows under NO_COLOR."""
    triplet = colour.get_truecolor()
    return TextualColor(*triplet).monochrome.r


def luminance(colour: Color) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [channel / 255 for channel in colour.get_truecolor()]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("palette", "overlay", "sign"), RAMPS)
class TestRamp:
    """Four levels of one direction on one theme."""

    def test_has_four_colours_of_the_256_cube(
        self, palette: Palette, overlay: Overlay, sign: int
    ) -> None:
        colours = backgrounds(ramp(palette, overlay, sign))
        assert len({colour.get_truecolor() for colour in colours}) == 4
        for colour in colours:
            assert colour.downgrade(ColorSystem.EIGHT_BIT).get_truecolor() == colour.get_truecolor()

    def test_has_four_colours_of_the_16(
        self, palette: Palette, overlay: Overlay, sign: int
    ) -> None:
        sixteen = [
            colour.downgrade(ColorSystem.STANDARD).number
            for colour in backgrounds(ramp(palette, overlay, sign))
        ]
        assert len(set(sixteen)) == 4
        page = Color.parse(palette.background).downgrade(ColorSystem.STANDARD).number
        assert page not in sixteen

    def test_greys_move_away_from_the_page(
        self, palette: Palette, overlay: Overlay, sign: int
    ) -> None:
        page = grey(Color.parse(palette.background))
        away = [abs(grey(c) - page) for c in backgrounds(ramp(palette, overlay, sign))]
        assert away[0] >= 10
        assert all(b - a >= 25 for a, b in itertools.pairwise(away))

    def test_text_can_be_read_on_every_level(
        self, palette: Palette, overlay: Overlay, sign: int
    ) -> None:
        for style in ramp(palette, overlay, sign):
            assert style.color is not None
            assert style.bgcolor is not None
            bright, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.0

    def test_attributes_are_a_second_channel(
        self, palette: Palette, overlay: Overlay, sign: int
    ) -> None:
        marks = [(s.bold or False, s.underline or False) for s in ramp(palette, overlay, sign)]
        if overlay is Overlay.SURPRISAL:
            assert len(set(marks)) == 4
        else:
            assert {underlined for _, underlined in marks} == {sign < 0}


@pytest.mark.parametrize("palette", [DARK, LIGHT])
@pytest.mark.parametrize("overlay", list(Overlay))
def test_the_ordinary_case_has_no_background(palette: Palette, overlay: Overlay) -> None:
    assert token_style(palette, overlay, 0).bgcolor is None


def test_gutter_marks_are_two_cells_and_show_the_sign() -> None:
    assert [gutter_mark(Overlay.SURPRISAL, level) for level in range(5)] == [
        "  ",
        " 1",
        " 2",
        " 3",
        " 4",
    ]
    assert (gutter_mark(Overlay.DELTA, 3), gutter_mark(Overlay.DELTA, -3)) == ("+3", "−3")

"""Cutting and wrapping a trace loses nothing, and tokens and cells map onto each other."""

from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from explorer.core.completion import Tokens
from explorer.views.trace import TraceLayout, TraceText, line_texts
from explorer.views.trace_glyphs import NEWLINE_GLYPH, is_mark, replacements, visible
from tests.fake_cache import HOSTILE

WIDTHS = st.integers(min_value=2, max_value=40)
TEXTS = st.text(
    st.one_of(
        st.sampled_from(list("abc  \n\t.\\{}[/]漢字é\u0301\u200b\u202e\x1b\ufe0f🇩👩\u200d≤─")),
        st.characters(),
    ),
    max_size=120,
)


@st.composite
def tokenised(draw: st.DrawFn) -> tuple[str, Tokens]:
    """A text and tokens that cut its UTF-8 bytes anywhere, control tokens in between."""
    text = draw(TEXTS)
    size = len(text.encode("utf-8", "surrogatepass"))
    cuts = draw(st.lists(st.integers(0, size), max_size=60))
    ends = np.array([*sorted(cuts), size], dtype=np.int32)
    return text, Tokens(np.arange(len(ends), dtype=np.int32), ends, None)


def tokens_for(*pieces: bytes) -> Tokens:
    ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
    return Tokens(np.arange(len(pieces), dtype=np.int32), ends, None)


@given(tokenised(), WIDTHS)
def test_lines_join_to_the_display_string(case: tuple[str, Tokens], width: int) -> None:
    text = TraceText(*case)
    layout = TraceLayout(text, width, cell_len)
    edges = [layout.bounds(line) for line in range(len(layout))]
    assert "".join(text.display[start:end] for start, end in edges) == text.display
    for line, drawn in enumerate(line_texts(layout)):
        start, end = layout.bounds(line)
        assert drawn == text.display[start:end].replace("\n", NEWLINE_GLYPH)


@given(tokenised(), st.integers(min_value=3, max_value=40))
def test_no_line_is_wider_than_the_column(case: tuple[str, Tokens], width: int) -> None:
    layout = TraceLayout(TraceText(*case), width, cell_len)
    for drawn in line_texts(layout):
        assert cell_len(drawn) <= width


@given(tokenised())
def test_units_partition_the_tokens_and_the_display(case: tuple[str, Tokens]) -> None:
    text = TraceText(*case)
    assert [t for unit in range(text.n_units) for t in text.tokens_of(unit)] == list(
        range(len(case[1]))
    )
    assert text.starts[0] == 0
    assert text.starts[-1] == len(text.display)
    assert all(a < b for a, b in zip(text.starts, text.starts[1:], strict=False)) or not case[0]
    joined = b"".join(text.token_bytes(token) for token in range(len(case[1])))
    assert joined == case[0].encode("utf-8", "surrogatepass")


@given(tokenised(), WIDTHS)
def test_place_of_a_unit_leads_back_to_it(case: tuple[str, Tokens], width: int) -> None:
    layout = TraceLayout(TraceText(*case), width, cell_len)
    for unit in range(layout.text.n_units):
        line, column = layout.line_of(unit), layout.column_of(unit)
        assert line in layout.lines_of(unit)
        assert layout.unit_at(line, column) == unit
        assert layout.unit_covering(line, column) == unit


@given(tokenised(), WIDTHS, st.integers(0, 50))
def test_keyboard_and_drawing_agree_on_who_is_on_a_line(
    case: tuple[str, Tokens], width: int, column: int
) -> None:
    layout = TraceLayout(TraceText(*case), width, cell_len)
    for line in range(len(layout)):
        unit = layout.unit_at(line, column)
        assert unit is None or layout.line_of(unit) == line
        drawn = {span.unit for span in layout.spans(line)}
        for owner in drawn:
            assert owner is None or line in layout.lines_of(owner)


@given(TEXTS)
def test_nothing_displayed_can_move_the_cursor(text: str) -> None:
    display = TraceText(text, None).display.replace("\n", "")
    for previous, character in zip(" " + display, display, strict=False):
        category = unicodedata.category(character)
        assert category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert cell_len(character) >= 1 or (is_mark(character) and not previous.isspace())
    assert cell_len(display) == sum(map(cell_len, display))


def test_a_character_kept_as_itself_takes_room_unless_it_is_a_mark() -> None:
    every_other = [*range(0, 0x3200, 3), *range(0xA000, 0xAC00, 7), *range(0xD7A4, 0x20000, 13)]
    for character in map(chr, every_other):
        display = TraceText("x" + character + "x", None).display[1:-1]
        kept = display == character and character != "\n"
        assert not kept or cell_len(display) >= 1 or is_mark(character), hex(ord(character))


def test_hostile_text_is_shown_harmlessly() -> None:
    display = TraceText(HOSTILE, None).display
    assert "[b]bold[/b] a[i] [/foo]" in display
    assert "␛[2J␛]0;owned␇" in display
    assert "zero‹200B›width" in display
    assert "‹202E›right-to-left‹202C›" in display
    assert "→   a tab" in display
    assert "漢字かな" in display
    assert "e\u0301" in display


def test_bytes_of_one_character_become_one_unit() -> None:
    tokens = tokens_for(b"x ", b"\xe2\x89", b"\xa4", b" y", b"")
    text = TraceText("x ≤ y", tokens)
    assert text.n_units == 4
    assert list(text.tokens_of(1)) == [1, 2]
    assert text.display == "x ≤ y∎"
    assert text.control.tolist() == [False, False, False, False, True]


def test_two_control_tokens_in_a_row_have_a_cell_each() -> None:
    text = TraceText("ab", tokens_for(b"", b"", b"a", b"", b"b", b""))
    assert text.display == "∎∎a∎b∎"
    assert text.starts == [0, 1, 2, 3, 4, 5, 6]


def test_a_mark_joins_the_token_before_it() -> None:
    text = TraceText("e\u0301x", tokens_for(b"e", "\u0301".encode(), b"x"))
    assert [list(text.tokens_of(unit)) for unit in range(text.n_units)] == [[0, 1], [2]]


def test_text_after_the_last_token_belongs_to_nobody() -> None:
    text = TraceText("ab and more", tokens_for(b"ab"))
    layout = TraceLayout(text, 40, cell_len)
    assert [(span.unit, span.text) for span in layout.spans(0)] == [(0, "ab"), (None, " and more")]
    assert layout.unit_covering(0, 5) is None
    assert layout.unit_at(0, 5) == 0


def test_words_wrap_and_the_space_hangs() -> None:
    text = TraceText("one two three", tokens_for(b"one", b" two", b" three"))
    layout = TraceLayout(text, 8, cell_len)
    assert line_texts(layout) == ["one two ", "three"]
    assert layout.spans(0)[-1].hanging
    assert layout.line_of(2) == 1
    assert list(layout.lines_of(2)) == [0, 1]


def test_a_newline_is_visible_and_ends_its_line() -> None:
    text = TraceText("a\n\n  b  \n", tokens_for(b"a", b"\n\n", b"  b", b"  \n"))
    assert line_texts(TraceLayout(text, 20, cell_len)) == ["a↵", "↵", "  b··↵"]


def test_an_empty_completion_has_one_empty_line() -> None:
    layout = TraceLayout(TraceText("", None), 20, cell_len)
    assert line_texts(layout) == [""]
    assert layout.unit_at(0, 0) is None


def test_replacements_are_in_order_and_apart() -> None:
    places = [place for place, _ in replacements(HOSTILE + "  \n x\t \x00")]
    assert places == sorted(set(places))


def test_visible_shows_spaces_and_controls() -> None:
    assert visible(" a\n\x1b") == "␣a↵␛"

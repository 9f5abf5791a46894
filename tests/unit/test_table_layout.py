"""Tables find room without cutting anything: checked on tables of every shape."""

from __future__ import annotations

import random

import pytest

from explorer.views.table_layout import GAP, Part, Table, fits, laid_out, roomiest


def wide(text: str) -> int:
    """Cells where the first letter of the Greek alphabet counts two, for tests."""
    return len(text) + text.count("α")


def made_up(seed: int) -> Table:
    rng = random.Random(seed)
    columns, rows = rng.randint(1, 14), rng.randint(1, 14)

    def name() -> str:
        words = [
            "".join(rng.choices("abαc", k=rng.randint(1, 9))) for _ in range(rng.randint(1, 4))
        ]
        return " ".join(words)

    def number() -> str:
        value = rng.uniform(-100, 100)
        return rng.choice(["–", f"{value:.1f}", f"{value:.1f} [{value - 3:.1f}, {value + 3:.1f}]"])

    return Table(
        ["", *(name() for _ in range(columns))],
        [[name(), *(number() for _ in range(columns))] for _ in range(rows)],
    )


def line_width(part: Part) -> int:
    return sum(part.widths) + GAP * (len(part.widths) - 1)


@pytest.mark.parametrize("width", [30, 80, 120, 200])
@pytest.mark.parametrize("seed", range(40))
def test_every_cell_stands_whole_in_exactly_one_part(seed: int, width: int) -> None:
    table = made_up(seed)
    parts = laid_out(table, width, wide)
    assert [place for part in parts for place in part.columns[1:]] == [
        *range(1, len(table.headers))
    ]
    for part in parts:
        assert part.columns[0] == 0
        assert line_width(part) <= max(width, part.widths[0] + GAP + max(part.widths[1:]))
        for texts in (*part.heads, *(line for row in part.rows for line in row)):
            assert all(wide(text) <= room for text, room in zip(texts, part.widths, strict=True))
        for place, column in enumerate(part.columns):
            head = " ".join(line[place] for line in part.heads).strip()
            assert head == table.headers[column]
        for row, lines in zip(table.rows, part.rows, strict=True):
            assert "".join(line[0] for line in lines).replace(" ", "") == row[0].replace(" ", "")
            assert list(lines[0][1:]) == [row[column] for column in part.columns[1:]]
            assert not any(text for line in lines[1:] for text in line[1:])


def test_what_fits_is_left_as_it_is() -> None:
    table = Table(["", "one two", "b"], [["name", "1", "2.0"]])
    (part,) = laid_out(table, 18, wide)
    assert (part.heads, part.widths) == ((("", "one two", "b"),), (4, 7, 3))
    assert not fits(table, 17, wide)
    assert fits(table, 18, wide)
    (part,) = laid_out(table, 17, wide)
    assert part.heads == (("", "one", ""), ("", "two", "b"))


def test_a_name_is_folded_only_where_that_saves_a_part() -> None:
    table = Table(["", "a", "b"], [["short", "1" * 8, "2" * 8], ["quite long (LONG)", "3", "4"]])
    (part,) = laid_out(table, 30, wide)
    assert [[line[0] for line in row] for row in part.rows] == [["short"], ["quite long", "(LONG)"]]
    several = laid_out(table, 27, wide)
    assert [part.columns for part in several] == [(0, 1), (0, 2)]
    assert [len(row) for part in several for row in part.rows] == [1, 1, 1, 1]


def test_turning_over_twice_is_nothing_and_once_is_taken_where_it_is_shorter() -> None:
    table = Table(["c", *"abcdefgh"], [["x", *"12345678"], ["y", *"abcdefgh"]])
    back = table.turned().turned()
    assert ([*back.headers], [[*row] for row in back.rows]) == (table.headers, table.rows)
    assert roomiest(table, 40, wide) is table
    assert [*roomiest(table, 9, wide).headers] == ["c", "x", "y"]

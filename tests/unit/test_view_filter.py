"""The filter language: what passes, and what is said of what cannot be understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.views.filter import FilterError, parse
from explorer.views.problem_list import ProblemLine
from explorer.views.set_snapshot import model_names
from tests.unit.views_data import lines, tally, three_arms

NAMES = model_names(three_arms())

# trees-000 P · trees-001 S · trees-002 E · trees-003 O? · trees-004 not sampled on base
LINES = lines(
    (tally(32, 64), tally(60, 64), tally(64, 64)),
    (tally(2, 64), tally(0, 64), tally(10, 64)),
    (tally(0, 64), tally(3, 128), tally(64, 64)),
    (tally(0, 64, undecided=2), tally(0, 64), tally(0, 64)),
    (tally(0, 0), tally(5, 8, ungraded=4), tally(1, 8, recorded=8)),
)


def passing(text: str, rows: list[ProblemLine] = LINES) -> list[int]:
    return [line.position for line in parse(text, NAMES).select(rows)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("   ", [0, 1, 2, 3, 4]),
        ("class:S", [1]),
        ("class:s,e", [1, 2]),
        ("class:O?", [3]),
        ("-class:P", [1, 2, 3, 4]),
        ("base<0.05", [1, 2, 3]),
        ("base<5%", [1, 2, 3]),
        ("rl>0.5", [0, 4]),
        ("base<0.05 rl>0.01", [2]),
        ("rl>base", [0, 2]),
        ("teacher-7b=1", [0, 2]),
        ("distilled>=100%", [0, 2]),
        ("base@64>0", [0, 1]),
        ("rl@128=1", [2]),
        ("base.c=0", [2, 3, 4]),
        ("rl.n>=128", [2]),
        ("base.undecided>0", [3]),
        ("n<64", [4]),
        ("undecided>0", [3]),
        ("ungraded>0", [4]),
        ("recorded>0", [4]),
        ("gap>0.4", [0]),
        ("level>=3", [3, 4]),
        ("level:3,4", [3, 4]),
        ("gold:31", [1]),
        ("gold=31", [1]),
        ("gold!=31", [0, 2, 3, 4]),
        ("family:tre", [0, 1, 2, 3, 4]),
        ("id:-002", [2]),
        ("trees-002", [2]),
        ("REMAINDER", [0, 1, 2, 3, 4]),
        ('"the remainder"', [0, 1, 2, 3, 4]),
        ('-"the remainder"', []),
        ("-remainder class:S", []),
    ],
)
def test_what_passes(text: str, expected: list[int]) -> None:
    assert passing(text) == expected


def test_what_is_not_there_satisfies_no_comparison() -> None:
    assert 4 not in passing("base<1") + passing("base>=0") + passing("base!=0.5")


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("foo<3", 0, "no number called 'foo'"),
        ("class:S foo<3", 8, "no number called 'foo'"),
        ("class:X", 0, "P, E, S or O"),
        ("colour:red", 0, "no text called 'colour'"),
        ("base<", 0, "no value beside"),
        ("<3", 0, "no name beside"),
        ("base<abc", 0, "no number called 'abc'"),
        ("base<<3", 0, "not a comparison"),
        ("base@0>1", 0, "no number called 'base@0'"),
        ('x "unclosed', 2, "not closed"),
        ("-", 0, "nothing to look for"),
    ],
)
def test_errors_name_the_place(text: str, position: int, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, NAMES)
    assert caught.value.position == position
    assert says in caught.value.title


@given(st.text(max_size=40))
def test_anything_typed_is_understood_or_explained(text: str) -> None:
    caught = None
    try:
        wanted = parse(text, NAMES)
    except FilterError as error:
        caught = error
    if caught is None:
        assert len(wanted.select(LINES)) <= len(LINES)
    else:
        assert 0 <= caught.position <= len(text)
        assert caught.title

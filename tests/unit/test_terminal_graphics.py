"""How the way to show images is found: by the environment, by asking, and when nobody answers."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explorer.settings import IMAGE_METHODS
from explorer.tui.terminal import (
    QUESTIONS,
    Answers,
    Graphics,
    Method,
    Probe,
    choose,
    from_environment,
    parse_answers,
)

REPOSITORY = Path(__file__).parents[2]
XTERM = {"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}
KITTY_SAYS, SIXEL_SAYS = b"\x1b_Gi=4207;OK\x1b\\", b"\x1b[?62;4;22c"
PLAIN_SAYS, CELL_SAYS = b"\x1b[?62;22c", b"\x1b[6;34;17t"


@pytest.mark.parametrize(
    ("environment", "method"),
    [
        ({"TERM": "xterm-kitty"}, Method.KITTY),
        ({"KITTY_WINDOW_ID": "1"}, Method.KITTY),
        ({"TERM": "xterm-ghostty"}, Method.KITTY),
        ({"TERM_PROGRAM": "ghostty"}, Method.KITTY),
        ({"TERM_PROGRAM": "iTerm.app"}, Method.ITERM),
        ({"LC_TERMINAL": "iTerm2"}, Method.ITERM),
        ({"TERM_PROGRAM": "WezTerm"}, Method.ITERM),
        ({"TERM_PROGRAM": "Apple_Terminal"}, Method.HALF),
        ({"TERM": "linux"}, Method.HALF),
        ({"TERM": "screen-256color", "STY": "1.x"}, Method.HALF),
        ({"TERM": "dumb"}, Method.PATH),
        ({"LANG": "C"}, Method.PATH),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, Method.PATH),
        ({"LC_ALL": "C.UTF-8"}, None),
        ({}, None),
        ({"TERM": "foot"}, None),
        ({"TMUX": "/tmp/t,1,0", "TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
    ],
)
def test_what_the_environment_tells(environment: dict[str, str], method: Method | None) -> None:
    assert from_environment(XTERM | environment) is method


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (KITTY_SAYS + CELL_SAYS + PLAIN_SAYS, Answers(True, False, (17, 34), True)),
        (SIXEL_SAYS, Answers(False, True, None, True)),
        (b"qj" + CELL_SAYS + b"n" + SIXEL_SAYS + b"x", Answers(False, True, (17, 34), True)),
        (b"\x1b[?64c", Answers(False, False, None, True)),
        (b"\x1b[?4c", Answers(False, False, None, True)),  # the first number is the terminal's kind
        (b"\x1b[?62;14;44c", Answers(False, False, None, True)),
        (b"\x1b_Gi=4207;ENOTSUPPORTED:no\x1b\\" + PLAIN_SAYS, Answers(complete=True)),
        (b"\x1b[6;0;0t" + PLAIN_SAYS, Answers(complete=True)),
        (b"\x1b[?62;4", Answers()),
        (b"", Answers()),
    ],
)
def test_what_the_answers_mean(data: bytes, answers: Answers) -> None:
    assert parse_answers(data) == answers


def test_sixel_goes_before_kitty_and_not_through_tmux() -> None:
    both, kitty = Answers(kitty=True, sixel=True), Answers(kitty=True)
    tmux = XTERM | {"TMUX": "x", "TERM": "tmux-256color"}
    assert choose("auto", XTERM, both) is Method.SIXEL
    assert choose("auto", XTERM, kitty) is Method.KITTY
    assert choose("auto", tmux, kitty) is Method.HALF
    assert choose("auto", tmux, both) is Method.SIXEL
    assert choose("auto", XTERM, Answers()) is Method.HALF


def test_a_named_method_is_taken_at_its_word() -> None:
    assert set(IMAGE_METHODS) == {"auto", *Method}
    for name in IMAGE_METHODS[1:]:
        assert Probe(name, {"TERM": "dumb"}).finish().method == name


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from explorer.tui import terminal
if len(sys.argv) > 2:
    terminal.WAIT_S = 0.0  # the time is up before the answers are looked for
    terminal.LEAST_WAIT_S = 60.0
probe = terminal.Probe("auto", {"TERM": "xterm-256color", "LANG": "C.UTF-8"})
graphics = probe.finish()
print("found", graphics.method, *graphics.cell, flush=True)
sys.stdout.write("rest " + repr(sys.stdin.readline()) + "\\n")
"""


@contextmanager
def terminal(*late: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The program above on a terminal whose other end is ours."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(REPOSITORY), *late],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    try:
        yield ours, child
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)


def read_until(handle: int, text: bytes) -> bytes:
    data = b""
    while text not in data:
        assert select.select([handle], [], [], 60)[0], data
        data += os.read(handle, 4096)
    return data


@pytest.mark.parametrize(
    ("says", "found"),
    [
        (CELL_SAYS + SIXEL_SAYS, b"found sixel 17 34"),
        (KITTY_SAYS + PLAIN_SAYS, b"found kitty 10 20"),
        (PLAIN_SAYS, b"found half 10 20"),
    ],
)
def test_a_terminal_is_asked_and_left_as_it_was(says: bytes, found: bytes) -> None:
    with terminal() as (handle, _):
        asked = read_until(handle, b"\x1b[c")
        assert asked == QUESTIONS.encode(), "asked at once, and nothing else is written"
        quiet = termios.tcgetattr(handle)[3]
        assert not quiet & termios.ECHO, "the answers must not appear on the screen"
        os.write(handle, says)
        shown = read_until(handle, found)
        assert b"62" not in shown
        assert termios.tcgetattr(handle)[3] & termios.ECHO
        os.write(handle, b"typed\n")
        read_until(handle, rb"rest 'typed\n'")


def test_answers_that_came_while_nobody_listened_are_read_all_the_same() -> None:
    """Importing the app can take longer than the wait; an answer left over would be keys."""
    with terminal("late") as (handle, _):
        read_until(handle, b"\x1b[c")
        os.write(handle, SIXEL_SAYS)
        read_until(handle, b"found sixel")
        os.write(handle, b"typed\n")
        read_until(handle, rb"rest 'typed\n'")


def test_a_terminal_that_does_not_answer_is_not_waited_for() -> None:
    with terminal() as (handle, _):
        read_until(handle, b"\x1b[c")
        read_until(handle, b"found half 10 20")
        assert termios.tcgetattr(handle)[3] & termios.ECHO


def test_without_a_terminal_nobody_is_asked() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(REPOSITORY)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert result.stdout.startswith("found half 10 20")


def test_the_default_is_half_blocks() -> None:
    assert Graphics().method is Method.HALF

"""Finds out how this terminal can show images, before the app owns it.

The environment answers first; only where it does not is the terminal asked, once, in one go, with
the request that every terminal answers (DA1) last, so that silence is told from slowness.
Invariants: the wait is bounded, the terminal's settings are put back whatever happens, and nothing
is asked of a terminal that might print the question. Standard library only: this runs before
Textual is imported.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Method(StrEnum):
    """How images are drawn."""

    KITTY = "kitty"
    ITERM = "iterm"
    SIXEL = "sixel"
    HALF = "half"
    PATH = "path"  # not at all: their file is named


WAIT_S: Final = 0.5
WAIT_REMOTE_S: Final = 1.5
"""Longest wait for the answers, here and over SSH. All terminals in use answer much sooner."""

LEAST_WAIT_S: Final = 0.1
"""Shortest wait, however long the caller was busy meanwhile."""

QUESTIONS: Final = "\x1b_Gi=4207,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
"""Does it know Kitty's protocol? How big is a cell? What is it (4 among the answers = Sixel)?"""

DEFAULT_CELL: Final = (10, 20)
"""Pixels of a cell where nobody knows."""

_ASKABLE = ("xterm", "screen", "tmux", "foot", "mlterm", "contour", "konsole", "rxvt", "alacritty",
            "wezterm", "vt", "yaft", "st", "mintty", "putty")  # fmt: skip
_KITTY_LIKE = ("kitty", "ghostty")
_ITERM_LIKE = ("iterm", "wezterm")
_DA1 = re.compile(rb"\x1b\[\?([0-9;]*)c")
_CELL = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_KITTY_OK = re.compile(rb"\x1b_G[^\x1b]*i=4207[^\x1b]*;OK\x1b\\")


@dataclass(frozen=True, slots=True)
class Graphics:
    """How this terminal shows images.

    Attributes:
        method: the way chosen.
        cell: width and height of a cell in pixels.
        tmux: what is drawn goes through tmux and must be wrapped to pass.
    """

    method: Method = Method.HALF
    cell: tuple[int, int] = DEFAULT_CELL
    tmux: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """What a terminal said; `complete` is False if it had not said all when time was up."""

    kitty: bool = False
    sixel: bool = False
    cell: tuple[int, int] | None = None
    complete: bool = False


def parse_answers(data: bytes) -> Answers:
    """Read the answers to `QUESTIONS`, whatever else a person typed among them."""
    attributes = _DA1.search(data)
    sizes = _CELL.search(data)
    cell = (int(sizes[2]), int(sizes[1])) if sizes else None
    return Answers(
        kitty=_KITTY_OK.search(data) is not None,
        sixel=attributes is not None and b"4" in attributes[1].split(b";")[1:],
        cell=cell if cell and min(cell) > 0 else None,
        complete=attributes is not None,
    )


def from_environment(environment: Mapping[str, str]) -> Method | None:
    """The method that the environment names for sure, None if the terminal must be asked."""
    term = environment.get("TERM", "")
    program = environment.get("TERM_PROGRAM", "").lower()
    if not _speaks_unicode(environment) or term in ("", "dumb"):
        return Method.PATH
    if environment.get("TMUX") or environment.get("STY") or term.startswith(("tmux", "screen")):
        # What is around tmux or screen is not what draws; only asking tells (Sixel in tmux 3.4).
        return None if environment.get("TMUX") else Method.HALF
    if environment.get("KITTY_WINDOW_ID") or any(name in term for name in _KITTY_LIKE):
        return Method.KITTY
    if program in _KITTY_LIKE:
        return Method.KITTY
    if any(program.startswith(name) for name in _ITERM_LIKE):
        return Method.ITERM
    if environment.get("LC_TERMINAL", "").lower().startswith("iterm"):  # ssh forwards LC_*
        return Method.ITERM
    if program == "apple_terminal" or not term.startswith(_ASKABLE):
        return Method.HALF
    return None


def choose(wanted: str, environment: Mapping[str, str], answers: Answers) -> Method:
    """What is drawn with; a method that a person names is taken at its word."""
    if wanted != "auto":
        return Method(wanted)
    known = from_environment(environment)
    if known is not None:
        return known
    # Konsole and others know Kitty's protocol without the placeholders that scrolling needs; all
    # of those have Sixel, and those that have the placeholders do not.
    if answers.sixel:
        return Method.SIXEL
    if answers.kitty and not environment.get("TMUX"):
        return Method.KITTY
    return Method.HALF


class Probe:
    """Asks the terminal while the caller does something else, such as importing the app.

    Args:
        wanted: 'auto', or the name of a method.
    """

    def __init__(self, wanted: str, environment: Mapping[str, str] | None = None) -> None:
        self._wanted = wanted
        self._environment = os.environ if environment is None else environment
        self._before: Any = None
        self._deadline = 0.0
        self._input = self._output = -1
        if wanted == "auto" and from_environment(self._environment) is None:
            self._ask()

    def finish(self) -> Graphics:
        """Wait for the answers, no longer than the deadline, and choose."""
        answers = Answers()
        if self._before is not None:
            try:
                answers = self._listen()
            finally:
                self._restore()
        cell = answers.cell or cell_size() or DEFAULT_CELL
        method = choose(self._wanted, self._environment, answers)
        return Graphics(method, cell, bool(self._environment.get("TMUX")))

    def _ask(self) -> None:
        try:
            import termios
            import tty

            self._input, self._output = sys.__stdin__.fileno(), sys.__stdout__.fileno()  # type: ignore[union-attr]
            if not (os.isatty(self._input) and os.isatty(self._output)):
                return
            before = termios.tcgetattr(self._input)
            tty.setcbreak(self._input, termios.TCSADRAIN)
            self._before = before
            os.write(self._output, QUESTIONS.encode())
        except (ImportError, OSError, ValueError, AttributeError, termios.error):
            self._restore()
            return
        remote = any(self._environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
        self._deadline = time.monotonic() + (WAIT_REMOTE_S if remote else WAIT_S)

    def _listen(self) -> Answers:
        """Read what has come, and wait for the rest; what is unread would look like typed keys."""
        import termios

        data = b""
        deadline = max(self._deadline, time.monotonic() + LEAST_WAIT_S)
        while not (answers := parse_answers(data)).complete:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._input], [], [], left)[0]:
                termios.tcflush(self._input, termios.TCIFLUSH)
                break
            part = os.read(self._input, 4096)
            if not part:
                break
            data += part
        return answers

    def _restore(self) -> None:
        if self._before is None:
            return
        import termios

        before, self._before = self._before, None
        termios.tcsetattr(self._input, termios.TCSADRAIN, before)


def cell_size() -> tuple[int, int] | None:
    """Pixels of a cell as the kernel knows them from the terminal, None if it does not."""
    try:
        import fcntl
        import struct
        import termios

        packed = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, b"\0" * 8)  # type: ignore[union-attr]
        rows, columns, width, height = struct.unpack("HHHH", packed)
    except (ImportError, OSError, ValueError, AttributeError):
        return None
    cell = (width // columns, height // rows) if rows and columns else (0, 0)
    return cell if min(cell) > 0 else None


def _speaks_unicode(environment: Mapping[str, str]) -> bool:
    """Whether the locale is one of UTF-8; without one named, it is taken to be."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environment.get(name, ""):
            return "utf" in value.lower() or value.startswith("C.")
    return True

"""Images in a real terminal (tmux), which answers questions as terminals do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import wait_until
from tests.tui.pictures_data import draw_figure

SETTINGS = """
[models.base]
role = "base"
source = "nowhere"
[datasets.figures]
path = "figures.jsonl"
format = "mathvision"
"""


class Terminal:
    """A tmux server of its own with one explorer in it."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._server = f"rlvr-explorer-images-{os.getpid()}-{workspace.name[-12:]}"

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._server, "-f", "/dev/null", *arguments]
        # Said, because readline, once imported, puts COLUMNS and LINES where only C sees them.
        environment = dict(os.environ)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        ).stdout

    def open(self, options: str = "", size: tuple[int, int] = (80, 24)) -> None:
        command = f"exec {sys.executable} -m explorer open one -w {self._workspace} {options}"
        columns, rows = map(str, size)
        self.tmux("new-session", "-d", "-s", "t", "-x", columns, "-y", rows, command)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "t")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "t", *keys)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in ("COLUMNS", "LINES", "TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "images").mkdir()
    draw_figure(tmp_path / "images" / "one.png")
    rows: list[dict[str, object]] = [
        {"id": name, "question": "What is it?\n<image1>", "options": [], "answer": "7",
         "solution": None, "level": 1, "subject": "shapes", "image": f"images/{name}.png"}
        for name in ("one", "gone")
    ]  # fmt: skip
    (tmp_path / "figures.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "explorer.toml").write_text(SETTINGS)
    opened = Terminal(tmp_path)
    yield opened
    opened.tmux("kill-server")


def test_half_blocks_in_tmux_and_no_trace_of_the_questions(terminal: Terminal) -> None:
    terminal.open()
    wait_until(lambda: "▀▀▀" in terminal.screen(), "the image is drawn")
    screen = terminal.screen()
    assert "image 1 of 1 · one.png · 300 × 200 PNG" in screen
    assert "What is it?" in screen
    assert not any(mark in screen for mark in ("Gi=", "4207", "[?", "16t", "62;"))
    terminal.press("i")
    wait_until(lambda: "figures/one  image 1 of 1" in terminal.screen(), "the viewer is up")
    terminal.press("q", "n")
    wait_until(lambda: "There is no such image" in terminal.screen(), "the other one is missing")
    terminal.press("q")
    wait_until(lambda: "✗ image missing" in terminal.screen(), "the list marks it")


def test_only_the_path_on_request(terminal: Terminal) -> None:
    terminal.open("--images path", (200, 50))
    wait_until(lambda: "images/one.png" in terminal.screen().replace("\n ", ""), "its path")
    assert "▀▀▀" not in terminal.screen()

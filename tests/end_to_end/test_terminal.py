"""The explorer in real terminals (tmux), on the bundled models, driven by keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from explorer.paths import sample_data
from explorer.store import queries
from explorer.store.connection import open_reader, open_writer
from explorer.store.verify import verify
from tests.end_to_end.processes import wait_until

PROBLEM = "hoard-001"
RECORDED = 64
ASKED = 128


class Terminals:
    """A tmux server of its own; a session is one terminal with one explorer in it."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._server = f"rlvr-explorer-test-{os.getpid()}"

    def tmux(self, *arguments: str) -> str:
        result = subprocess.run(
            ["tmux", "-L", self._server, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout

    def open(self, name: str, size: tuple[int, int]) -> None:
        command = f"exec {sys.executable} -m explorer open {PROBLEM} -w {self.workspace}"
        columns, lines = map(str, size)
        self.tmux("new-session", "-d", "-s", name, "-x", columns, "-y", lines, command)

    def press(self, name: str, *keys: str) -> None:
        self.tmux("send-keys", "-t", name, *keys)

    def shows(self, name: str, text: str) -> bool:
        return text in self.tmux("capture-pane", "-p", "-t", name)

    def hang_up(self, name: str) -> None:
        """Close the terminal under the explorer: it gets SIGHUP, as when SSH breaks off."""
        self.tmux("kill-session", "-t", name)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    if not (sample_data() / "models" / "base" / "config.json").is_file():
        pytest.skip("the bundled models are not in this checkout")
    workspace = tmp_path / "demo"
    _explorer("demo", "--at", str(workspace))
    opened = Terminals(workspace)
    yield opened
    opened.tmux("kill-server")
    _explorer("stop", "-w", str(workspace))


def test_two_explorers_watch_one_job_that_outlives_them(terminals: Terminals) -> None:
    terminals.open("small", (80, 24))
    terminals.open("wide", (200, 50))
    for name in ("small", "wide"):
        wait_until(partial(terminals.shows, name, f"/{RECORDED}"), f"{name} has painted")
    terminals.press("small", "s")
    for name in ("small", "wide"):
        wait_until(partial(terminals.shows, name, f"{RECORDED}/{ASKED}"), f"{name} shows progress")
    wait_until(lambda: _drawn(terminals) > 3 * RECORDED, "the first completion is drawn")
    terminals.hang_up("small")
    terminals.hang_up("wide")
    for done in range(1, 4):  # a model at a time, each within the patience of one wait
        wait_until(
            partial(_has_drawn, terminals, done * ASKED + (3 - done) * RECORDED),
            f"{done} of 3 models are done without a terminal",
        )
    terminals.open("again", (120, 35))
    wait_until(lambda: terminals.shows("again", f"/{ASKED}"), "the new terminal shows it all")
    with closing(open_writer(terminals.workspace / "cache" / "explorer.db")) as db:
        assert verify(db) == []


def _has_drawn(terminals: Terminals, count: int) -> bool:
    return _drawn(terminals) >= count


def _drawn(terminals: Terminals) -> int:
    with closing(open_reader(terminals.workspace / "cache" / "explorer.db")) as db:
        row = queries.problem(db, "twins", PROBLEM)
        assert row is not None
        return sum(tally.completions for tally in queries.problem_tallies(db, row.id).values())


def _explorer(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "explorer", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=120,
    )

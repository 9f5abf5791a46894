"""Time to first paint, against an empty Textual app with one DataTable, as a ratio.

Both run as a process of their own in a pseudo-terminal of 120×35; the clock stops when the text
that only a painted frame contains has arrived. Runs alternate, medians are printed.

    python -m benchmarks.first_paint [--workspace DIR] [--runs N]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

EMPTY_APP = """
from textual.app import App
from textual.widgets import DataTable
class Empty(App):
    def compose(self):
        yield DataTable()
    def on_mount(self):
        self.query_one(DataTable).add_columns("painted")
Empty().run()
"""
TIMEOUT_S = 30.0


def seconds_until(command: Sequence[str], marker: bytes) -> float:
    """Seconds from starting `command` until its terminal output contains `marker`."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "35"}
        os.execvp(command[0], list(command))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 35, 120, 0, 0))
    try:
        return _wait_for(terminal, marker, started)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def _wait_for(terminal: int, marker: bytes, started: float) -> float:
    seen = b""
    while time.perf_counter() - started < TIMEOUT_S:
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 65536)
            if marker in seen:
                return time.perf_counter() - started
    sys.exit(f"nothing painted within {TIMEOUT_S:g} s; last output: {seen[-300:]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, help="a demo workspace (made anew if absent)")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    workspace = options.workspace or Path(tempfile.mkdtemp()) / "demo"
    ours = [sys.executable, "-m", "explorer", "demo", "--at", str(workspace)]
    empty = [sys.executable, "-c", EMPTY_APP]
    seconds_until(ours, b"Problems")  # makes the workspace, warms the file cache
    times: dict[str, list[float]] = {"explorer": [], "empty": []}
    for _ in range(options.runs):
        times["explorer"].append(seconds_until(ours, b"Problems"))
        times["empty"].append(seconds_until(empty, b"painted"))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:9} median {medians[name]:.3f} s   min {min(values):.3f}   n={len(values)}")
    print(f"ratio explorer / empty app  {medians['explorer'] / medians['empty']:.2f}")


if __name__ == "__main__":
    main()

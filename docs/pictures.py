"""Draws the README's pictures: the real app on a real workspace, exported as SVG.

python -m docs.pictures WORKSPACE PROBLEM
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from explorer.paths import SETTINGS_NAME
from explorer.settings import reader as settings_reader
from explorer.tui.app import ExplorerApp

HERE = Path(__file__).resolve().parent
SIZE = (120, 34)
SETTLE_S = 2.5
"""Long enough for the reading thread to answer; a picture is no test, so waiting is fine."""


async def draw(workspace: Path, problem: str) -> None:
    """Problems, one problem, and its traces."""
    settings = settings_reader.load(workspace / SETTINGS_NAME)
    app = ExplorerApp(settings, start_sampler=lambda: None)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(SETTLE_S)
        _save(app, "problems")
    app = ExplorerApp(settings, start_sampler=lambda: None, link=problem)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(SETTLE_S)
        _save(app, "problem")
        await pilot.press("t")
        await asyncio.sleep(SETTLE_S)
        await pilot.press(".")
        await asyncio.sleep(SETTLE_S)
        _save(app, "traces")


def _save(app: ExplorerApp, name: str) -> None:
    svg = app.export_screenshot(title=f"rlvr-explorer · {name}")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(f"docs/{name}.svg")


if __name__ == "__main__":
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    asyncio.run(draw(Path(sys.argv[1]), sys.argv[2]))

"""Draws the README's pictures: the real app on a real workspace, exported as SVG.

    python -m docs.pictures WORKSPACE

In the demo's workspace, after what the README's first story asks for:

    rlvr-explorer score -m rl --of base -p which-is-004 -n 64 --wait
    rlvr-explorer branch twins/which-is-004/base#11 -m rl -n 64 --wait
    rlvr-explorer branch twins/which-is-004/base#11 -m base -n 64 --wait
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


PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "problems": ("", ()),
    "problem": ("twins/trees-001", ()),
    "traces": ("twins/trees-001", ("t", ".")),
    "branches": ("twins/which-is-004/base#11@1", ("C",)),
    "evidence": ("twins/which-is-004/distilled#0@1", ("e", "s")),
    "study": ("", ("S",)),
}
"""Name -> the link that is opened, and the keys that are pressed then."""


async def draw(workspace: Path) -> None:
    """Every picture, each from a fresh start of the app."""
    settings = settings_reader.load(workspace / SETTINGS_NAME)
    for name, (link, keys) in PICTURES.items():
        app = ExplorerApp(settings, start_sampler=lambda: None, link=link)
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.sleep(SETTLE_S)
            for key in keys:
                await pilot.press(key)
                await asyncio.sleep(SETTLE_S)
            _save(app, name)


def _save(app: ExplorerApp, name: str) -> None:
    svg = app.export_screenshot(title=f"rlvr-explorer · {name}")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(f"docs/{name}.svg")


if __name__ == "__main__":
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    asyncio.run(draw(Path(sys.argv[1])))

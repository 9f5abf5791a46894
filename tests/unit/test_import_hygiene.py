"""Which modules each way of starting loads, seen from inside a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "vllm", "math_verify", "sympy", "httpx", "pandas"}
"""Never in a process that draws the screen or prints text."""

IMAGES = {"PIL", "textual_image"}
"""Loaded by the first image that is shown."""

NOT_FOR_HELP = HEAVY | IMAGES | {"textual", "rich", "numpy", "sqlite_utils", "sqlite3"}

REPORT = """
import sys
print('--')
for name in sys.modules:
    parts = name.split('.')
    print(parts[0] if parts[0] != 'explorer' else '.'.join(parts[:2]))
"""

RUN = "from explorer.cli.group import cli\nfrom explorer.cli.run import run\n"


def loaded(code: str) -> set[str]:
    """The top-level modules that a process has after running `code`."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(result.stdout.rpartition("--\n")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["report", "--help"], ["open", "--help"], ["nonsense", "-h"]],
)
def test_help_is_light(arguments: list[str]) -> None:
    names = loaded(f"{RUN}run(cli, {arguments})")
    assert "click" in names
    assert not names & NOT_FOR_HELP


def test_printed_text_needs_no_model_and_no_screen(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text("")
    names = loaded(f"{RUN}assert run(cli, ['models', '-w', {str(tmp_path)!r}]) == 0")
    assert "rich" in names
    assert not names & (HEAVY | {"textual"})


def test_first_paint_of_the_screen_needs_no_model_and_no_importer(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text("")
    code = f"""
import asyncio
import sys
from pathlib import Path
import explorer.cli.opening, explorer.cli.prepare, explorer.preparation_note
from explorer.settings.reader import load
from explorer.tui.app import ExplorerApp
before = set(sys.modules)
async def main():
    app = ExplorerApp(load(Path({str(tmp_path / "explorer.toml")!r})), start_sampler=lambda: None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
asyncio.run(main())
assert "numpy" not in before, "the settings and the app must not need numpy"
"""
    names = loaded(code)
    assert "textual" in names
    ours = {"explorer.engines", "explorer.verifiers", "explorer.exchange", "explorer.datasets"}
    assert not names & (HEAVY | IMAGES | ours)

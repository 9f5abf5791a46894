"""The published benchmark files in a workspace: two lines each, brought in and listed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from explorer.preparation import prepare
from explorer.settings.reader import load
from explorer.settings.template import STARTER
from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.widgets.problem_table import ProblemTable
from tests.benchmark_data import BENCHMARKS, FOLDERS, needs_benchmarks
from tests.tui.explorer_app import SeenApp, opened, press, screen_text

pytestmark = needs_benchmarks


def workspace(root: Path) -> Path:
    """What `init` writes, and the benchmarks; returns the settings file."""
    lines = [STARTER]
    for kind, (folder, _) in FOLDERS.items():
        lines.append(f'[datasets.{kind}]\npath = "{BENCHMARKS / folder}"\nformat = "{kind}"\n')
    (root / "problems.jsonl").write_text('{"id": "a", "question": "Q", "answer": "1"}\n')
    path = root / "explorer.toml"
    path.write_text("\n".join(lines))
    return path


async def test_every_benchmark_is_brought_in_and_listed(tmp_path: Path) -> None:
    settings = load(workspace(tmp_path))
    faults = prepare(settings)
    assert faults == []
    said: list[str] = []
    assert prepare(settings, said.append) == faults
    assert said == []  # nothing is read again

    with closing(open_reader(settings.workspace.cache)) as db:
        for kind, (_, count) in FOLDERS.items():
            rows = queries.problems(db, kind)
            assert len(rows) == count
            tested = queries.tested_problem(db, rows[0].id)
            assert tested is not None
            assert (tested.problem.tests is not None) == (tested.problem.verifier == "code")

    app = SeenApp(settings, link="humaneval/HumanEval/7")
    async with opened(app) as pilot:
        assert "HumanEval/7" in screen_text(app)
        assert "filter_by_substring" in screen_text(app)
        await press(pilot, "escape")
        screen = app.screen
        assert isinstance(screen, ProblemsScreen)
        table = screen.query_one(ProblemTable)
        for place, (_, count) in enumerate(FOLDERS.values(), start=1):
            await press(pilot, "d", "home", *["j"] * place, "enter")
            assert len(table.lines) == count
        await press(pilot, "d", "home", "j", "enter", "end")
        assert table.lines[-1].problem.name == "1318"
        assert "1318" in screen_text(app)

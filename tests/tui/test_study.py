"""The Study screen: every part says what the printed study says, and leads to problems."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.tui.render.study_rows import layout
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.screens.study import SECTIONS, StudyScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.pick_list import PickList
from explorer.views.study_grids import Cell, Grid
from explorer.views.study_reader import read_studies
from tests.tui.explorer_app import (
    SeenApp,
    opened,
    press,
    screen_text,
    settings_for,
    settle,
    type_text,
)
from tests.unit.study_cache import build

SIZES = [(80, 24), (120, 35), (200, 50)]

Compare = Callable[..., bool]


def study(app: SeenApp) -> StudyScreen:
    assert isinstance(app.screen, StudyScreen)
    return app.screen


def listed(app: SeenApp, width: int = 400) -> list[str]:
    """Every line of the list, in sight or not, with room for all of it."""
    return ["".join(text for text, _ in one.draw(width)) for one in study(app).entries]


@pytest.mark.parametrize("size", SIZES)
async def test_every_part_shows_the_cells_of_the_printed_study(
    full_cache: Path, size: tuple[int, int]
) -> None:
    settings = settings_for(full_cache)
    whole = (await asyncio.to_thread(read_studies, settings))[0]
    printed = {grid.title: grid for grid in whole.grids()}
    app, seen = SeenApp(settings), set()
    async with opened(app, size) as pilot:
        await press(pilot, "S")
        for place, part in enumerate(SECTIONS):
            await press(pilot, str(place + 1))
            grid = study(app).grid
            assert grid is not None
            assert f"{place + 1} {part.value}" in screen_text(app)
            if grid.title in printed:
                seen.add(grid.title)
                assert grid.rows == printed[grid.title].rows
                lines = listed(app)
                for number, row in enumerate(grid.rows):
                    assert all(str(cell) in lines[number] for cell in row[1:])
                assert grid.title[:20] in screen_text(app)
    assert len(seen) >= 6


async def test_curves_have_a_chart_and_the_other_parts_its_room(full_cache: Path) -> None:
    app = SeenApp(settings_for(full_cache))
    async with opened(app) as pilot:
        await press(pilot, "S")
        assert app.screen.query_one(CurveChart).display
        await press(pilot, "tab")
        assert not app.screen.query_one(CurveChart).display
        assert "2 gaps" in screen_text(app)
        await press(pilot, "shift+tab", "shift+tab")
        assert "8 groups" in screen_text(app)


async def test_a_cell_lists_its_problems_and_enter_opens_one(tmp_path: Path) -> None:
    app = SeenApp(build(tmp_path))
    async with opened(app) as pilot:
        await press(pilot, "S", "3")
        screen = study(app)
        first = screen.view.study.pairs[0] if screen.view else None
        assert first is not None
        lines = listed(app)
        for coverage, members in first.cells.items():
            start = next(
                place for place, line in enumerate(lines) if line.startswith(f"{coverage.value}  ")
            )
            names = [line.split()[0].rstrip("?") for line in lines[start + 1 :][: len(members)]]
            assert names == [member.row.problem.name for member in members]
        target = next(place for place, one in enumerate(screen.entries) if one.problem_id)
        screen.query_one(PickList).move_to(target)
        await press(pilot, "enter")
        assert isinstance(app.screen, ProblemScreen)
        assert app.screen.problem_id == screen.entries[target].problem_id
        await press(pilot, "q")
        assert isinstance(app.screen, StudyScreen)


async def test_enter_or_m_chooses_the_model_whose_cells_are_listed(tmp_path: Path) -> None:
    app = SeenApp(build(tmp_path))
    async with opened(app) as pilot:
        await press(pilot, "S", "3")
        assert study(app).view is not None
        names = [pair.comparison.other.name for pair in study(app).view.study.pairs]  # type: ignore[union-attr]
        assert any(f"only {names[0]} solves" in line for line in listed(app))
        await press(pilot, "j", "enter")
        assert any(f"only {names[1]} solves" in line for line in listed(app))
        await press(pilot, "m")
        assert any(f"only {names[2]} solves" in line for line in listed(app))


async def test_a_filter_changes_every_number_and_q_takes_it_back(tmp_path: Path) -> None:
    settings = build(tmp_path)
    app = SeenApp(settings)
    some = (await asyncio.to_thread(lambda: read_studies(settings, problems="family:f1")))[0]
    async with opened(app) as pilot:
        await press(pilot, "S", "2", "slash")
        await type_text(pilot, "family:f1")
        await press(pilot, "enter")
        grid = study(app).grid
        assert grid is not None
        assert grid.rows == next(one for one in some.grids() if one.title == grid.title).rows
        assert "4 shown" in app.screen.query_one("#status", Line).text
        await press(pilot, "q")
        assert isinstance(app.screen, StudyScreen)
        assert "shown" not in app.screen.query_one("#status", Line).text
        await press(pilot, "q")
        assert isinstance(app.screen, ProblemsScreen)


async def test_column_and_field_are_chosen_with_c(tmp_path: Path) -> None:
    app = SeenApp(build(tmp_path))
    async with opened(app) as pilot:
        await press(pilot, "S", "8", "c", "j", "enter")
        assert "Accuracy by level" in screen_text(app)
        await press(pilot, "6")
        assert "By step" in screen_text(app)
        await press(pilot, "c", "j", "enter")
        assert "By temperature" in screen_text(app)


def test_bands_then_headers_then_columns_give_way() -> None:
    row = (Cell("◆ a-model"), Cell("12.3", "[10.1, 15.0]"), Cell("45.6", "[40.0, 50.1]"))
    grid = Grid("t", ("", "a header that is very long here", "another long one"), (row,))
    wide, less, small, least = (layout(grid, width) for width in (80, 52, 34, 16))
    assert wide.bands
    assert less.bands
    assert sum(less.widths) < sum(wide.widths)
    assert not small.bands
    assert not small.cut
    assert least.cut


def after(*keys: str) -> Callable[[Pilot[None]], object]:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await press(pilot, key)

    return run


@pytest.mark.parametrize(
    ("size", "keys", "theme"),
    [
        ((80, 24), ("S", "3"), "explorer-dark"),
        ((120, 35), ("S",), "explorer-dark"),
        ((200, 50), ("S", "4"), "explorer-light"),
    ],
)
def test_snapshot(
    full_cache: Path,
    snap_compare: Compare,
    size: tuple[int, int],
    keys: tuple[str, ...],
    theme: str,
) -> None:
    """Coverage with its problems; curves over their table; histogram with bars, on white."""
    app = SeenApp(settings_for(full_cache), theme=theme)
    assert snap_compare(app, terminal_size=size, run_before=after(*keys))

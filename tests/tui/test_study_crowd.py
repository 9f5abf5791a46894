"""The Study screen with many arms: nothing is out of reach, and no two arms look alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.tui.render.study_rows import heading, layout, row
from explorer.tui.screens.choose import ChooseScreen
from explorer.tui.screens.study import SECTIONS, StudyScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.views.curves import CurveSet
from explorer.views.series_plot import SeriesPlot
from explorer.views.study_grids import Cell, Grid
from explorer.views.study_snapshot import Section
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, settle

SIZES = [(80, 24), (120, 35), (200, 50)]
EIGHT = tuple(model.name for model in fake_cache.CROWD)
ELEVEN = (*EIGHT, *(model.name for model in fake_cache.CHECKPOINTS))

Compare = Callable[..., bool]


def study(app: SeenApp) -> StudyScreen:
    assert isinstance(app.screen, StudyScreen)
    return app.screen


def drawn(app: SeenApp) -> CurveSet | SeriesPlot | None:
    return app.screen.query_one(CurveChart).curves


def key_of(section: Section) -> str:
    return str(SECTIONS.index(section) + 1)


@pytest.mark.parametrize("size", SIZES)
async def test_every_column_can_be_brought_into_sight(
    steps_cache: Path, size: tuple[int, int]
) -> None:
    app = SeenApp(settings_for(steps_cache, ELEVEN))
    async with opened(app, size) as pilot:
        await press(pilot, "S")
        for section in Section:
            await press(pilot, key_of(section))
            screen = study(app)
            grid = screen.grid
            assert grid is not None
            seen: set[int] = set()
            for _ in range(len(grid.headers)):
                how = screen._layout()
                assert how is not None
                seen |= {*how.columns, *grid.spare}
                if not how.after:
                    break
                assert f"columns {how.columns[1]}–{how.columns[-1]}" in screen_text(app)
                await press(pilot, "greater_than_sign")
            assert seen == set(range(len(grid.headers))), section
            for _ in range(len(grid.headers)):
                await press(pilot, "less_than_sign")
            how = screen._layout()
            assert how is not None
            assert how.bands or not how.before


def test_a_window_of_columns_shows_each_once_and_keeps_the_names() -> None:
    headers = ("", *(f"column {letter}" for letter in "abcdefgh"))
    rows = (tuple(Cell(str(place)) for place in range(len(headers))),)
    grid = Grid("t", headers, rows)
    seen: list[int] = []
    skip = 0
    while True:
        how = layout(grid, 40, skip)
        line = "".join(text for text, _ in row(grid, how, 0)).split()
        assert [int(text) for text in line] == list(how.columns)
        assert sum(how.widths) + 2 * len(how.widths) <= 40
        seen += [place for place in how.columns[1:] if place not in seen]
        if not how.after:
            break
        assert "".join(text for text, _ in heading(grid, how)).endswith("…")
        skip = how.columns[-1]
    assert seen == list(range(1, 9))
    assert layout(grid, 40, 99).columns[-1] == 8
    assert not layout(grid, 200, 5).before


def test_headers_are_never_cut_until_two_look_alike() -> None:
    headers = ("", "grpo-step-150", "grpo-step-300")
    grid = Grid("t", headers, ((Cell("x"), Cell("1"), Cell("2")),))
    shown = "".join(text for text, _ in heading(grid, layout(grid, 34)))
    assert "grpo-step-150" in shown
    assert "grpo-step-300" in shown


async def test_no_two_arms_share_a_mark(steps_cache: Path) -> None:
    app = SeenApp(settings_for(steps_cache, ELEVEN))
    async with opened(app) as pilot:
        await press(pilot, "S")
        view = study(app).view
        assert view is not None
        marks = [column.mark for column in view.study.columns]
        assert len(set(marks)) == len(marks) == 11
        looks = {(mark.marker, mark.colour) for mark in marks}
        assert len(looks) == 11


async def test_the_arm_under_the_cursor_lies_on_top_of_the_chart(crowd_cache: Path) -> None:
    app = SeenApp(settings_for(crowd_cache, EIGHT))
    async with opened(app) as pilot:
        await press(pilot, "S")
        chart = app.screen.query_one(CurveChart)
        assert chart.focused == "base"
        before = [strip.text for strip in chart._strips]
        await press(pilot, "j", "j")
        assert chart.focused == "ppo"
        assert [strip.text for strip in chart._strips] != before
        await press(pilot, "G")  # the last row of the differences is an arm too
        last = study(app).entries[-1]
        assert chart.focused == last.arm != ""


async def test_histograms_get_a_row_each_where_bars_do_not_fit(crowd_cache: Path) -> None:
    app = SeenApp(settings_for(crowd_cache, EIGHT))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "S", "4")
        screen = study(app)
        assert screen.view is not None
        lines = ["".join(text for text, _ in one.draw(80)) for one in screen.entries]
        small = lines[-8:]
        for line, arm in zip(small, screen.view.study.histograms, strict=True):
            assert line.startswith(f"{arm.column.mark.marker} {arm.column.name}")
            bars = line[-4 * 12 :]
            for place, one in enumerate(arm.bins):
                assert (bars[4 * place + 1] != " ") == (one.problems > 0)


async def test_a_series_is_drawn_of_the_chosen_statistic(steps_cache: Path) -> None:
    app = SeenApp(settings_for(steps_cache, ELEVEN))
    async with opened(app) as pilot:
        await press(pilot, "S", key_of(Section.SERIES))
        plot = drawn(app)
        assert isinstance(plot, SeriesPlot)
        assert (plot.field, plot.statistic) == ("step", "pass@1")
        assert [point.text for point in plot.lines[0].points] == ["0", "150", "300", "450"]
        assert "pass@1 over step" in screen_text(app)
        await press(pilot, "y")
        assert isinstance(app.screen, ChooseScreen)
        await press(pilot, "end", "enter")
        plot = drawn(app)
        assert isinstance(plot, SeriesPlot)
        assert plot.statistic == "coverage"
        grid = study(app).grid
        assert grid is not None
        column = grid.headers.index("coverage")
        said = [f"{100 * point.value:.1f}" for point in plot.lines[0].points]
        assert said == [line[column].text for line in grid.rows]
        await press(pilot, "c", "j", "enter")
        plot = drawn(app)
        assert isinstance(plot, SeriesPlot)
        assert plot.in_order
        assert "coverage over method, in order" in screen_text(app)
        assert "Reinforce++" in screen_text(app)


async def test_only_the_series_has_a_statistic(crowd_cache: Path) -> None:
    app = SeenApp(settings_for(crowd_cache, EIGHT))
    async with opened(app) as pilot:
        await press(pilot, "S", "2", "y")
        assert isinstance(app.screen, StudyScreen)


def after(*keys: str) -> Callable[[Pilot[None]], object]:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await press(pilot, key)

    return run


@pytest.mark.parametrize(
    ("size", "keys", "theme"),
    [
        ((80, 24), ("S", "2"), "explorer-dark"),
        ((120, 35), ("S", "j", "j"), "explorer-dark"),
        ((200, 50), ("S", "5"), "explorer-light"),
    ],
)
def test_eight_arms(
    crowd_cache: Path,
    snap_compare: Compare,
    size: tuple[int, int],
    keys: tuple[str, ...],
    theme: str,
) -> None:
    """Gaps with their bands; curves, one of them looked at; boxes of perplexity, on white."""
    app = SeenApp(settings_for(crowd_cache, EIGHT), theme=theme)
    assert snap_compare(app, terminal_size=size, run_before=after(*keys))


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        ((80, 24), ("S", "4", "G")),
        ((120, 35), ("S", "6")),
        ((120, 35), ("S", "6", "c", "j", "enter")),
    ],
)
def test_small_histograms_and_series(
    steps_cache: Path, snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    """A row an arm; training steps with their band; methods in order."""
    app = SeenApp(settings_for(steps_cache, ELEVEN))
    assert snap_compare(app, terminal_size=size, run_before=after(*keys))

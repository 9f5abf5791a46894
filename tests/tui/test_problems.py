"""The home screen: the list, its filter, its order, and what is beneath it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from textual.message import Message

from explorer.store import completions
from explorer.store.connection import open_writer
from explorer.tui.reader import CacheState, Snapshot
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.filter_bar import FilterBar
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.problem_table import ProblemTable
from explorer.tui.widgets.rows import Rows
from explorer.views.set_snapshot import SetList, SetPanel
from tests import fake_cache
from tests.tui.explorer_app import (
    SeenApp,
    opened,
    press,
    screen_text,
    settings_for,
    settle,
    type_text,
)


def home(app: SeenApp) -> ProblemsScreen:
    screen = app.screen
    assert isinstance(screen, ProblemsScreen)
    return screen


def names(app: SeenApp) -> list[str]:
    return [line.problem.name for line in home(app).query_one(ProblemTable).lines]


def status(app: SeenApp) -> str:
    return app.screen.query_one("#status", Line).text


class TestFirstScreen:
    async def test_the_list_comes_before_the_curves_and_each_once(self, full_cache: Path) -> None:
        heard: list[Message] = []
        app = SeenApp(settings_for(full_cache))
        async with opened(app, hook=heard.append):
            values = [m.value for m in heard if isinstance(m, Snapshot) and m.key == "set"]
        kinds = [type(value) for value in values if isinstance(value, SetList | SetPanel)]
        assert kinds == [SetList, SetPanel]

    async def test_rows_columns_and_honest_counts(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app):
            assert len(names(app)) == 40
            assert names(app)[0] == "trees-000"
            assert status(app) == (
                "40 problems · 7,680 completions · 240 undecided · 5,760 recorded"
            )
            text = screen_text(app)
            assert "● base" in text
            assert "27/64? 42%" in " ".join(text.split())
            assert home(app).query_one(CurveChart).curves is not None
            assert "P 36" in " ".join(home(app).query_one("#coverage", Rows).text.split())

    async def test_waits_for_a_cache_that_is_still_being_made(self, tmp_path: Path) -> None:
        path = tmp_path / "explorer.sqlite"
        app = SeenApp(settings_for(path))
        async with opened(app) as pilot:
            assert "Preparing the cache" in screen_text(app)
            fake_cache.build(path, problems=3, n=4, scored=0).close()
            await settle(pilot)
            assert len(names(app)) == 3
            assert "Preparing" not in screen_text(app)

    async def test_a_damaged_cache_is_a_banner_not_a_traceback(self, tmp_path: Path) -> None:
        path = tmp_path / "explorer.sqlite"
        path.write_bytes(b"this is no database, whatever it is called" * 100)
        heard: list[Message] = []
        app = SeenApp(settings_for(path))
        async with opened(app, hook=heard.append) as pilot:
            while not any(isinstance(m, CacheState) and m.error for m in heard):
                app.reader.poke()
                await pilot.pause()
            await pilot.pause()
            banner = app.screen.query_one("#banner", Line)
            assert banner.display
            assert "cache" in banner.text
            assert "Traceback" not in screen_text(app)

    async def test_a_link_opens_its_problem(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache), link="twins/trees-004")
        async with opened(app):
            assert isinstance(app.screen, ProblemScreen)
            assert app.screen.page is not None
            assert app.screen.page.row.problem.name == "trees-004"

    async def test_too_small_a_terminal_is_told_so(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app, size=(50, 12)) as pilot:
            assert "at least 60 × 16" in screen_text(app)
            await pilot.resize_terminal(80, 24)
            await settle(pilot)
            assert "trees-000" in screen_text(app)


class TestList:
    @pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 35), (200, 50), (250, 70)])
    async def test_every_row_is_as_wide_as_the_terminal(
        self, full_cache: Path, size: tuple[int, int]
    ) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app, size=size):
            strips = app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}
            rows = [strip.text for strip in strips if "A road" in strip.text]
            assert rows
            assert all("/64" in row for row in rows)

    async def test_numbers_are_right_aligned(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app):
            rows = [row for row in screen_text(app).splitlines() if "/64" in row]
            assert len({row.index("/64") for row in rows}) == 1

    async def test_moving_repaints_two_rows(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app, size=(200, 50)) as pilot:
            app.sent_bytes()
            await press(pilot, "j")
            assert home(app).query_one(ProblemTable).cursor == 1
            assert 0 < app.sent_bytes() < 3_000

    async def test_strips_are_made_once(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            table = home(app).query_one(ProblemTable)
            made = table.made
            table.refresh()
            await pilot.pause()
            assert table.made == made  # a hit
            await press(pilot, "f2")
            assert table.made > made  # another theme: every row anew
            made = table.made
            await pilot.resize_terminal(100, 35)
            await settle(pilot)
            assert table.made > made

    async def test_a_new_completion_repaints_its_row_only(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache))
        async with opened(app, size=(80, 24)) as pilot:
            table = home(app).query_one(ProblemTable)
            made = table.made
            line = table.lines[2]
            db = open_writer(small_cache)
            choice = home(app).shown
            assert choice is not None
            arm_id = choice.choice.columns[0].arm_id
            cell = fake_cache._completion(
                __import__("numpy").random.default_rng(1), line.problem, 8, 1.0
            )
            completions.append(db, arm_id, line.id, [cell])
            db.close()
            app.sent_bytes()
            await settle(pilot)
            assert table.lines[2].cells[0].completions == line.cells[0].completions + 1
            assert table.made - made <= 2
            assert app.sent_bytes() < 4_000

    async def test_keys_reach_both_ends(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            table = home(app).query_one(ProblemTable)
            await press(pilot, "G")
            assert table.cursor == 39
            assert "hostile" in screen_text(app)
            await press(pilot, "j", "end")
            assert table.cursor == 39
            await press(pilot, "g")
            assert table.cursor == 0
            await press(pilot, "space", "k")
            assert 5 < table.cursor < 39

    async def test_a_hundred_thousand_rows_are_as_quick_to_move_in(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            table = home(app).query_one(ProblemTable)
            shown = home(app).shown
            assert shown is not None
            many = [
                dataclasses.replace(shown.lines[row % 40], id=row + 1, position=row)
                for row in range(100_000)
            ]
            table.show_list(dataclasses.replace(shown, lines=many))
            await pilot.pause()
            made = table.made
            await pilot.press("G")
            await pilot.pause()
            assert table.cursor == 99_999
            assert table.made - made <= table.size.height + 1


class TestFilterAndOrder:
    async def test_typing_filters_and_says_so(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "slash")
            await type_text(pilot, "family:trees base>30%")
            shown = names(app)
            assert shown
            assert all(name.startswith("trees") for name in shown)
            await press(pilot, "enter")
            assert f"40 problems · {len(shown)} shown" in status(app)
            assert home(app).query_one(ProblemTable).has_focus
            assert "family:trees base>30%" in home(app).query_one(FilterBar).said
            panel = home(app).panel
            assert panel is not None
            assert panel.curves.problems == len(shown)
            await press(pilot, "q")
            assert len(names(app)) == 40

    async def test_a_mistake_is_explained_in_place_and_hides_nothing(
        self, full_cache: Path
    ) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "slash")
            await type_text(pilot, "class:S foo<3")
            said = home(app).query_one(FilterBar).said
            assert "no number called 'foo'" in said
            assert "character 9" in said
            assert len(names(app)) == 40
            await press(pilot, "escape")
            assert home(app).filter_text == ""
            assert not home(app).query_one(FilterBar).display

    async def test_history(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            for text in ("family:trees", "family:chains"):
                await press(pilot, "slash")
                home(app).query_one("FilterInput").value = ""  # type: ignore[attr-defined]
                await type_text(pilot, text)
                await press(pilot, "enter")
            await press(pilot, "slash", "up", "up")
            assert all(name.startswith("trees") for name in names(app))

    async def test_the_cursor_comes_back_to_its_problem(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "j", "j", "j", "slash")
            await type_text(pilot, "trees")
            await press(pilot, "escape")
            current = home(app).query_one(ProblemTable).current
            assert current is not None
            assert current.problem.name == "comparing-003"

    async def test_sorting(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "o")
            lines = home(app).query_one(ProblemTable).lines
            rates = [line.cells[0].correct / line.cells[0].n for line in lines]
            assert rates == sorted(rates, reverse=True)
            assert "by base, descending" in status(app)
            assert "● base ▾" in screen_text(app)
            await press(pilot, "O")
            lines = home(app).query_one(ProblemTable).lines
            rates = [line.cells[0].correct / line.cells[0].n for line in lines]
            assert rates == sorted(rates)

    async def test_nothing_passes(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "slash")
            await type_text(pilot, "base>100%")
            await press(pilot, "enter", "j", "enter")
            assert "No problem passes this filter" in screen_text(app)
            assert isinstance(app.screen, ProblemsScreen)


class TestPanel:
    async def test_is_there_when_there_is_room_and_on_a_key(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app, size=(80, 24)) as pilot:
            assert home(app).panel is None
            await press(pilot, "v")
            assert home(app).panel is not None
            assert "mean of 40 problems" in screen_text(app)
            await press(pilot, "v")
            assert "mean of 40 problems" not in screen_text(app)

    async def test_settings_choose_other_arms(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "a", "j", "enter")
            assert "T 0.6" in app.screen.query_one("#title", Line).text
            assert status(app).startswith("40 problems · 0 completions")
            assert "no graded completions" in screen_text(app)

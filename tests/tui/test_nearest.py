"""From a trace to the base samples most like it, and to the two laid beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.core.nearest import Order
from explorer.store import catalog, completions
from explorer.store.connection import open_writer
from explorer.tui.screens.aligned import AlignedScreen
from explorer.tui.screens.nearest import NearestScreen
from explorer.tui.widgets.fact_lines import FactLines
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.pick_list import PickList
from explorer.tui.widgets.side_view import SideView
from explorer.views.side_by_side import By
from tests.fake_cache import hostile_problem_id, spec
from tests.tui.explorer_app import screen_text
from tests.tui.test_traces import completion, empty_cell
from tests.tui.traces_app import TracesApp, opened, settled

SIZES = [(80, 24), (200, 50)]


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def status(app: TracesApp) -> str:
    return app.screen.query_one("#status", Line).text


@pytest.mark.parametrize("size", SIZES)
async def test_the_same_answer_first_then_the_chosen_order(
    full_cache: Path, size: tuple[int, int]
) -> None:
    app = TracesApp(full_cache, 1, (2, 1))
    async with opened(app, size) as pilot:
        await press(pilot, "s")
        screen = app.screen
        assert isinstance(screen, NearestScreen)
        assert len(screen.lines) == 64
        assert "64 samples of base" in status(app)
        for order in (Order.STEPS, Order.PREFIX, Order.TEXT):
            assert screen.order is order
            same = [line.likeness.same_answer for line in screen.lines]
            assert same == sorted(same, reverse=True)
            assert "same" in screen.query_one("#nearest-heading", Line).text
            await press(pilot, "o")
        assert "base" in screen_text(app)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_enter_aligns_the_two_and_keys_walk_the_differences(
    full_cache: Path, size: tuple[int, int]
) -> None:
    app = TracesApp(full_cache, 1, (2, 1))
    async with opened(app, size) as pilot:
        await press(pilot, "s", "G", "enter")
        screen = app.screen
        assert isinstance(screen, AlignedScreen)
        view = screen.query_one(SideView)
        assert view.stacked is (size[0] < 100)
        assert screen.aligned is not None
        many = len(screen.aligned.differences)
        assert many > 1
        facts = screen.query_one(FactLines)
        said = [" ".join(fact.text for fact in line) for line in facts.said]
        assert "p(rl)" in said[0]
        assert "p(base)" in said[0]
        assert "p(base)" in said[1]
        assert "part" in said[2]
        await press(pilot, "n")
        assert view.chosen == 1
        await press(pilot, "G", "n")
        assert view.chosen == many - 1
        await press(pilot, "p", "s")
        assert screen.aligned.by is By.STEPS
        assert "calculations" in status(app)
        assert "◆" in screen_text(app)  # type: ignore[arg-type]


async def test_hostile_text_stays_text(full_cache: Path) -> None:
    from explorer.store.connection import open_reader

    db = open_reader(full_cache)
    problem = hostile_problem_id(db)
    db.close()
    app = TracesApp(full_cache, problem, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "s", "enter")
        assert "[/foo]" in screen_text(app)  # type: ignore[arg-type]
        await press(pilot, "s")
        assert "\x1b]0;owned" not in "".join(app.sent)


async def test_the_base_is_compared_with_its_own_others(full_cache: Path) -> None:
    app = TracesApp(full_cache, 1, (1,))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "s")
        assert isinstance(app.screen, NearestScreen)
        assert len(app.screen.lines) == 63


async def test_another_arm_can_be_chosen(full_cache: Path) -> None:
    app = TracesApp(full_cache, 1, (2,))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "s", "a", "down", "enter")
        assert isinstance(app.screen, NearestScreen)
        assert {line.peer.arm.model.name for line in app.screen.lines} == {"rl"}


async def test_nothing_and_one_sample_to_compare_with(tmp_path: Path) -> None:
    path = tmp_path / "few.db"
    db = open_writer(path)
    problem, base = empty_cell(db)
    rl = catalog.put_arm(db, spec("rl"), "rl")
    completions.append(db, rl, problem, [completion(0, [" so", " 7"])])
    app = TracesApp(path, problem, (rl, base))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "tab", "s")
        assert not isinstance(app.screen, NearestScreen)  # base has nothing to start from
        await press(pilot, "tab", "s")
        assert "no other completion" in app.screen.query_one(PickList).placeholder
        await press(pilot, "enter", "q")
        completions.append(db, base, problem, [completion(0, [" no", " 8"], tokens=False)])
        await press(pilot, "s", "enter")
        assert isinstance(app.screen, AlignedScreen)
        assert "tokens of one of them are not recorded" in status(app)
    db.close()

"""`u` on the Problem screen: what is believed, and the wish to settle it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from explorer.store import settling
from explorer.store.connection import open_reader, open_writer
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.screens.settle import SettleScreen
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.rows import Rows
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, settings_for, settle, type_text


def says(app: SeenApp) -> str:
    return app.screen.query_one("#sureness", Rows).text


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 50)])
async def test_beliefs_and_orders_are_stated(full_cache: Path, size: tuple[int, int]) -> None:
    app = SeenApp(settings_for(full_cache), link="trees-004")
    async with opened(app, size=size):
        text = says(app)
        assert "● base 48% [36–59%]" in text
        assert "prior fitted to 39 other problems" in text
        assert "rl above base: 68%, the same at every k" in text
        assert "not settled; about 256 more samples of each would settle it: u draws them" in text
        assert ("distilled above base: >99.9%" in text) == (size[0] >= 100)


async def test_u_asks_for_a_cap_and_then_the_sampler(small_cache: Path) -> None:
    app = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(app, size=(80, 24)) as pilot:
        assert "prior uniform" in says(app)
        await press(pilot, "u")
        assert isinstance(app.screen, SettleScreen)
        await pilot.press(*["backspace"] * 4)
        await type_text(pilot, "0")
        await press(pilot, "enter")
        assert isinstance(app.screen, SettleScreen)  # 0 is no cap
        await pilot.press("backspace")
        await type_text(pilot, "200")
        await press(pilot, "enter")
        await app.wait_for_write()
        assert app.sampler_starts == 1
        assert isinstance(app.screen, ProblemScreen)
        while "drawing until it is settled, at most 200 of each" not in " ".join(says(app).split()):
            await settle(pilot)
        with closing(open_reader(small_cache)) as db:
            (wish,) = settling.open_wishes(db)
        assert (wish.base, wish.other, wish.cap) == ("base", "rl", 200)
        assert wish.sampling == fake_cache.SAMPLING

        with closing(open_writer(small_cache)) as db:
            settling.close(db, wish, "capped", "not settled at the cap [/x]")
        while "not settled at the cap [/x]" not in " ".join(says(app).split()):
            await settle(pilot)  # a subject that takes long is not read again at once


async def test_a_model_outside_the_settings_cannot_be_drawn(small_cache: Path) -> None:
    app = SeenApp(settings_for(small_cache, models=("base",)), link="trees-004")
    async with opened(app) as pilot:
        await press(pilot, "u")
        assert isinstance(app.screen, ProblemScreen)


async def test_the_set_says_whether_its_curves_cross(full_cache: Path) -> None:
    app = SeenApp(settings_for(full_cache))
    async with opened(app):
        assert isinstance(app.screen, ProblemsScreen)
        title = app.screen.query_one("#panel-title", Line).text
        assert "base is nowhere below rl up to k = 64" in title


@pytest.mark.parametrize("link", ["trees-004", ""])
async def test_diversity_is_on_a_key(full_cache: Path, link: str) -> None:
    app = SeenApp(settings_for(full_cache), link=link)
    async with opened(app, size=(80, 24)) as pilot:
        await press(pilot, "y")
        assert isinstance(app.screen, TextScreen)
        text = app.screen.query_one("#text-rows", Rows).text
        assert "answer entropy, nats" in text
        assert ("right in ≥ 50%" in text) == (not link)
        assert all(len(line) <= 72 for line in text.splitlines())

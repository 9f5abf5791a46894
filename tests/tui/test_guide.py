"""Guided sampling on the screen: the dialogue in Study, and its part of Runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from explorer.core.guidance import default_ks
from explorer.store import guides, queries, requests, speeds
from explorer.store.connection import open_reader, open_writer
from explorer.store.guides import GuideRow, Limits, NewDraw, Wish
from explorer.tui.screens.choose import ChooseScreen
from explorer.tui.screens.guide import PROPOSED, GuideScreen
from explorer.tui.screens.runs import RunsScreen
from explorer.tui.screens.study import StudyScreen
from explorer.tui.widgets.rows import Rows
from tests import fake_cache
from tests.tui.explorer_app import (
    FROZEN_AT,
    SeenApp,
    opened,
    press,
    screen_text,
    settings_for,
    settle,
    type_text,
)

Compare = Callable[..., bool]


def estimate(app: SeenApp) -> str:
    return " ".join(app.screen.query_one("#guide-estimate", Rows).text.split())


async def until_estimated(pilot: Pilot[None], words: str) -> None:
    app = pilot.app
    assert isinstance(app, SeenApp)
    while words not in estimate(app):
        await settle(pilot, rounds=1)


async def fill(pilot: Pilot[None], field: str, text: str) -> None:
    """Put text into a field as if it had been typed there."""
    pilot.app.screen.query_one(f"#guide-{field}", Input).focus()
    pilot.app.screen.query_one(f"#guide-{field}", Input).value = ""
    await pilot.pause()
    await type_text(pilot, text)


def all_of(cache: Path) -> list[GuideRow]:
    with closing(open_reader(cache)) as db:
        return guides.all_guides(db)


class TestDialogue:
    async def test_takes_arms_and_filter_from_the_study_and_says_the_cost(
        self, small_cache: Path
    ) -> None:
        app = SeenApp(settings_for(small_cache, models=("base", "rl")))
        async with opened(app, size=(80, 24)) as pilot:
            await press(pilot, "S", "slash")
            await type_text(pilot, "family:trees")
            await press(pilot, "enter", "s")
            assert isinstance(app.screen, GuideScreen)
            wish = app.screen.wish
            assert wish.models == ("base", "rl")
            assert wish.pairs == ((0, 1),)
            assert wish.named == "family:trees"
            assert len(wish.problem_ids) == 2
            assert wish.sampling == fake_cache.SAMPLING
            await until_estimated(pilot, "992 samples")  # 2 problems, 2 models, 256 less 8
            assert "time unknown until the first batch" in estimate(app)
            assert "enter begins" in screen_text(app)  # nothing is cut off at 80×24

    async def test_enter_asks_and_starts_the_sampler(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache))
        async with opened(app, size=(80, 24)) as pilot:
            await press(pilot, "S", "s")
            await fill(pilot, "n", "64")
            await fill(pilot, "samples", "100")
            await fill(pilot, "tokens", "2k")
            await fill(pilot, "minutes", "30")
            await until_estimated(pilot, "A limit comes first")
            assert "enter begins" in screen_text(app)
            await press(pilot, "enter")
            await app.wait_for_write()
            assert isinstance(app.screen, StudyScreen)
            assert app.sampler_starts == 1
        (guide,) = all_of(small_cache)
        assert guide.state == "open"
        assert guide.wish.models == ("base", "rl", "distilled")
        assert guide.wish.pairs == ((0, 1), (0, 2))
        assert len(guide.wish.problem_ids) == 6
        assert (guide.wish.n, guide.wish.ks) == (64, default_ks(64))
        assert guide.wish.limits == Limits(100, 2000, 1800.0)

    async def test_what_is_no_number_is_said_and_asks_nothing(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "S", "s")
            await fill(pilot, "n", "0")
            await press(pilot, "enter")
            fault = app.screen.query_one("#guide-error", Static)
            assert "from 1 to 100,000" in str(fault.render())
            await fill(pilot, "n", str(PROPOSED))
            assert not fault.display
            await fill(pilot, "tokens", "many")
            await press(pilot, "enter")
            assert "tokens: a number such as" in str(fault.render())
            await press(pilot, "escape")
            assert isinstance(app.screen, StudyScreen)
        assert all_of(small_cache) == []
        assert app.sampler_starts == 0

    async def test_without_a_model_that_can_be_sampled_it_does_not_open(
        self, small_cache: Path
    ) -> None:
        app = SeenApp(settings_for(small_cache, models=()))
        async with opened(app) as pilot:
            await press(pilot, "S", "s")
            assert isinstance(app.screen, StudyScreen)
            assert "is in explorer.toml" in " ".join(screen_text(app).split())


def busy(cache: Path, named: str = "class:S", asked: float = FROZEN_AT - 60) -> int:
    """A guide that draws, a paused one, and a speed that was measured; returns the first's id."""
    with closing(open_writer(cache)) as db:
        ids = tuple(row.id for row in queries.problems(db))
        wish = Wish(
            ("base", "rl"), ((0, 1),), ids[:4], named, fake_cache.SAMPLING, 256, default_ks(256),
            Limits(tokens=2_000_000, seconds=1800.0),
        )  # fmt: skip
        first = guides.ask(db, wish)
        row = guides.by_id(db, first)
        assert row is not None
        why = "0/32, not solved yet: one hit would change its class"
        guides.draw(
            db,
            row,
            [
                NewDraw("rl", ids[0], 48, 16, why),
                NewDraw("rl", ids[1], 48, 16, "12/32, its band overlaps that of base (9/32)"),
            ],
        )
        running = guides.draws(db, first)[0].request_id
        requests.set_state(db, running, "running")
        db.execute(
            "UPDATE guide SET samples = 640, tokens = 31000, seconds = 95, asked = ?", (asked,)
        )
        db.execute("UPDATE request SET asked = id, updated = ?", (asked,))
        for arm in queries.arms(db):
            if arm.model.name in wish.models:
                speeds.note(db, arm.id, "gpu-host", 120_000, 60.0)
    return first


class TestRuns:
    @pytest.fixture(autouse=True)
    def this_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("explorer.views.guides.socket.gethostname", lambda: "gpu-host")

    async def test_says_how_far_it_is_what_it_draws_and_why(self, small_cache: Path) -> None:
        first = busy(small_cache, named="[/foo] \x1b[2J")
        app = SeenApp(settings_for(small_cache))
        async with opened(app, size=(120, 40)) as pilot:
            await press(pilot, "r")
            await settle(pilot)
            assert isinstance(app.screen, RunsScreen)
            text = app.screen.query_one("#runs", Rows).text
            assert f"{first} open" in text
            assert "256 of each of 4 problems ([/foo] ␛[2J)" in text
            assert "base  32/1,024" in text
            assert "2,000 tok/s" in text
            assert "spent 640 samples, 31,000 tokens, 2 min; at most 2,000,000 tokens" in text
            assert "now rl on twins/trees-000: 0/32, not solved yet" in text
            assert "1 cells of this round wait" not in text
            assert "1 cell of this round waits" in text
            assert "left" in text

    async def test_p_pauses_and_resumes(self, small_cache: Path) -> None:
        first = busy(small_cache)
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "r", "p")
            await app.wait_for_write()
            assert all_of(small_cache)[0].state == "paused"
            assert app.sampler_starts == 0
            with closing(open_reader(small_cache)) as db:
                assert requests.open_requests(db) == []
            while f"{first} paused" not in app.screen.query_one("#runs", Rows).text:
                await settle(pilot, rounds=1)
            await press(pilot, "p")
            await app.wait_for_write()
            assert all_of(small_cache)[0].state == "open"
            assert app.sampler_starts == 1

    async def test_c_cancels_one_of_them(self, small_cache: Path) -> None:
        busy(small_cache)
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "r", "c")
            assert isinstance(app.screen, ChooseScreen)
            assert "guided sampling 1: 256 of each of 4 problems (class:S)" in screen_text(app)
            await press(pilot, "j", "enter")
            await app.wait_for_write()
        assert all_of(small_cache)[0].state == "cancelled"

    async def test_p_without_any_says_so(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "r", "p")
            assert "no guided sampling" in screen_text(app)


def after(*keys: str) -> Callable[[Pilot[None]], object]:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await press(pilot, key)
        if isinstance(pilot.app.screen, GuideScreen):
            await until_estimated(pilot, "without loading models")

    return run


class TestSnapshots:
    """How it is laid out."""

    @pytest.fixture
    def measured(self, small_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setattr("explorer.views.guides.socket.gethostname", lambda: "gpu-host")
        monkeypatch.chdir(tmp_path)
        with closing(open_writer(small_cache)) as db:
            for arm in queries.arms(db):
                speeds.note(db, arm.id, "gpu-host", 120_000, 60.0)
        return Path("explorer.sqlite")

    def test_dialogue(self, measured: Path, snap_compare: Compare) -> None:
        """The cost of everything, arm by arm, before it starts; whole on 80×24."""
        app = SeenApp(settings_for(measured))
        assert snap_compare(app, terminal_size=(80, 24), run_before=after("S", "s"))

    def test_runs(self, measured: Path, snap_compare: Compare) -> None:
        """One at work: progress by arm, what was spent of what, what is drawn now and why."""
        busy(measured)
        app = SeenApp(settings_for(measured))
        assert snap_compare(app, terminal_size=(120, 40), run_before=after("r"))

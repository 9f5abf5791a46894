"""The Problem screen: what it says of a problem, and what its keys ask for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from explorer.core.arm import Sampling
from explorer.errors import EngineError
from explorer.store import queries, requests, status
from explorer.store.connection import open_reader, open_writer
from explorer.store.rows import LiveRow, RequestRow, SamplerRow
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.screens.text import TextScreen
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.line import Line
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


def shown(app: SeenApp) -> ProblemScreen:
    screen = app.screen
    assert isinstance(screen, ProblemScreen)
    return screen


def says(app: SeenApp, where: str) -> str:
    return app.screen.query_one(where, Rows).text


def asked(cache: Path) -> list[RequestRow]:
    with closing(open_reader(cache)) as db:
        return requests.select(db, "1", ())


class TestPage:
    async def test_statement_gold_verdict_arms_answers(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache), link="trees-004")
        async with opened(app):
            assert "Write x = a/b + 4 if it helps." in says(app, "#statement")
            assert "gold 32" in says(app, "#statement")
            verdict = says(app, "#verdict")
            assert "P preserved" in verdict
            assert "base 31/64, rl 34/64" in verdict
            assert "observed at n = 64 vs 64, T 1 · ≤160 tok, verifier math-1" in verdict
            arms = says(app, "#arms")
            assert "pass@32" in arms
            assert "GRPO" in arms
            answers = says(app, "#answers").splitlines()
            assert answers[1].split()[:3] == ["✓", "32", "31"]
            assert answers[-1].split()[:4] == ["?", "no", "answer", "2"]
            assert "5 of 40" in app.screen.query_one("#title", Line).text

    async def test_the_source_of_a_statement_is_on_a_key(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache), link="trees-004")
        async with opened(app) as pilot:
            await press(pilot, "m")
            assert "\\frac{a}{b}" in says(app, "#statement")
            await press(pilot, "m")
            assert "\\frac" not in says(app, "#statement")

    async def test_the_exact_prompt_is_on_a_key(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache), link="trees-004")
        async with opened(app) as pilot:
            await press(pilot, "p")
            assert isinstance(app.screen, TextScreen)
            text = says(app, "#text-rows")
            assert "Question: A road is 160 metres long." in text
            assert "\\frac{a}{b}" in text  # as it is sent, not as it is read
            assert "tokens" in text
            await press(pilot, "q")
            assert isinstance(app.screen, ProblemScreen)

    async def test_next_and_previous_walk_through_the_filter(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "slash")
            await type_text(pilot, "family:chains")
            await press(pilot, "enter", "enter")
            names = []
            for key in ("n", "n", "N"):
                await press(pilot, key)
                page = shown(app).page
                assert page is not None
                names.append(page.row.problem.name)
            assert names == ["chains-006", "chains-010", "chains-006"]
            await press(pilot, "q")
            assert isinstance(app.screen, ProblemsScreen)
            current = app.screen.query_one("ProblemTable").current  # type: ignore[attr-defined]
            assert current.problem.name == "chains-006"

    async def test_traces_open_with_the_arms_that_are_shown(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache), link="trees-004")
        async with opened(app) as pilot:
            await press(pilot, "t")
            assert isinstance(app.screen, TracesScreen)
            assert len(app.screen.arm_ids) == 3

    @pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 35), (250, 70)])
    async def test_fits(self, full_cache: Path, size: tuple[int, int]) -> None:
        app = SeenApp(settings_for(full_cache), link="hostile")
        async with opened(app, size=size):
            strips = app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}


class TestSampling:
    async def test_s_asks_for_twice_as_many_of_every_arm(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "s")
            await app.wait_for_write()
            await settle(pilot)
            assert {(one.model, one.n) for one in asked(small_cache)} == {
                ("base", 64),
                ("rl", 64),
                ("distilled", 64),
            }
            assert {one.priority for one in asked(small_cache)} == {requests.INTERACTIVE}
            assert app.sampler_starts == 1
            assert "8/64" in says(app, "#live")
            assert "no sampler is running" in says(app, "#live")
            await press(pilot, "s")
            await app.wait_for_write()
            assert {one.n for one in asked(small_cache)} == {128}

    async def test_models_that_are_only_recorded_are_not_asked_for(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache, models=("rl",)), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "s")
            await app.wait_for_write()
            assert [one.model for one in asked(small_cache)] == ["rl"]

    async def test_with_no_model_configured_it_says_why(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache, models=()), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "s")
            assert "explorer.toml" in screen_text(app)
            assert asked(small_cache) == []

    async def test_n_and_settings_can_be_chosen(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "S", "backspace", "backspace", "3", "2", "down", "down", "enter")
            await app.wait_for_write()
            await settle(pilot)
            paper = Sampling(0.6, 0.95, 0, 16384)
            assert {(one.n, one.sampling) for one in asked(small_cache)} == {(32, paper)}
            assert "T 0.6" in app.screen.query_one("#title", Line).text

    async def test_a_wrong_number_is_said_in_place(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "S", "backspace", "backspace", "0", "enter")
            assert "a number from 1" in screen_text(app)
            await press(pilot, "escape")
            assert asked(small_cache) == []

    async def test_x_cancels(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache), link="sharing-001")
        async with opened(app) as pilot:
            await press(pilot, "s")
            await app.wait_for_write()
            await press(pilot, "x")
            await app.wait_for_write()
            await settle(pilot)
            assert {one.state for one in asked(small_cache)} == {"cancelled"}
            assert not app.screen.query_one("#live").display

    async def test_streams_progress_and_failures_are_shown(self, small_cache: Path) -> None:
        with closing(open_writer(small_cache)) as db:
            make_busy(db, "sharing-001")
        app = SeenApp(settings_for(small_cache), link="sharing-001")
        async with opened(app) as pilot:
            live = says(app, "#live")
            assert "8/32  running" in live
            assert "and both [b]ends[/b] carry a tree" in live
            assert "The model could not be loaded" in live
            assert "Point [models.rl] at a checkpoint." in live
            assert "212 tok/s" in app.screen.query_one("#title", Line).text
            app.sent_bytes()
            with closing(open_writer(small_cache)) as db:
                set_stream(db, "sharing-001", "one more word")
            await settle(pilot)
            assert "one more word" in says(app, "#live")
            assert app.sent_bytes() < 3_000  # one line, not the page


def make_busy(db: sqlite3.Connection, name: str) -> None:
    """A base request that runs, an rl request that failed, and a stream."""
    row = queries.problem(db, fake_cache.DATASET, name)
    assert row is not None
    arms = {arm.model.name: arm.id for arm in queries.arms(db)}
    running = requests.ask_for_completions(db, "base", row.id, fake_cache.SAMPLING, 32)
    requests.set_state(db, running, "running", arm_id=arms["base"])
    failed = requests.ask_for_completions(db, "rl", row.id, fake_cache.SAMPLING, 32)
    error = EngineError(
        "The model could not be loaded",
        "/models/rl has no config.json \x1b[2J.",
        "Point [models.rl] at a checkpoint.",
    )
    requests.set_state(db, failed, "failed", error)
    status.report_sampler(
        db,
        SamplerRow(
            pid=4242,
            host="gpu-host",
            started=FROZEN_AT - 300,
            heartbeat=FROZEN_AT - 1,
            state="sampling",
            model="base",
            detail="",
            tokens_per_s=212.4,
            stop_requested=0,
        ),
    )
    set_stream(db, name, "The road has gaps\nand both [b]ends[/b] carry a tree")


def set_stream(db: sqlite3.Connection, name: str, text: str) -> None:
    row = queries.problem(db, fake_cache.DATASET, name)
    assert row is not None
    arms = {arm.model.name: arm.id for arm in queries.arms(db)}
    status.replace_live(db, [LiveRow(arms["base"], row.id, 8, text, 30, FROZEN_AT)])

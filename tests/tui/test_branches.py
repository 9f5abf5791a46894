"""Branches in Traces: asking for them, their marks and rates, and the list of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from explorer.core.arm import prefix_digest
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.store import branches, catalog, completions, queries, requests
from explorer.store.connection import open_reader, open_writer
from explorer.tui.screens.branches import BranchesScreen
from explorer.tui.screens.fork import ForkScreen
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.rows import Rows
from explorer.tui.widgets.value_chart import ValueChart
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, settle


def drawn(cache: Path, completion_id: int, position: int, right: int, wrong: int) -> int:
    """A branch of base with graded completions, as a sampler leaves it; returns its arm."""
    with closing(open_writer(cache)) as db:
        branch_id = branches.ask_for_branch(
            db, completion_id, position, "base", fake_cache.SAMPLING, right + wrong
        )
        branch = branches.by_id(db, branch_id)
        trace = queries.trace(db, completion_id)
        assert branch is not None
        assert trace is not None
        assert trace.tokens is not None
        ids = trace.tokens.ids[:position].tolist()
        spec = replace(fake_cache.spec("base"), prefix=prefix_digest(ids))
        arm_id = catalog.put_arm(db, spec, "base")
        (request_id,) = branches.request_ids(db, [branch_id])
        branches.know_arm(db, request_id, arm_id)
        cell = []
        for index in range(right + wrong):
            text = f"{trace.text[:9]} and so on, {index}."
            outcome = Outcome.CORRECT if index < right else Outcome.WRONG
            verdict = Verdict("math", "math-1", outcome, str(index), "boxed")
            cell.append((Completion(index, 0, text, FinishReason.STOP, None), verdict))
        completions.append(db, arm_id, trace.problem_id, cell)
        requests.set_state(db, request_id, "done")
    return arm_id


def first_completion(cache: Path, model: str, problem: str) -> int:
    with closing(open_reader(cache)) as db:
        row = queries.problem(db, fake_cache.DATASET, problem)
        arm = next(arm for arm in queries.arms(db) if arm.model.name == model)
        assert row is not None
        return queries.heads(db, arm.id, row.id)[0].id


async def test_a_person_asks_for_a_branch_and_for_a_grid(small_cache: Path) -> None:
    app = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(app, size=(80, 24)) as pilot:
        await press(pilot, "t", "right", "right", "right", "c")
        assert isinstance(app.screen, ForkScreen)
        text = screen_text(app)
        assert "Go on from token 4, after 3 tokens" in text
        assert "base from here" in text
        await press(pilot, "enter")
        await app.wait_for_write()
        await press(pilot, "c", "down", "down", "down")  # base over the trace
        app.screen.query_one(Input).value = "4"
        await press(pilot, "enter")
        await app.wait_for_write()
        assert app.sampler_starts == 2
    with closing(open_reader(small_cache)) as db:
        found = branches.of_completion(db, first_completion(small_cache, "base", "trees-004"))
        tokens = queries.trace(db, found[0].completion_id)
        assert tokens is not None
        assert tokens.tokens is not None
    here = [one for one in found if one.asked == 16]
    assert [(one.model, one.position, one.state) for one in here] == [("base", 3, "queued")]
    grid = [one for one in found if one.asked == 4]
    assert next(one.position for one in grid) == 0
    assert len(grid) == 9
    assert grid[-1].position == len(tokens.tokens) - 1


async def test_rates_stand_in_the_inspector_and_in_the_list(small_cache: Path) -> None:
    completion = first_completion(small_cache, "base", "trees-004")
    drawn(small_cache, completion, 3, right=0, wrong=8)
    arm_id = drawn(small_cache, completion, 6, right=6, wrong=2)
    app = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(app, size=(80, 24)) as pilot:
        await press(pilot, "t")
        assert "├" in screen_text(app) or "▸" in screen_text(app)
        assert "from here" not in screen_text(app)
        await press(pilot, "right", "right", "right")
        assert "base from here 0/8 = 0%" in screen_text(app)
        await press(pilot, "C")
        assert isinstance(app.screen, BranchesScreen)
        curve = app.screen.query_one("#branch-curve", Rows).text
        assert "base handed 6 tokens solves it 75%, handed 3 tokens 0%" in curve
        assert "6/8 = 75%" in screen_text(app)
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, TracesScreen)
        assert app.screen.arm_ids == (arm_id,)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_curve_follows_the_token_cursor_and_leads_it(
    small_cache: Path, size: tuple[int, int]
) -> None:
    completion = first_completion(small_cache, "base", "trees-004")
    for position, right in ((0, 4), (3, 8), (6, 1)):
        drawn(small_cache, completion, position, right=right, wrong=8 - right)
    app = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(app, size=size) as pilot:
        await press(pilot, "t", "right", "right", "right", "right")
        traces = app.screen
        assert isinstance(traces, TracesScreen)
        await press(pilot, "C")
        chart = app.screen.query_one(ValueChart)
        assert chart.chosen == 3, "the branch before the token under the cursor"
        assert traces.column.view.token == 4, "opening the screen moves nothing"
        text = screen_text(app)
        assert "↓" in text
        assert "falls most 8/8 = 100% → 1/8 = 12% at tokens 4–6" in text
        await press(pilot, "up")
        assert (chart.chosen, traces.column.view.token) == (0, 0)
        await press(pilot, "d")
        assert (chart.chosen, traces.column.view.token) == (3, 3)
        await press(pilot, "down", "q")
        assert traces.column.view.token == 6


async def test_branch_arms_stand_in_no_table(small_cache: Path) -> None:
    before = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(before):
        assert isinstance(before.screen, ProblemScreen)
        table = before.screen.query_one("#arms", Rows).text
    completion = first_completion(small_cache, "base", "trees-004")
    drawn(small_cache, completion, 6, right=40, wrong=2)
    after = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(after) as pilot:
        await settle(pilot)
        assert after.screen.query_one("#arms", Rows).text == table


async def test_without_branches_the_list_says_how_to_make_one(small_cache: Path) -> None:
    app = SeenApp(settings_for(small_cache), link="trees-004")
    async with opened(app, size=(60, 16)) as pilot:
        await press(pilot, "t", "C")
        assert "c in Traces" in app.screen.query_one("#branch-curve", Rows).text
        await press(pilot, "q")
        assert isinstance(app.screen, TracesScreen)

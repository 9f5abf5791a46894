"""Parity marks and their page, and the prompt preview, by keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from explorer.core.completion import TokenScores
from explorer.settings.reader import TEMPLATES
from explorer.store import catalog, completions, facts, noise, queries
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.screens.prompt import PromptScreen
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.rows import Rows
from explorer.views.overlay import Overlay, legend
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for
from tests.tui.traces_app import TracesApp, settled


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """A cache whose rl arm has another end token than the base's, both recorded."""
    path = tmp_path / "cache.sqlite"
    db = fake_cache.build(path, problems=6, n=8, scored=8)
    for arm in queries.arms(db):
        ends = "[2,7]" if arm.model.name == "rl" else "[2]"
        facts.put_facts(db, arm.id, {"eos": ends, "version": "1", "generation.use": "ignored"})
    db.close()
    return path


def status(app: SeenApp) -> str:
    return app.screen.query_one("#status", Line).text


async def test_equal_arms_carry_no_mark(full_cache: Path) -> None:
    app = SeenApp(settings_for(full_cache))
    async with opened(app) as pilot:
        assert "parity" not in status(app)
        await press(pilot, "e")
        assert "rl against base" in screen_text(app)
        assert "✗" not in screen_text(app)


async def test_a_doubt_is_marked_and_listed_on_a_key(uneven: Path) -> None:
    app = SeenApp(settings_for(uneven))
    async with opened(app) as pilot:
        assert isinstance(app.screen, ProblemsScreen)
        assert "1 parity doubt · e" in status(app)
        await press(pilot, "e")
        assert isinstance(app.screen, TextScreen)
        page = app.screen.query_one("#text-rows", Rows).text
        assert "End tokens: base [2], rl [2,7]." in page
        assert "Give both checkpoints the same eos_token_id" in page
        assert "Noise floor" in page
        await press(pilot, "q", "enter")
        assert isinstance(app.screen, ProblemScreen)
        arms = app.screen.query_one("#arms", Rows).text
        assert "≠ rl / base: 1 parity doubt" in arms
        assert "distilled / base" not in arms
        await press(pilot, "e")
        assert "End tokens: base [2], rl [2,7]." in screen_text(app)


async def test_the_mark_follows_the_cache(uneven: Path) -> None:
    app = SeenApp(settings_for(uneven))
    async with opened(app) as pilot:
        db = open_writer(uneven)
        distilled = next(arm for arm in queries.arms(db) if arm.model.name == "distilled")
        facts.put_facts(db, distilled.id, {"eos": "[9]"})
        db.close()
        await press(pilot, "j")
        assert "2 parity doubts · e" in status(app)


async def test_prompts_are_shown_before_anything_was_sampled(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    db = open_writer(path)
    catalog.put_problems(db, [fake_cache._problem(0)])
    db.close()
    settings = settings_for(path)
    settings = replace(settings, templates={**settings.templates, **TEMPLATES})
    app = SeenApp(settings)
    async with opened(app, size=(120, 60)) as pilot:
        await press(pilot, "enter", "p")
        assert isinstance(app.screen, PromptScreen)
        text = screen_text(app)
        assert "this text is what would be sent" in text
        assert "A road is 100 metres long." in text
        while app.screen.choice != "qwen-boxed":
            await press(pilot, "t")
        text = screen_text(app)
        assert "template: qwen-boxed" in text
        assert "the model's own chat template wraps these turns" in text
        assert "[system]" in text
        assert "You are a helpful assistant." in text
        await press(pilot, "T")
        assert app.screen.choice != "qwen-boxed"
        await press(pilot, "q")
        assert isinstance(app.screen, ProblemScreen)


async def test_a_stored_prompt_is_shown_as_sent(full_cache: Path) -> None:
    app = SeenApp(settings_for(full_cache), link="trees-004")
    async with opened(app) as pilot:
        await press(pilot, "p")
        assert "as sent, " in screen_text(app)


def measured(path: Path, shift: float) -> None:
    """Let every model score its own samples, `shift` nats off."""
    db = open_writer(path)
    for arm in queries.arms(db):
        scorer = ScorerRow(0, arm.model.name, arm.spec.checkpoint, "tok:1", "fake", "float32")
        scorer_id = catalog.put_scorer(db, scorer)
        for head in queries.heads(db, arm.id, 1):
            trace = queries.trace(db, head.id)
            assert trace is not None
            assert trace.tokens is not None
            assert trace.tokens.logprobs is not None
            known = next(iter(trace.scores.values()))
            again = TokenScores(
                trace.tokens.logprobs - shift, known.ranks, known.entropies,
                known.top_ids, known.top_logprobs, known.top_texts,
            )  # fmt: skip
            completions.record_score(db, scorer_id, head.id, again)
    assert noise.measure_all(db) == 4  # the base had scored its own before
    db.close()


async def test_the_floor_is_told_and_nothing_within_it_is_coloured(uneven: Path) -> None:
    app = TracesApp(uneven, 1, (1, 2, 3))
    async with app.run_test(size=(160, 40)) as pilot:
        await settled(pilot)
        await pilot.press("tab", "2")
        await settled(pilot)
        assert "noise floor not measured" in screen_text(app)  # type: ignore[arg-type]
        before = app.traces.column.view.colouring
        assert before is not None
        measured(uneven, 0.7)
        await settled(pilot, rounds=3)
        text = screen_text(app)  # type: ignore[arg-type]
        assert "noise floor 0.70 nat (99%, n = " in text
        assert "<±0.7" in text
        after = app.traces.column.view.colouring
        assert after is not None
        delta = app.traces.column.likelihoods
        assert delta is not None
        assert delta.delta is not None
        assert (before.levels != 0).sum() > (after.levels != 0).sum() > 0
        assert not after.levels[abs(delta.delta) < 0.7].any()


def test_a_legend_without_a_floor_says_so() -> None:
    told = legend(Overlay.DELTA, "base")
    assert (told.noise, told.short_noise) == ("noise floor not measured", "floor ?")
    assert legend(Overlay.SURPRISAL, "base").noise == ""

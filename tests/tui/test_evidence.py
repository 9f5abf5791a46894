"""The Evidence screen: what it shows, where its keys lead, and what it asks the sampler for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from explorer.core.arm import Sampling
from explorer.core.completion import Completion, FinishReason, Tokens, TokenScores
from explorer.core.support import Truncation
from explorer.store import catalog, completions, queries, requests, support
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from explorer.tui.screens.evidence import EvidenceScreen
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.key_line import distinct_bindings
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.rows import Rows
from tests.fake_cache import MODELS, _problem, build, hostile_problem_id, spec
from tests.tui.explorer_app import screen_text as full_text
from tests.tui.traces_app import TracesApp, opened, settled

ARMS = (1, 2, 3)
CUT = Sampling(0.6, top_p=0.95)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "fake.db"
    build(path, problems=2, n=6, scored=4).close()
    return path


@pytest.fixture
def writer(cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(cache)) as db:
        yield db


class EvidenceApp(TracesApp):
    """The Traces screen of a workspace that has a cutting preset."""

    def __init__(self, cache: Path, problem_id: int, arm_ids: tuple[int, ...] = ARMS) -> None:
        super().__init__(cache, problem_id, arm_ids)
        self.settings.presets["cut"] = CUT  # type: ignore[index]


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, each only once what the one before it led to has been read."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot, rounds=2)


def screen_of(app: TracesApp) -> EvidenceScreen:
    screen = app.screen
    assert isinstance(screen, EvidenceScreen)
    return screen


def rows_of(app: TracesApp) -> str:
    return screen_of(app).query_one("#evidence-rows", Rows).text


def status(app: TracesApp) -> str:
    return screen_of(app).query_one("#status", Line).text


def outside(db: sqlite3.Connection, completion: int, places: tuple[int, ...]) -> None:
    """Have base's sampler at CUT leave out these tokens of a scored completion."""
    (row,) = support.scored(db, completion)
    length = len(row.scores.logprobs)
    above = np.zeros(length, np.float32)
    above[list(places)] = 0.9999
    tempered = np.minimum(row.scores.logprobs, -0.01)
    zeros, ones = np.zeros(length, np.float32), np.ones(length, np.float32)
    found = Truncation(tempered, above, ones, zeros)
    support.record(db, row.scorer.id, completion, CUT, found, 600)


def rl_completion(db: sqlite3.Connection, problem: int = 1) -> int:
    return queries.heads(db, 2, problem)[0].id


class TestSupportPanel:
    @pytest.mark.parametrize("size", [(80, 24), (200, 50)])
    async def test_opens_on_the_trace_under_the_cursor(
        self, cache: Path, writer: sqlite3.Connection, size: tuple[int, int]
    ) -> None:
        outside(writer, rl_completion(writer), (9, 20))
        app = EvidenceApp(cache, 1)
        async with opened(app, size) as pilot:
            await press(pilot, "tab", "e")
            text = rows_of(app)
            assert "rl #0" in text
            assert "Every token is inside base's support." in text
            assert "base's sampler at T 1, nothing cut · exact" in text
            assert "base on its own #" in text
            assert "rl on this trace" in text
            await press(pilot, "s")
            text = rows_of(app)
            assert "First token outside: 10 of " in text
            assert "2 of " in text
            assert "No number of samples draws exactly this text." in " ".join(text.split())
            assert "×" in text
            assert text.count("█") >= 2
            assert "T 0.6 · top-p 0.95 (2/2)" in status(app)
            widths = [len(line) for line in full_text(app).splitlines()]  # type: ignore[arg-type]
            assert max(widths) <= size[0]

    async def test_the_cursor_jumps_here_and_in_the_traces(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        outside(writer, rl_completion(writer), (9, 20))
        app = EvidenceApp(cache, 1)
        async with opened(app, (120, 35)) as pilot:
            await press(pilot, "tab", "right", "e", "s")
            assert screen_of(app).cursor == 1, "begins where the traces are"
            view = app.traces.columns[1].view
            await press(pilot, ".")
            assert (screen_of(app).cursor, view.token) == (9, 9)
            assert "outside" in rows_of(app)
            await press(pilot, ".")
            assert (screen_of(app).cursor, view.token) == (20, 20)
            await press(pilot, ".")
            assert screen_of(app).cursor == 20
            assert "no token outside further on" in status(app)
            await press(pilot, ",", "left")
            assert (screen_of(app).cursor, view.token) == (8, 8)
            await press(pilot, "enter")
            assert isinstance(app.screen, TracesScreen)
            assert app.traces.columns[1].view.token == 8

    async def test_asks_for_what_is_missing(self, cache: Path, writer: sqlite3.Connection) -> None:
        app = EvidenceApp(cache, 1)
        async with opened(app, (120, 35)) as pilot:
            await press(pilot, "tab", "e", "s")
            assert "bounds from the 3 most likely tokens" in rows_of(app)
            await press(pilot, "x")
            await app.wait_for_write()
            asked = requests.open_requests(writer)
            wanted = rl_completion(writer)
            assert ("base", wanted, CUT) in [
                (one.model, one.completion_id, one.sampling) for one in asked
            ]
            assert ("rl", wanted, None) in [
                (one.model, one.completion_id, one.sampling) for one in asked
            ], "the control"
            assert (asked[0].model, asked[0].sampling) == ("base", CUT), "worked on first"
            assert app.sampler_starts == 1
            await settled(pilot)
            assert "waiting for the sampler" in status(app)
            outside(writer, wanted, ())
            await settled(pilot)
            assert "exact" in rows_of(app)

    async def test_a_failed_request_says_why(self, cache: Path, writer: sqlite3.Connection) -> None:
        from explorer.errors import EngineError

        asked = requests.ask_for_scores(writer, "base", 1, 2, 6)
        requests.set_state(writer, asked, "failed", EngineError("No such [model]", "x", "y"))
        app = EvidenceApp(cache, 1)
        async with opened(app, (120, 35)) as pilot:
            await press(pilot, "tab", "e")
            assert "scoring failed: No such [model]" in status(app)


class TestLikelihoodPanel:
    @pytest.mark.parametrize("size", [(80, 24), (200, 50)])
    async def test_shows_context_and_scatter(self, cache: Path, size: tuple[int, int]) -> None:
        app = EvidenceApp(cache, 1)
        async with opened(app, size) as pilot:
            await press(pilot, "tab", "e", "tab")
            text = rows_of(app)
            assert "PPL under base" in text
            assert "of base's own 6" in text
            for part in ("all", "right", "wrong"):
                assert f"\n {part}  " in text
            assert "mean log p" in text
            assert "✚" in text
            assert "base's right answers under rl" in text
            assert "[Likelihood]" in status(app)
            await press(pilot, "z")
            assert "outside the picture" in rows_of(app) or "mean log p" in rows_of(app)
            await press(pilot, "tab")
            assert "Controls" in rows_of(app)

    async def test_asks_for_the_scores_of_the_whole_problem(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        app = EvidenceApp(cache, 1)
        async with opened(app, (120, 35)) as pilot:
            await press(pilot, "tab", "e", "tab", "x")
            await app.wait_for_write()
            asked = {(one.model, one.arm_id, one.n) for one in requests.open_requests(writer)}
            expected = {("rl", 1, 6), ("base", 2, 6), ("base", 3, 6), ("rl", 3, 6)}
            assert asked == expected


class TestOddTraces:
    async def test_hostile_text(self, cache: Path, writer: sqlite3.Connection) -> None:
        problem = hostile_problem_id(writer)
        completion = rl_completion(writer, problem)
        trace = queries.trace(writer, completion)
        assert trace is not None
        assert trace.tokens is not None
        outside(writer, completion, tuple(range(len(trace.tokens))))
        app = EvidenceApp(cache, problem)
        async with opened(app, (80, 24)) as pilot:
            await press(pilot, "tab", "e", "s")
            said = ""
            for _ in range(len(trace.tokens)):
                said += rows_of(app)
                screen_of(app).action_token(1)
            assert said.replace("\n", "").isprintable()
            assert "‘␛’" in said
            assert "‘]’" in said
            await settled(pilot)
            shown = full_text(app)  # type: ignore[arg-type]
            assert all(line.isprintable() for line in shown.splitlines())

    async def test_neither_scores_nor_other_samples(self, tmp_path: Path) -> None:
        path = tmp_path / "one.db"
        with closing(open_writer(path)) as db:
            catalog.put_models(db, MODELS)
            catalog.put_problems(db, [_problem(0)])
            arm = catalog.put_arm(db, spec("rl"), "rl")
            ids, ends = np.arange(2, dtype=np.int32), np.array([2, 4], np.int32)
            bare = Tokens(ids, ends, None)
            cell = [
                (Completion(0, 0, "a b ", FinishReason.STOP, bare), None),
                (Completion(1, 0, "text only", FinishReason.STOP, None), None),
                (Completion(2, 0, "", FinishReason.STOP, Tokens(ids[:0], ends[:0], None)), None),
            ]
            completions.append(db, arm, 1, cell)
        app = EvidenceApp(path, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            for said in ("not scored under base yet", "only its text is recorded", "Not known"):
                await press(pilot, "e", "s", ".", ",", "right")
                assert said in rows_of(app)
                await press(pilot, "tab", "z")
                assert "press x" in rows_of(app)
                await press(pilot, "q", "n")

    async def test_no_completion_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "none.db"
        with closing(open_writer(path)) as db:
            catalog.put_models(db, MODELS)
            catalog.put_problems(db, [_problem(0)])
            catalog.put_arm(db, spec("rl"), "rl")
        app = EvidenceApp(path, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            await press(pilot, "e")
            assert isinstance(app.screen, TracesScreen)
            assert "no trace to ask about" in app.traces.query_one("#status", Line).text

    async def test_sixteen_thousand_tokens(self, tmp_path: Path) -> None:
        path = tmp_path / "long.db"
        length = 16_000
        with closing(open_writer(path)) as db:
            catalog.put_models(db, MODELS)
            catalog.put_problems(db, [_problem(0)])
            arm = catalog.put_arm(db, spec("rl"), "rl")
            ids = np.arange(length, dtype=np.int32)
            drawn = np.full(length, -0.1, np.float32)
            tokens = Tokens(ids, 2 * (ids + 1), drawn)
            made = Completion(0, 0, " a" * length, FinishReason.STOP, tokens)
            (completion,) = completions.append(db, arm, 1, [(made, None)])
            assert completion is not None
            row = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")
            top = np.tile(np.log(np.array([0.9, 0.05], np.float32)), (length, 1))
            scores = TokenScores(
                drawn,
                np.ones(length, np.int32),
                drawn,
                np.zeros((length, 2), np.int32),
                top,
                [["a", "b"]] * length,
            )
            scorer = catalog.put_scorer(db, row)
            completions.record_score(db, scorer, completion, scores)
            outside(db, completion, (15_998,))
        app = EvidenceApp(path, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            await press(pilot, "e", "s", ".")
            assert screen_of(app).cursor == 15_998
            assert app.traces.columns[0].view.token == 15_998
            assert rows_of(app).count("█") >= 1


async def test_every_key_has_a_tooltip_and_is_in_the_help(cache: Path) -> None:
    app = EvidenceApp(cache, 1)
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "e")
        own = [one for one in distinct_bindings(app.screen) if one.binding.id]
        named = {one.binding.id for one in own}
        assert {"evidence.next", "evidence.panel", "evidence.settings", "evidence.ask"} <= named
        listed = [one for one in own if (one.binding.id or "").startswith("evidence.")]
        assert all(one.binding.tooltip or not one.binding.show for one in listed)

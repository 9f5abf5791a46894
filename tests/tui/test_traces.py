"""The Traces screen: what it shows, where its keys lead, and what it sends down the line."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from explorer.core.completion import Completion, FinishReason, Outcome, Tokens, Verdict
from explorer.errors import EngineError
from explorer.store import catalog, completions, queries, requests
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.fact_lines import FactLines
from explorer.tui.widgets.legend import LegendLine
from explorer.tui.widgets.line import Line
from explorer.views.overlay import Overlay
from tests.fake_cache import MODELS, _problem, _scores, build, hostile_problem_id, spec
from tests.tui.traces_app import TracesApp, opened, settled

ARMS = (1, 2, 3)
PROBLEM = 1
SCORER = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "fake.db"
    build(path, problems=4, n=24).close()
    return path


@pytest.fixture
def cache(built: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    with (
        closing(sqlite3.connect(built)) as source,
        closing(sqlite3.connect(tmp_path / "fake.db")) as copy,
    ):
        source.backup(copy)
    return tmp_path / "fake.db"


@pytest.fixture
def writer(cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(cache)) as db:
        yield db


@pytest.fixture
def long_cache(tmp_path: Path) -> Path:
    """Two arms with a long completion each; the first has 16,000 tokens in many lines."""
    path = tmp_path / "long.db"
    with closing(open_writer(path)) as db:
        problem_id, arm_id = empty_cell(db)
        words = [" step", " so", " x", "=", "1", ".\n"] * 2667
        completions.append(db, arm_id, problem_id, [completion(0, words[:16_000])])
        other = catalog.put_arm(db, spec("rl"), "rl")
        completions.append(db, other, problem_id, [completion(0, words[:600])])
    return path


def empty_cell(db: sqlite3.Connection) -> tuple[int, int]:
    """A problem and an arm without completions."""
    catalog.put_models(db, MODELS)
    task = _problem(0)
    problem_id = catalog.put_problems(db, [task])[task.name]
    return problem_id, catalog.put_arm(db, spec("base"), "base")


def completion(index: int, words: list[str], tokens: bool = True) -> tuple[Completion, Verdict]:
    ends = np.cumsum([len(word.encode()) for word in words]).astype(np.int32)
    ids = np.arange(len(words), dtype=np.int32)
    logprobs = np.where(ids % 50 == 49, -5.0, -0.1).astype(np.float32)
    found = Tokens(ids, ends, logprobs) if tokens else None
    made = Completion(index, 0, "".join(words), FinishReason.STOP, found)
    return made, Verdict("math", "math-1", Outcome.CORRECT, "7", "boxed")


def heading(app: TracesApp, place: int) -> str:
    lines = app.traces.columns[place].headline.said
    return "\n".join(" · ".join(said.text for said in line) for line in lines)


def inspector(app: TracesApp) -> str:
    lines = app.traces.query_one("#traces-inspector", FactLines).said
    return "\n".join(" · ".join(said.text for said in line) for line in lines)


def status(app: TracesApp) -> str:
    return app.traces.query_one("#status", Line).text


def legend(app: TracesApp) -> str:
    return "".join(text for text, _ in app.traces.query_one(LegendLine).chunks(0))


def shown_columns(app: TracesApp) -> list[int]:
    return [column.place for column in app.traces.columns if column.display]


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot, rounds=1)


class TestColumns:
    """One column per arm, with a header of its own."""

    async def test_each_arm_has_a_column_with_its_first_sample(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)):
            assert shown_columns(app) == [0, 1, 2]
            for place, name in enumerate(("base", "rl", "distilled")):
                assert name in heading(app, place)
                assert "sample 1/24 (#0)" in heading(app, place)
                assert "recorded" in heading(app, place)
            assert "PPL own" in heading(app, 0)
            assert "PPL base" in heading(app, 1)
            assert "% of base's 24" in heading(app, 1)

    @pytest.mark.parametrize(
        ("width", "columns"), [(80, [0]), (99, [0]), (100, [0, 1]), (120, [0, 1, 2])]
    )
    async def test_as_many_as_fit(self, built: Path, width: int, columns: list[int]) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (width, 24)):
            assert shown_columns(app) == columns

    async def test_tab_goes_through_the_columns_of_a_narrow_terminal(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (80, 24)) as pilot:
            assert "[base] rl  distilled" in status(app)
            await press(pilot, "tab")
            assert shown_columns(app) == [1]
            assert "▸◆ rl" in heading(app, 1)
            await press(pilot, "l")
            assert shown_columns(app) == [2]
            await press(pilot, "h", "h")
            assert shown_columns(app) == [0]

    async def test_a_narrower_window_keeps_the_column_that_has_the_keyboard(
        self, built: Path
    ) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            await press(pilot, "tab", "tab")
            await pilot.resize_terminal(80, 24)
            await settled(pilot)
            assert shown_columns(app) == [2]

    async def test_the_statement_folds_in(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            statement = app.traces.query_one("#traces-statement")
            assert not statement.display
            await press(pilot, "i")
            assert statement.display
            await press(pilot, "i")
            assert not statement.display


class TestSamples:
    """Stepping, filters, and completions that arrive meanwhile."""

    async def test_next_and_previous(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            await press(pilot, "n", "n")
            assert "3/24 (#2)" in heading(app, 0)
            assert app.traces.columns[0].trace is not None
            assert app.traces.columns[0].trace.head.index == 2
            assert "1/24 (#0)" in heading(app, 1)
            await press(pilot, "p", "p", "p")
            assert "1/24 (#0)" in heading(app, 0)
            assert "first sample" in status(app)

    async def test_only_right_only_wrong_all(self, built: Path) -> None:
        with closing(sqlite3.connect(built)) as db:
            heads = queries.heads(db, 3, 2)
        right = [head for head in heads if head.outcome is Outcome.CORRECT]
        wrong = [head for head in heads if head.outcome is Outcome.WRONG]
        app = TracesApp(built, 2, (3,))
        async with opened(app, (120, 30)) as pilot:
            await press(pilot, "r")
            assert f"right sample 1/{len(right)} (#{right[0].index})" in heading(app, 0)
            await press(pilot, "w")
            assert f"/{len(wrong)} (#" in heading(app, 0)
            assert "✗ wrong" in heading(app, 0)
            await press(pilot, "a")
            assert "/24 (#" in heading(app, 0)

    async def test_none_of_that_kind(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, (1,))  # nobody solves the first problem
        async with opened(app, (80, 24)) as pilot:
            await press(pilot, "r")
            view = app.traces.columns[0].view
            assert view.text is None
            assert view.placeholder == "No right sample among 24."
            await press(pilot, "down", "G", "full_stop", "b", "y", "pagedown", "n")
            await press(pilot, "a")
            assert view.text is not None

    async def test_new_completions_extend_the_counts_and_move_nothing(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        app = TracesApp(cache, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            await press(pilot, "n", "right", "right", "right")
            before = (app.traces.columns[0].view.cursor, inspector(app))
            completions.append(writer, 1, PROBLEM, [completion(24, [" new", "."])])
            await settled(pilot)
            assert "2/25 (#1)" in heading(app, 0)
            assert (app.traces.columns[0].view.cursor, inspector(app)) == before

    async def test_a_cell_without_completions_fills_up(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.db"
        with closing(open_writer(path)) as db:
            problem_id, arm_id = empty_cell(db)
            app = TracesApp(path, problem_id, (arm_id,))
            async with opened(app, (80, 24)) as pilot:
                assert "no completions yet" in heading(app, 0)
                assert app.traces.columns[0].view.placeholder == "No completions yet."
                await press(pilot, "n", "r", "a", "o", "b", "y", "down", "tab", "equals_sign")
                completions.append(db, arm_id, problem_id, [completion(0, [" a", " b"])])
                await settled(pilot)
                assert "sample 1/1 (#0)" in heading(app, 0)
                assert app.traces.columns[0].view.text is not None


class TestCursor:
    """One token at a time, by line, by page, by notability."""

    async def test_inspector_follows(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            await press(pilot, "tab")
            assert inspector(app).startswith("␣The · token 1/")
            await press(pilot, "right")
            said = inspector(app)
            assert said.startswith("␣road · token 2/")
            assert "base  p " in said
            assert "rl  p " in said
            assert "Δ " in said
            assert "base would say · ␣so 50% · ␣the 25% · ↵ 15%" in said

    async def test_up_and_down_keep_the_column(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            await press(pilot, "right", "right")
            assert view.wrapped is not None
            column = view.wrapped.column_of(view.cursor)
            await press(pilot, "down", "down")
            assert view.wrapped.line_of(view.cursor) == 2
            assert view.wrapped.column_of(view.cursor) == column
            await press(pilot, "up")
            assert view.wrapped.line_of(view.cursor) == 1

    async def test_pages_and_ends(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            await press(pilot, "pagedown")
            assert view.scroll_offset.y == view.size.height - 1
            await press(pilot, "ctrl+u")
            assert view.scroll_offset.y == (view.size.height - 1) - (view.size.height - 1) // 2
            await press(pilot, "G")
            assert view.cursor == 15_999
            assert view.scroll_offset.y == view.virtual_size.height - view.size.height
            await press(pilot, "g")
            assert (view.cursor, view.scroll_offset.y) == (0, 0)

    async def test_the_cursor_stays_in_sight(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            await pilot.press(*["down"] * 30)
            await settled(pilot)
            assert view.wrapped is not None
            line = view.wrapped.line_of(view.cursor)
            assert line == 30
            assert view.scroll_offset.y <= line < view.scroll_offset.y + view.size.height

    async def test_next_notable(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            await press(pilot, "full_stop", "full_stop")
            assert view.cursor == 99
            await press(pilot, "comma")
            assert view.cursor == 49
            await press(pilot, "comma")
            assert view.cursor == 49
            assert "no notable token before this" in status(app)

    async def test_clicking_chooses_column_and_token(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            await pilot.click("#tokens-1", offset=(9, 0))
            await settled(pilot)
            assert app.traces.column.place == 1
            assert inspector(app).startswith("␣road")

    async def test_linked_columns_scroll_together(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1, 2))
        async with opened(app, (120, 24)) as pilot:
            first, second = (column.view for column in app.traces.columns)
            await press(pilot, "pagedown")
            assert first.scroll_offset.y > 0
            assert second.scroll_offset.y == 0
            await press(pilot, "g", "equals_sign", "pagedown", "pagedown")
            assert "columns linked" in status(app)
            assert second.scroll_offset.y == first.scroll_offset.y > 0
            await press(pilot, "G")
            assert first.scroll_offset.y > second.scroll_offset.y
            assert second.scroll_offset.y == second.virtual_size.height - second.size.height
            await press(pilot, "g")
            assert (first.scroll_offset.y, second.scroll_offset.y) == (0, 0)


class TestOverlays:
    """Colours, legend, and what is said where there is nothing to colour."""

    async def test_digits_choose_and_o_cycles(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            for key, overlay in zip("12345", Overlay, strict=True):
                await press(pilot, key)
                assert app.traces.overlay is overlay
                colouring = app.traces.columns[1].view.colouring
                assert colouring is not None
                assert colouring.overlay is overlay
            await press(pilot, "o")
            assert app.traces.overlay is Overlay.SURPRISAL

    async def test_the_legend_has_ramp_thresholds_unit_and_provenance(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            assert "−log p under base (nats)" in legend(app)
            assert "4  ≥4" in legend(app)
            assert "T = 1, raw" in legend(app)
            await press(pilot, "2")
            assert "own − base (nats)" in legend(app)
            assert "−1  ≤−0.1" in legend(app)

    @pytest.mark.parametrize("key", "1234")
    async def test_the_legend_fits_a_narrow_terminal(self, built: Path, key: str) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (80, 24)) as pilot:
            await press(pilot, key)
            assert len(legend(app)) <= 79
            for level in "4":
                assert level in legend(app)

    async def test_what_is_not_scored_is_said(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            await press(pilot, "tab", *"nnnn")
            colouring = app.traces.columns[1].view.colouring
            assert colouring is not None
            assert not colouring.levels.any()
            assert "not scored under base yet" in heading(app, 1)
            assert "not scored under base yet" in inspector(app)
            assert "press b" in inspector(app)

    async def test_gutter_digits_can_be_hidden(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            view = app.traces.columns[1].view
            with_digits = [view.render_line(y).text[:4].strip(" │▸") for y in range(4)]
            assert any(mark.isdigit() for mark in with_digits)
            await press(pilot, "number_sign")
            assert view.render_line(0).text.startswith("│ The")


class TestScoring:
    """Scores on demand: asked for in the database, watched while they come, coloured at once."""

    async def test_b_asks_for_this_sample_and_shift_b_for_all(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        app = TracesApp(cache, PROBLEM, ARMS)
        async with opened(app, (160, 30)) as pilot:
            await press(pilot, "tab", *"nnnn", "b")
            await app.wait_for_write()
            await settled(pilot)
            current = app.traces.columns[1].samples.current
            (one,) = requests.open_requests(writer)
            assert (one.kind, one.model, one.arm_id) == ("score", "base", 2)
            assert (one.completion_id, one.n) == (current, 1)
            assert app.sampler_starts == 1
            assert "scoring this trace: waiting for the sampler" in heading(app, 1)
            await press(pilot, "B")
            await app.wait_for_write()
            await settled(pilot)
            newest = requests.open_requests(writer)[0]
            assert (newest.completion_id, newest.n) == (None, 24)
            scoring = app.traces.columns[1].scoring
            assert scoring is not None
            assert (scoring.scored, scoring.sampler_alive) == (4, False)

    async def test_a_score_that_arrives_recolours_in_place(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        app = TracesApp(cache, PROBLEM, ARMS)
        async with opened(app, (160, 30)) as pilot:
            await press(pilot, "tab", *"nnnn", *["right"] * 6)
            column = app.traces.columns[1]
            assert column.trace is not None
            assert column.trace.tokens is not None
            place = column.view.cursor
            scored = _scores(np.random.default_rng(1), column.trace.tokens, "rl")
            scorer = catalog.put_scorer(writer, SCORER)
            completions.record_score(writer, scorer, column.trace.head.id, scored)
            await settled(pilot)
            assert column.view.colouring is not None
            assert column.view.colouring.levels.any()
            assert column.view.cursor == place
            assert "base  p " in inspector(app)
            assert "PPL base" in heading(app, 1)

    async def test_a_failed_request_says_why(self, cache: Path, writer: sqlite3.Connection) -> None:
        asked = requests.ask_for_scores(writer, "base", PROBLEM, 2, 24)
        requests.set_state(writer, asked, "failed", EngineError("No such [model]", "x", "y"))
        app = TracesApp(cache, PROBLEM, ARMS)
        async with opened(app, (200, 50)):
            assert "scoring failed: No such [model]" in heading(app, 1)


class TestHostileAndOdd:
    """Text that breaks careless viewers, and completions that are not what one hopes for."""

    @pytest.mark.parametrize("size", [(80, 24), (200, 50)])
    async def test_nothing_of_a_trace_reaches_the_terminal_raw(
        self, built: Path, size: tuple[int, int]
    ) -> None:
        with closing(sqlite3.connect(built)) as db:
            problem_id = hostile_problem_id(db)
        app = TracesApp(built, problem_id, ARMS)
        async with opened(app, size) as pilot:
            view = app.traces.columns[0].view
            assert view.text is not None
            for unit in range(view.text.n_units):
                view.move_to(unit)
                if unit % 8 == 0:
                    await pilot.pause()
            await press(pilot, "i", "o", "o", "o", "o")
            sent = "".join(app.sent)
            for harm in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\u200b", "\t"):
                assert harm not in sent
            shown = "\n".join(view.render_line(y).text for y in range(view.size.height))
            assert "[b]bold[/b] a[i] [/foo]" in shown
            assert "漢字かな" in shown

    async def test_text_only(self, tmp_path: Path) -> None:
        path = tmp_path / "text.db"
        with closing(open_writer(path)) as db:
            problem_id, arm_id = empty_cell(db)
            words = [f" line {i}\n" for i in range(100)]
            completions.append(db, arm_id, problem_id, [completion(0, words, tokens=False)])
        app = TracesApp(path, problem_id, (arm_id,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            assert "text only, no tokens" in heading(app, 0)
            assert "no tokens to inspect" in inspector(app)
            await press(pilot, "down", "down", "pagedown", "full_stop", "y", "G")
            assert view.scroll_offset.y == view.virtual_size.height - view.size.height

    async def test_sixteen_thousand_tokens(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (80, 24)) as pilot:
            view = app.traces.columns[0].view
            assert view.text is not None
            assert view.text.n_units == 16_000
            await press(pilot, "G")
            assert "token 16000/16000" in inspector(app)

    def test_every_key_can_be_explained(self) -> None:
        for binding in TracesScreen.BINDINGS:
            assert isinstance(binding, Binding)
            assert binding.id
            assert binding.tooltip
            assert binding.group

    async def test_f2_repaints_in_the_other_theme(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (120, 30)) as pilot:
            view = app.traces.columns[1].view
            dark = view.render_line(0)
            await press(pilot, "f2")
            light = view.render_line(0)
            assert dark.text == light.text
            assert dark != light


class TestDownTheLine:
    """Bytes: this is used over slow links."""

    async def test_a_cursor_move_repaints_its_lines_only(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            for key in ("right", "down", "left", "full_stop"):
                app.sent.clear()
                await press(pilot, key)
                sent = sum(len(data.encode()) for data in app.sent)
                assert 0 < sent < 6_000, key

    async def test_a_page_costs_its_column_and_no_animation(self, long_cache: Path) -> None:
        app = TracesApp(long_cache, 1, (1,))
        async with opened(app, (200, 50)) as pilot:
            app.sent.clear()
            await press(pilot, "pagedown")
            assert sum(len(data.encode()) for data in app.sent) < 50_000

    async def test_another_column_does_not_repaint_the_traces(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            app.sent.clear()
            await press(pilot, "tab")
            assert sum(len(data.encode()) for data in app.sent) < 6_000

    async def test_a_snapshot_that_changes_nothing_sends_nothing(
        self, cache: Path, writer: sqlite3.Connection
    ) -> None:
        app = TracesApp(cache, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            app.sent.clear()
            completions.append(writer, 1, 2, [completion(30, [" elsewhere"])])
            await settled(pilot)
            assert sum(len(data) for data in app.sent) == 0

    async def test_strips_are_cached_and_dropped_when_an_input_changes(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            view = app.traces.columns[1].view
            first = view.render_line(1)
            assert view.render_line(1) is first
            await press(pilot, "4")
            entropy = view.render_line(1)
            assert entropy is not first
            assert entropy.text[4:] == first.text[4:]
            await press(pilot, "f2")
            assert view.render_line(1) is not entropy


class TestCopy:
    """OSC 52, to the clipboard of whoever sits at the terminal."""

    async def test_the_token_and_the_trace(self, built: Path) -> None:
        app = TracesApp(built, PROBLEM, ARMS)
        async with opened(app, (200, 50)) as pilot:
            await press(pilot, "tab", "y")
            assert app.clipboard.startswith("twins/trees-000 rl #0 · ␣The · token 1/")
            assert "copied the token" in status(app)
            await press(pilot, "Y")
            assert app.traces.columns[1].trace is not None
            assert app.clipboard == app.traces.columns[1].trace.text


async def test_what_was_said_before_is_dimmed_once_the_trace_is_drawn(tmp_path: Path) -> None:
    words = [" And", " so", " we", " must", " count", " both", " of", " the", " ends", "."] * 2
    with closing(open_writer(tmp_path / "twice.db")) as db:
        problem_id, arm_id = empty_cell(db)
        completions.append(db, arm_id, problem_id, [completion(0, words)])
    app = TracesApp(tmp_path / "twice.db", problem_id, (arm_id,))
    async with opened(app, (80, 24)) as pilot:
        async with asyncio.timeout(10):  # it comes after the frame that shows the text
            while app.traces.column.view._dimmed is None:
                await pilot.pause()
        (line,) = [
            strip for strip in map(app.traces.column.view.render_line, range(3))
            if "both of the ends" in strip.text
        ][:1]  # fmt: skip
        italic = "".join(s.text for s in line if s.style and s.style.italic and not s.style.bold)
        assert "And so we must count both" in italic
        assert italic.count("And so") == 1, "the first time is as it is"


async def test_a_cursor_that_is_set_before_there_is_a_size_comes_into_sight(tmp_path: Path) -> None:
    """A link's place: its trace may be read before the first layout of the screen."""
    words = [f" word{number}" for number in range(900)]
    with closing(open_writer(tmp_path / "early.db")) as db:
        problem_id, arm_id = empty_cell(db)
        completions.append(db, arm_id, problem_id, [completion(0, words)])
    app = TracesApp(tmp_path / "early.db", problem_id, (arm_id,))
    async with opened(app, (80, 24)) as pilot:
        view = app.traces.column.view
        view._layout_now = None  # as before the first layout
        view.move_to_token(700)
        assert view.token == 700
        await pilot.resize_terminal(90, 30)
        await settled(pilot)
        assert view.wrapped is not None
        line = view.wrapped.line_of(view.cursor)
        assert view.scroll_offset.y <= line < view.scroll_offset.y + view.size.height

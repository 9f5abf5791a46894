"""Reading comfort on the screen: units, folds, phrases, search, bookmarks, links, saved views."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input

from explorer.core.completion import Completion, FinishReason, Tokens
from explorer.store import catalog, completions, queries
from explorer.store.bookmarks import bookmarks
from explorer.store.connection import open_reader, open_writer
from explorer.tui.screens.bookmarks import BookmarksScreen, NoteScreen
from explorer.tui.screens.search import SearchScreen
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.legend import LegendLine
from explorer.tui.widgets.pick_list import PickList
from explorer.views.grouping import Unit
from explorer.views.links import link_to
from tests import fake_cache
from tests.fake_cache import hostile_problem_id, spec
from tests.tui import explorer_app
from tests.tui.explorer_app import SeenApp, screen_text, settings_for, type_text
from tests.tui.test_nearest import press, status
from tests.tui.test_traces import empty_cell
from tests.tui.traces_app import TracesApp, opened, settled

SIZES = [(80, 24), (200, 50)]
THINKING = "<think>\n" + "Wait, so 3 + 4 = 7. " * 60 + "\n</think>\nThe answer is 7. Let me check."


@pytest.fixture
def thinking(tmp_path: Path) -> Path:
    """One problem; RL thinks aloud, base does not."""
    path = tmp_path / "explorer.sqlite"
    with closing(open_writer(path)) as db:
        problem, base = empty_cell(db)
        rl = catalog.put_arm(db, spec("rl"), "rl")
        completions.append(db, base, problem, [(cut(0, " The answer is 7."), None)])
        completions.append(db, rl, problem, [(cut(i, THINKING), None) for i in range(2)])
    return path


def cut(index: int, text: str) -> Completion:
    """A completion of tokens of four bytes."""
    length = len(text.encode())
    ends = np.array([*range(4, length, 4), length], np.int32)
    tokens = Tokens(np.arange(len(ends), dtype=np.int32), ends, -np.ones(len(ends), np.float32))
    return Completion(index, 0, text, FinishReason.STOP, tokens)


async def test_a_key_cycles_what_is_coloured_as_one(full_cache: Path) -> None:
    app = TracesApp(full_cache, 1, (2, 1))
    async with opened(app, (200, 50)) as pilot:
        levels = app.traces.column.view.colouring
        for unit in (Unit.WORD, Unit.SENTENCE, Unit.STEP, Unit.TOKEN):
            await press(pilot, "u")
            assert app.traces.unit is unit
            said = "".join(text for text, _ in app.screen.query_one(LegendLine).chunks(0))
            assert (f"mean per {unit}" in said) is (unit is not Unit.TOKEN)
        again = app.traces.column.view.colouring
        assert levels is not None
        assert again is not None
        assert (levels.levels == again.levels).all()


@pytest.mark.parametrize("size", SIZES)
async def test_thinking_folds_and_the_cursor_keeps_its_token(
    thinking: Path, size: tuple[int, int]
) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, size) as pilot:
        await press(pilot, "G")
        view = app.traces.column.view
        cursor, lines = view.cursor, len(view.wrapped or ())
        await press(pilot, "f")
        assert view.cursor == cursor
        assert len(view.wrapped or ()) < lines
        assert "tokens of thinking folded" in screen_text(app)  # type: ignore[arg-type]
        await press(pilot, "g", "j", "j", "j", "k", "f")
        assert len(view.wrapped or ()) == lines


async def test_phrases_of_a_second_thought_are_walked(thinking: Path) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "greater_than_sign")
        assert "second thought 1 of 61" in status(app)
        await press(pilot, "G", "less_than_sign", "less_than_sign")
        view = app.traces.column.view
        assert view.text is not None
        assert status(app).count("second thought") == 1
        await press(pilot, "tab", "greater_than_sign")
        assert "no second thought in this trace" in status(app)


@pytest.mark.parametrize("size", SIZES)
async def test_search_counts_per_arm_and_opens_the_hit(
    thinking: Path, size: tuple[int, int]
) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, size) as pilot:
        await press(pilot, "slash")
        screen = app.screen
        assert isinstance(screen, SearchScreen)
        await press(pilot, *"let", "space", *"me", "space", *"check", "enter")
        assert screen.report is not None
        shares = [(one.arm.model.name, one.hits, one.completions) for one in screen.report.arms]
        assert shares == [("base", 0, 1), ("rl", 2, 2)]
        shown = screen_text(app)  # type: ignore[arg-type]
        assert "100% of 2" in shown
        assert "0% of 1" in shown
        await press(pilot, "G", "enter")
        await settled(pilot, rounds=3)
        opened_at = app.screen
        assert isinstance(opened_at, TracesScreen)
        assert opened_at.going is None
        assert opened_at.column.trace is not None
        assert opened_at.column.trace.head.index == 1
        text = opened_at.column.view.text
        assert text is not None
        start = int(text.char_ends[text.tokens_of(opened_at.column.view.cursor)[0]])
        assert abs(start - THINKING.index("Let me check")) <= 4


async def test_the_phrase_keys_walk_the_last_search(thinking: Path) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "slash", *"answer", "enter")
        await press(pilot, "q", "greater_than_sign")
        assert "'answer' 1 of 1" in status(app)


async def test_a_search_can_be_widened_and_finds_nothing(full_cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "explorer.sqlite"
    copy.write_bytes(full_cache.read_bytes())
    app = TracesApp(copy, 1, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "slash", *"gaps", "enter")
        screen = app.screen
        assert isinstance(screen, SearchScreen)
        assert screen.report is not None
        few = screen.report.total
        await press(pilot, "ctrl+t")
        assert screen.report.total > few
        assert screen.report.where == fake_cache.DATASET
        await press(pilot, "slash", *"zzz", "enter")
        assert screen.report.total == 0
        assert "Nothing holds it." in screen_text(app)  # type: ignore[arg-type]


async def test_hostile_hits_stay_text(full_cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "explorer.sqlite"
    copy.write_bytes(full_cache.read_bytes())
    with closing(open_reader(copy)) as db:
        problem = hostile_problem_id(db)
    app = TracesApp(copy, problem, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "slash")
        app.screen.query_one(Input).value = "[/foo] and"
        await press(pilot, "enter")
        assert isinstance(app.screen, SearchScreen)
        assert app.screen.report is not None
        assert app.screen.report.total > 60
        assert "[/foo]" in screen_text(app)  # type: ignore[arg-type]
        assert "\x1b]0;owned" not in "".join(app.sent)


async def test_a_place_is_kept_listed_opened_and_forgotten(thinking: Path) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "n")
        await press(pilot, "right", "right", "m")
        assert isinstance(app.screen, NoteScreen)
        await press(pilot, *"odd")
        await pilot.press("enter")
        await app.wait_for_write()
        with closing(open_reader(thinking)) as db:
            (kept,) = bookmarks(db)
        assert (kept.note, kept.token, kept.index, kept.model) == ("odd", 2, 1, "rl")
        await press(pilot, "g")
        await press(pilot, "M")
        assert isinstance(app.screen, BookmarksScreen)
        assert "odd" in screen_text(app)  # type: ignore[arg-type]
        await press(pilot, "enter")
        await settled(pilot, rounds=3)
        assert isinstance(app.screen, TracesScreen)
        assert app.screen.token_here() == 2
        await press(pilot, "q")
        await press(pilot, "d")
        await app.wait_for_write()
        app.reader.poke()
        await settled(pilot)
        assert "No place is kept yet" in app.screen.query_one(PickList).placeholder


async def test_a_copied_link_opens_exactly_this_place(thinking: Path) -> None:
    app = TracesApp(thinking, 1, (2, 1))
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "n")
        await press(pilot, "right", "right", "right", "L")
        link = app.clipboard
        with closing(open_reader(thinking)) as db:
            key = next(arm.key for arm in queries.arms(db) if arm.model.name == "rl")
            problem = queries.problem_by_id(db, 1)
        assert problem is not None
        name = problem.problem.name
        assert link == link_to(problem.problem.dataset, name, key, 1, 3)
    for one in (link, f"{name}/rl#1@4"):
        again = SeenApp(settings_for(thinking), one)
        async with explorer_app.opened(again, (80, 24)) as pilot:
            await again.workers.wait_for_complete()
            await explorer_app.settle(pilot)
            assert isinstance(again.screen, TracesScreen)
            assert again.screen.column.name_shown == "rl"
            assert again.screen.column.trace is not None
            assert again.screen.column.trace.head.index == 1
            assert again.screen.token_here() == 3


async def test_a_link_to_nothing_is_said(thinking: Path) -> None:
    with closing(open_reader(thinking)) as db:
        problem = queries.problem_by_id(db, 1)
    assert problem is not None
    app = SeenApp(settings_for(thinking), f"{problem.problem.name}/rl#77")
    async with explorer_app.opened(app, (80, 24)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert not isinstance(app.screen, TracesScreen)
        assert "rl has no sample #77" in str([note.title for note in app._notifications])


async def test_the_dataset_is_searched_from_the_list(thinking: Path) -> None:
    app = SeenApp(settings_for(thinking))
    async with explorer_app.opened(app, (80, 24)) as pilot:
        await explorer_app.press(pilot, "ctrl+f")
        assert isinstance(app.screen, SearchScreen)
        await type_text(pilot, "answer")
        await explorer_app.press(pilot, "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.screen.report is not None
        assert app.screen.report.total == 3


async def test_the_view_is_written_with_its_data(full_cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "explorer.sqlite"
    copy.write_bytes(full_cache.read_bytes())
    app = TracesApp(copy, 1, (2, 1))
    async with opened(app, (200, 50)) as pilot:
        await press(pilot, "X")
        said = " ".join(note.message for note in app._notifications)
        (picture,) = (tmp_path / "exports").glob("*.svg")
        (data,) = (tmp_path / "exports").glob("*.jsonl")
        assert picture.name in said
        assert data.name in said
        lines = [json.loads(line) for line in data.read_text().splitlines()]
        assert lines[0]["screen"].startswith("traces-")
        assert lines[0]["coloured_by"] == "token"
        assert [line["model"] for line in lines[1:]] == ["rl", "base"]
        assert "<svg" in picture.read_text()
        await press(pilot, "s", "X", "enter", "X")
        assert len(list((tmp_path / "exports").glob("nearest-*.jsonl"))) == 1
        assert len(list((tmp_path / "exports").glob("aligned-*.svg"))) == 1

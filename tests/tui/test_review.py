"""The Review screen: blind until something was said, resumed, undone, safe for hostile text."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from explorer.core.completion import Outcome
from explorer.core.review import Finding
from explorer.settings.author import reviewer_of
from explorer.store import queries, reviews
from explorer.store.connection import open_writer
from explorer.store.overrides import overrides
from explorer.store.verify import verify
from explorer.tui.screens.override import OverrideScreen
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.review import NoteScreen, ReviewScreen
from explorer.tui.widgets.rows import Rows
from explorer.views.review_queue import QueuePick, read_queue
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, type_text

SIZES = [(80, 24), (200, 50)]
NAMES = re.compile(r"\b(base|rl|distilled|GRPO)\b|a1:|#\d|sample \d|T 1\b|tok\b")
"""What would tell who wrote a completion: models, roles, arms, indices, settings."""


@pytest.fixture
def writer(small_cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(small_cache)) as db:
        yield db


def app_of(cache: Path, blind: bool = True, **pick: object) -> SeenApp:
    settings = settings_for(cache)
    chosen = QueuePick("ada", **pick)  # type: ignore[arg-type]
    app = SeenApp(settings)
    app.start_at = lambda: ReviewScreen(settings, chosen, blind)
    return app


def review_screen(app: SeenApp) -> ReviewScreen:
    (screen,) = [one for one in app.screen_stack if isinstance(one, ReviewScreen)]
    return screen


async def say(pilot: Pilot[None], key: str) -> None:
    app = pilot.app
    assert isinstance(app, SeenApp)
    await press(pilot, key)
    await app.wait_for_write()
    await press(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_blind_until_something_was_said(
    small_cache: Path, writer: sqlite3.Connection, size: tuple[int, int]
) -> None:
    app = app_of(small_cache, each=1)
    async with opened(app, size) as pilot:
        screen = review_screen(app)
        queue = screen.queue
        assert queue is not None
        models = {row.id: row.model.name for row in queries.arms(writer)}
        cells = reviews.cells_of(writer, [queued.completion_id for queued in queue])
        wrote = [models[cells[queued.completion_id][0]] for queued in queue]
        assert len(set(wrote)) == 3
        for _ in range(len(queue)):
            text = screen_text(app)
            assert NAMES.search(text) is None, text
            assert "gold" in text
            assert "s sound" in text
            assert "x grader error" in text
            await press(pilot, "w")
            told = screen_text(app).replace("Who wrote it", "")
            assert NAMES.search(told) is None, "w tells nothing before a finding"
            await press(pilot, "right")
        await say(pilot, "l")
        last = screen.current
        assert "lucky" in screen_text(app)
        assert NAMES.search(screen_text(app)) is None, "only who asks is told"
        await say(pilot, "w")
        assert f"written by {models[cells[last][0]]}" in screen_text(app)
        await press(pilot, "left")
        assert "written by" not in screen_text(app)
    (row,) = reviews.of_completion(writer, last)
    assert (row.finding, row.blind, row.reviewer) == (Finding.LUCKY, True, "ada")


async def test_what_is_said_after_being_told_is_not_blind(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache)
    async with opened(app) as pilot:
        current = review_screen(app).current
        await say(pilot, "s")
        await say(pilot, "w")
        await press(pilot, "t")
        assert isinstance(app.screen, NoteScreen)
        await type_text(pilot, "a[b] note")
        await press(pilot, "enter")
        await app.wait_for_write()
        (row,) = reviews.of_completion(writer, current)
        assert (row.note, row.blind) == ("a[b] note", True)
        await say(pilot, "u")
        assert reviews.of_completion(writer, current) == []
        assert "written by" not in screen_text(app)
        await say(pilot, "c")
        (row,) = reviews.of_completion(writer, current)
        assert (row.finding, row.blind) == (Finding.CALCULATION, False)
        assert "said knowing who wrote it" in screen_text(app)


async def test_goes_on_where_one_left_off_in_the_same_order(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache)
    async with opened(app) as pilot:
        order = review_screen(app).queue
        assert order is not None
        for key in "slo":
            await say(pilot, key)
            await press(pilot, "n")
        said = {row.completion_id for row in reviews.by_reviewer(writer, "ada").values()}
        assert said == {queued.completion_id for queued in order[:3]}
    again = app_of(small_cache)
    async with opened(again):
        screen = review_screen(again)
        assert screen.queue == order
        assert screen.current == order[3].completion_id
        assert f"3 of {len(order)} right answers reviewed" in screen_text(again)
    bob = read_queue(writer, settings_for(small_cache), QueuePick("bob"))
    assert bob
    assert bob != order, "each reviewer has an order of their own"


async def test_a_grader_error_offers_the_override(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache)
    async with opened(app) as pilot:
        current = review_screen(app).current
        await press(pilot, "x")
        assert isinstance(app.screen, OverrideScreen)
        await press(pilot, "enter")
        await app.wait_for_write()
        await app.wait_for_write()
        await press(pilot)
        (row,) = overrides(writer)
        assert (row.completion_id, row.override.outcome) == (current, Outcome.WRONG)
        assert review_screen(app).current == current, "it stays in the queue, to be undone"
        assert "grader error" in screen_text(app)
    assert verify(writer) == []


async def test_undo_goes_back_through_what_was_said(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache)
    async with opened(app) as pilot:
        first = review_screen(app).current
        await say(pilot, "s")
        await say(pilot, "l")
        await press(pilot, "n")
        await say(pilot, "o")
        await say(pilot, "u")
        await say(pilot, "u")
        assert review_screen(app).current == first
        (row,) = reviews.of_completion(writer, first)
        assert row.finding is Finding.SOUND
        assert len(reviews.by_reviewer(writer, "ada")) == 1


async def test_an_open_review_shows_who_wrote_it_and_says_so(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache, blind=False, models=("rl",))
    async with opened(app, (80, 24)) as pilot:
        assert "written by rl" in screen_text(app)
        await say(pilot, "s")
    (row,) = reviews.by_reviewer(writer, "ada").values()
    assert not row.blind


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_and_long_traces(
    small_cache: Path, writer: sqlite3.Connection, size: tuple[int, int]
) -> None:
    hostile = fake_cache.hostile_problem_id(writer)
    long = "word " * 16_000 + "[/b] \x1b[2J\nlast line"
    writer.execute("UPDATE completion SET text = ? WHERE problem_id = ?", (long, hostile))
    app = app_of(small_cache, problem_ids=(hostile,))
    async with opened(app, size) as pilot:
        assert "\x1b" not in screen_text(app)
        text = review_screen(app).query_one("#review-text", Rows)
        assert "[b]bold[/b] a[i] [/foo]" in text.text.replace("\n ", " ")
        await press(pilot, "end")
        for _ in range(3):
            await press(pilot, "space")
        assert text.text.count("word") == 16_000, "nothing of a long line is left out"
        assert "last line" in text.text


async def test_nothing_to_review(small_cache: Path, writer: sqlite3.Connection) -> None:
    app = app_of(small_cache, models=("nobody",))
    async with opened(app, (80, 24)) as pilot:
        assert "There is nothing to review" in screen_text(app)
        await press(pilot, "s", "n", "u", "t", "w", "right", "m", "i")
        assert isinstance(app.screen, ReviewScreen)


async def test_the_problem_screen_leads_here_and_shows_what_came_of_it(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    settings = settings_for(small_cache)
    app = SeenApp(settings, link="sharing-001")
    async with opened(app, (120, 40)) as pilot:
        assert isinstance(app.screen, ProblemScreen)
        assert "CoT-pass" not in screen_text(app)
        await press(pilot, "l")
        screen = review_screen(app)
        assert screen.queue
        assert {queued.problem_id for queued in screen.queue} == {app.screen_stack[1].problem_id}  # type: ignore[attr-defined]
        await say(pilot, "s")
        await press(pilot, "q")
        assert isinstance(app.screen, ProblemScreen)
        assert "CoT-pass@1" in screen_text(app)
        assert "reviewed, 1 sound" in screen_text(app)
    (row,) = reviews.by_reviewer(writer, reviewer_of(settings)).values()
    assert row.blind


async def test_a_note_may_come_before_the_finding(
    small_cache: Path, writer: sqlite3.Connection
) -> None:
    app = app_of(small_cache)
    async with opened(app) as pilot:
        await press(pilot, "t")
        app.screen.query_one(Input).value = "odd"
        await press(pilot, "enter")
        await say(pilot, "p")
    (row,) = reviews.by_reviewer(writer, "ada").values()
    assert (row.finding, row.note) == (Finding.CONCEPT, "odd")


async def test_a_trace_shows_its_reviews(small_cache: Path, writer: sqlite3.Connection) -> None:
    from explorer.store.rows import ReviewRow
    from tests.tui import traces_app

    arm, problem = 3, 2
    first = queries.heads(writer, arm, problem)[0]
    reviews.say(writer, first.id, "ada [b]\x1b[2J", Finding.LUCKY, blind=True, note="by luck")
    votes = (Finding.SOUND, Finding.LOGIC, Finding.UNDECIDED)
    cast = [ReviewRow(first.id, "judge:m", said, "", 1.0, True, i) for i, said in enumerate(votes)]
    reviews.put_reviews(writer, cast)
    app = traces_app.TracesApp(small_cache, problem, (arm,))
    async with traces_app.opened(app, (200, 50)) as pilot:
        await traces_app.settled(pilot)
        lines = app.traces.columns[0].headline.said
        said = " · ".join(fact.text for line in lines for fact in line)
        assert "lucky says ada [b]" in said
        assert "(blind): by luck" in said
        assert "judge:m: 1 of 3 votes sound, 1 unreadable" in said
        assert "\x1b" not in said

"""Doubt and a person's word on the Traces screen: the mark, the filter, and the dialogue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from explorer.core.completion import Outcome, Verdict
from explorer.store import completions, queries
from explorer.store.connection import open_writer
from explorer.store.overrides import override, overrides
from explorer.store.verify import verify
from explorer.tui.screens.override import OverrideScreen
from tests.fake_cache import build
from tests.tui.traces_app import TracesApp, opened, settled

ARM, PROBLEM = 3, 2


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "fake.db"
    build(path, problems=3, n=12).close()
    return path


@pytest.fixture
def writer(cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(cache)) as db:
        yield db


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


def heading(app: TracesApp) -> str:
    lines = app.traces.columns[0].headline.said
    return "\n".join(" · ".join(said.text for said in line) for line in lines)


async def test_disagreements_are_marked_and_can_be_stepped_through(
    cache: Path, writer: sqlite3.Connection
) -> None:
    heads = queries.heads(writer, ARM, PROBLEM)
    doubted = [heads[4], heads[9]]
    for head in doubted:
        says = Outcome.WRONG if head.outcome is Outcome.CORRECT else Outcome.CORRECT
        second = Verdict("numeric", "numeric-0", says, head.answer, head.method)
        completions.record_verdicts(writer, ARM, PROBLEM, {head.id: second})
    app = TracesApp(cache, PROBLEM, (ARM,))
    async with opened(app, (120, 30)) as pilot:
        assert "≠" not in heading(app)
        await press(pilot, "d")
        assert "disagree sample 1/2 (#4)" in heading(app)
        assert "≠ second verifier" in heading(app)
        await press(pilot, "n")
        assert "2/2 (#9)" in heading(app)


async def test_a_verdict_is_overridden_and_given_back(
    cache: Path, writer: sqlite3.Connection
) -> None:
    first = queries.heads(writer, ARM, PROBLEM)[0]
    said = "wrong" if first.outcome is Outcome.CORRECT else "correct"
    app = TracesApp(cache, PROBLEM, (ARM,))
    async with opened(app, (120, 30)) as pilot:
        await press(pilot, "v", "tab", *"a[b] note", "enter")
        await app.wait_for_write()
        await settled(pilot)
        (row,) = overrides(writer)
        assert (row.override.outcome.value, row.override.note) == (said, "a[b] note")
        assert "@" in row.override.author
        assert f"by hand (verifier: {first.outcome})" in heading(app)
        assert "a[b] note" in heading(app)
        await press(pilot, "v", "enter")  # the cursor is on 'verifier' now
        await app.wait_for_write()
        await settled(pilot)
        assert overrides(writer) == []
        assert "by hand" not in heading(app)
    assert [one for one in verify(writer) if one.table == "tally"] == []


async def test_escape_says_nothing_and_hostile_text_is_shown_as_text(
    cache: Path, writer: sqlite3.Connection
) -> None:
    first = queries.heads(writer, ARM, PROBLEM)[0]
    override(writer, [first.id], Outcome.WRONG, "[/x]\x1b[2Jmallory", "[b]\x07", made=0.0)
    app = TracesApp(cache, PROBLEM, (ARM,))
    async with opened(app, (120, 30)) as pilot:
        assert "mallory" in heading(app)
        assert "\x1b[2J" not in heading(app)
        await press(pilot, "v")
        assert isinstance(app.screen, OverrideScreen)
        title = app.screen.query_one(".dialog-title", Static)
        assert "the verifier says" in str(title.content)
        await press(pilot, "escape")
        shown: object = app.screen
        assert shown is app.traces
    assert len(overrides(writer)) == 1

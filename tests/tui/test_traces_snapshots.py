"""How the Traces screen looks, in the sizes and themes in use. Data first, picture last."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot

from tests.fake_cache import build, hostile_problem_id
from tests.tui.traces_app import TracesApp, settled

ARMS = (1, 2, 3)
PROBLEM = 2
SIZES = [(80, 24), (120, 35), (200, 50)]


class Compare(Protocol):
    """pytest-textual-snapshot's fixture."""

    def __call__(
        self,
        app: TracesApp,
        terminal_size: tuple[int, int] = ...,
        run_before: Callable[[Pilot[None]], Awaitable[None]] = ...,
    ) -> bool: ...


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "fake.db"
    build(path, problems=4, n=24).close()
    return path


def keys(*pressed: str, overlay: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Settle, press, settle; check that the overlay is the one meant."""

    async def run(pilot: Pilot[None]) -> None:
        await settled(pilot, rounds=3)
        if pressed:
            await pilot.press(*pressed)
        await settled(pilot)
        app = pilot.app
        assert isinstance(app, TracesApp)
        assert app.traces.overlay == overlay
        assert all(column.trace is not None for column in app.traces.columns)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["explorer-dark", "explorer-light"])
def test_surprisal(built: Path, snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    """RL's first trace, the cursor on its second notable token."""
    app = TracesApp(built, PROBLEM, ARMS, theme)
    run = keys("tab", "full_stop", "full_stop", overlay="surprisal")
    assert snap_compare(app, terminal_size=size, run_before=run)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["explorer-dark", "explorer-light"])
def test_delta(built: Path, snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    """Both signs of Δ, the statement folded in; the base column says why it has no colours."""
    app = TracesApp(built, PROBLEM, ARMS, theme)
    run = keys("tab", "2", "i", overlay="delta")
    assert snap_compare(app, terminal_size=size, run_before=run)


def test_without_colour(
    built: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR: greys, underlines and digits tell the levels apart."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = TracesApp(built, PROBLEM, ARMS)
    run = keys("tab", "full_stop", overlay="surprisal")
    assert snap_compare(app, terminal_size=(120, 35), run_before=run)


def test_not_scored_yet(built: Path, snap_compare: Compare) -> None:
    """What is not known is said and not coloured."""
    app = TracesApp(built, PROBLEM, ARMS)
    run = keys("tab", *"nnnn", overlay="surprisal")
    assert snap_compare(app, terminal_size=(120, 35), run_before=run)


def test_hostile_text(built: Path, snap_compare: Compare) -> None:
    """Brackets, escapes, tabs, wide and right-to-left characters lie still."""
    with closing(sqlite3.connect(built)) as db:
        problem_id = hostile_problem_id(db)
    app = TracesApp(built, problem_id, ARMS)
    assert snap_compare(app, terminal_size=(80, 24), run_before=keys("i", overlay="surprisal"))

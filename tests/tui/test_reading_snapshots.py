"""How the views that lead on from a trace look, at the smallest and at a large size.

Data is checked in the tests of each view; these pictures keep their layout.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot

from tests.tui import edge_cache
from tests.tui.explorer_app import SeenApp, press, settings_for, settle, type_text

SIZES = [(80, 24), (200, 50)]


class Compare(Protocol):
    """pytest-textual-snapshot's fixture."""

    def __call__(
        self,
        app: SeenApp,
        terminal_size: tuple[int, int] = ...,
        run_before: Callable[[Pilot[None]], Awaitable[None]] = ...,
    ) -> bool: ...


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "explorer.sqlite"
    edge_cache.build(path)
    return path


def after(*keys: str, typed: str = "") -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press each key once what the one before led to is there; then type and enter."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await press(pilot, key)
        if typed:
            await type_text(pilot, typed)
            await press(pilot, "enter")
        await pilot.app.workers.wait_for_complete()
        await press(pilot)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
class TestViews:
    """Of RL's first trace, or of all that is stored of the problem."""

    def test_evidence(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Support token by token, with the controls."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="all-wrong")
        assert snap_compare(app, terminal_size=size, run_before=after("t", "tab", "e"))

    def test_branches(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The value curve over the branches, the cursor where it falls most."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="all-right")
        assert snap_compare(app, terminal_size=size, run_before=after("t", "tab", "C", "d"))

    def test_nearest(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The base's samples, the most alike first."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="unscored")
        assert snap_compare(app, terminal_size=size, run_before=after("t", "tab", "s"))

    def test_aligned(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Two traces that part at the answer."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="unscored")
        keys = after("t", "tab", "s", "G", "enter")
        assert snap_compare(app, terminal_size=size, run_before=keys)

    def test_search(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Shares per arm over the hits, hostile text as text."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="hostile")
        assert snap_compare(app, terminal_size=size, run_before=after("ctrl+f", typed="the answer"))

    def test_diversity(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """How varied each arm's answers are."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="unscored")
        assert snap_compare(app, terminal_size=size, run_before=after("y"))

    def test_review(
        self, edges: Path, snap_compare: Compare, size: tuple[int, int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """A right answer, blind."""
        monkeypatch.setattr("explorer.settings.author.reviewer_of", lambda _settings: "ada")
        app = SeenApp(settings_for(edges, ("base", "rl")), link="all-right")
        assert snap_compare(app, terminal_size=size, run_before=after("l"))

    def test_arms(self, edges: Path, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Which stored arms are shown."""
        app = SeenApp(settings_for(edges, ("base", "rl")), link="all-right")
        assert snap_compare(app, terminal_size=size, run_before=after("A", "j", "x"))

"""How Problems, Problem, Runs and help look, in the sizes and themes that people use.

What they say is asserted elsewhere; these pictures are the spec of how it is laid out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.store.connection import open_writer
from tests import fake_cache
from tests.tui.explorer_app import FROZEN_AT, SeenApp, press, settings_for, settle
from tests.tui.test_problem import make_busy

Compare = Callable[..., bool]


def after(*keys: str) -> Callable[[Pilot[None]], object]:
    """Wait for the first screen, press keys, wait for what they lead to."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await press(pilot, key)

    return run


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache on which something runs and something failed."""
    path = tmp_path_factory.mktemp("busy") / "explorer.sqlite"
    with closing(fake_cache.build(path, problems=12, n=32, scored=0)):
        pass
    with closing(open_writer(path)) as db:
        make_busy(db, "trees-004")
        db.execute("UPDATE request SET asked = id, updated = ?", (FROZEN_AT - 60,))
    logs = path.parent / "logs"
    logs.mkdir()
    (logs / "sampler.log").write_text("sampler started\nloading base\nbase: 8 of 32\n")
    return path


class TestProblems:
    """The home screen."""

    def test_80x24(self, full_cache: Path, snap_compare: Compare) -> None:
        """One pane: as many arms as fit, no bars, no curves."""
        app = SeenApp(settings_for(full_cache))
        assert snap_compare(app, terminal_size=(80, 24), run_before=after("j"))

    def test_120x35(self, full_cache: Path, snap_compare: Compare) -> None:
        """Bars beside the rates; curves and 2×2 beneath the list."""
        app = SeenApp(settings_for(full_cache))
        assert snap_compare(app, terminal_size=(120, 35), run_before=after("j", "o"))

    def test_200x50_light(self, full_cache: Path, snap_compare: Compare) -> None:
        """More columns and a larger chart, on white."""
        app = SeenApp(settings_for(full_cache), theme="explorer-light")
        assert snap_compare(app, terminal_size=(200, 50), run_before=after("j"))

    def test_no_color(
        self, full_cache: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Greys only: letters, markers and line styles carry what colour did."""
        monkeypatch.setenv("NO_COLOR", "1")
        app = SeenApp(settings_for(full_cache))
        assert snap_compare(app, terminal_size=(120, 35), run_before=after("j"))

    def test_filtering(self, full_cache: Path, snap_compare: Compare) -> None:
        """A filter with a mistake: the mistake is explained beneath it."""
        app = SeenApp(settings_for(full_cache))
        keys = after("slash", *"foo", "less_than_sign", "3")
        assert snap_compare(app, terminal_size=(80, 24), run_before=keys)

    def test_too_small(self, full_cache: Path, snap_compare: Compare) -> None:
        """A sentence instead of a mess."""
        app = SeenApp(settings_for(full_cache))
        assert snap_compare(app, terminal_size=(50, 12), run_before=after())


class TestProblem:
    """One problem."""

    def test_80x24(self, full_cache: Path, snap_compare: Compare) -> None:
        """Statement, verdict and arms first; curves and answers below."""
        app = SeenApp(settings_for(full_cache), link="trees-004")
        assert snap_compare(app, terminal_size=(80, 24), run_before=after())

    def test_busy_120x35(self, busy: Path, snap_compare: Compare) -> None:
        """Progress, a stream, and a failure with its hint."""
        app = SeenApp(settings_for(busy), link="trees-004")
        assert snap_compare(app, terminal_size=(120, 35), run_before=after())

    def test_200x50_light(self, full_cache: Path, snap_compare: Compare) -> None:
        """Curves and answers side by side, on white."""
        app = SeenApp(settings_for(full_cache), link="comparing-003", theme="explorer-light")
        assert snap_compare(app, terminal_size=(200, 50), run_before=after())

    def test_hostile_statement(self, full_cache: Path, snap_compare: Compare) -> None:
        """Brackets, escapes, wide and bidirectional text."""
        app = SeenApp(settings_for(full_cache), link="hostile")
        assert snap_compare(app, terminal_size=(100, 30), run_before=after())


class TestRunsAndHelp:
    """What is around the problems."""

    def test_runs(self, busy: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sampler, queue, models, arms, log."""
        monkeypatch.chdir(busy.parent)
        app = SeenApp(settings_for(Path("explorer.sqlite")))
        assert snap_compare(app, terminal_size=(120, 40), run_before=after("r"))

    def test_help(self, full_cache: Path, snap_compare: Compare) -> None:
        """Every key of the screen beneath, by group."""
        app = SeenApp(settings_for(full_cache))
        assert snap_compare(app, terminal_size=(80, 24), run_before=after("question_mark"))

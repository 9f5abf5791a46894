"""Runs, help, palette, themes: what is around the problems."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from textual.binding import Binding
from textual.widgets import Input

from explorer.errors import StoreError
from explorer.store import queries, requests, status
from explorer.store.connection import open_reader, open_writer
from explorer.tui.app import ExplorerApp
from explorer.tui.screens.choose import ChooseScreen
from explorer.tui.screens.guide import GuideScreen
from explorer.tui.screens.help import HelpScreen
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.screens.runs import RunsScreen
from explorer.tui.screens.sample import SampleScreen
from explorer.tui.screens.text import TextScreen
from explorer.tui.theme import DARK, DARK_16, LIGHT, LIGHT_16, Palette
from explorer.tui.widgets.filter_bar import FilterInput
from explorer.tui.widgets.problem_table import ProblemTable
from explorer.tui.widgets.rows import Rows
from explorer.views.text import one_line
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, settle
from tests.tui.test_problem import make_busy


def runs_text(app: SeenApp) -> str:
    return app.screen.query_one("#runs", Rows).text


class TestRuns:
    async def test_models_arms_queue_sampler_and_log(self, small_cache: Path) -> None:
        with closing(open_writer(small_cache)) as db:
            make_busy(db, "sharing-001")
        logs = small_cache.parent / "logs"
        logs.mkdir()
        (logs / "sampler.log").write_text("\x1b[31mloading base\x1b[0m\n\x1b]0;owned\x07done\n")
        app = SeenApp(settings_for(small_cache, models=("base", "rl")))
        async with opened(app) as pilot:
            await press(pilot, "r")
            await settle(pilot)
            text = runs_text(app)
            assert "sampling base  212 tok/s" in text
            assert "heard of just now" in text
            assert "process 4242 on gpu-host" in text
            assert "twins/sharing-001" in text
            assert "8/32" in text
            assert "The model could not be loaded" in text
            assert "recorded only, not in explorer.toml" in text
            assert "transformers float32" in text
            log = app.screen.query_one("#log", Rows).text
            assert "loading base" in log
            assert "␛]0;owned␇done" in log

    async def test_cancel_asks_which(self, small_cache: Path) -> None:
        with closing(open_writer(small_cache)) as db:
            for row in queries.problems(db)[:2]:
                requests.ask_for_completions(db, "base", row.id, fake_cache.SAMPLING, 32)
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "r", "c")
            assert isinstance(app.screen, ChooseScreen)
            await press(pilot, "j", "enter")
            await app.wait_for_write()
            with closing(open_reader(small_cache)) as db:
                assert len(requests.open_requests(db)) == 1

    async def test_stopping_the_sampler_is_asked_twice(self, small_cache: Path) -> None:
        with closing(open_writer(small_cache)) as db:
            make_busy(db, "sharing-001")
            db.execute("UPDATE sampler SET heartbeat = unixepoch() + 1000")
        app = SeenApp(settings_for(small_cache))
        async with opened(app) as pilot:
            await press(pilot, "r", "K", "enter")  # the safe answer is the first one
            await press(pilot, "K", "j", "enter")
            await app.wait_for_write()
            with closing(open_reader(small_cache)) as db:
                row = status.sampler(db)
            assert row is not None
            assert row.stop_requested

    async def test_a_failed_write_is_told(self, small_cache: Path) -> None:
        app = SeenApp(settings_for(small_cache))

        def fail(db: object) -> None:
            raise StoreError("The disk is full", "writing [/b] failed", "Free some space.")

        async with opened(app) as pilot:
            app.ask("never said", fail)
            await app.wait_for_write()
            await settle(pilot)
            text = screen_text(app)
            assert "The disk is full" in text
            assert "writing [/b] failed" in text
            assert "never said" not in text


OURS = (
    ExplorerApp,
    ProblemsScreen,
    ProblemScreen,
    RunsScreen,
    ProblemTable,
    TextScreen,
    ChooseScreen,
    SampleScreen,
    GuideScreen,
    FilterInput,
)


@pytest.mark.parametrize("owner", OURS, ids=lambda owner: owner.__name__)
def test_every_binding_has_id_group_and_description(owner: type) -> None:
    for binding in owner.__dict__["BINDINGS"]:
        assert isinstance(binding, Binding)
        assert binding.id, binding
        assert binding.group is not None, binding
        assert binding.description, binding
        keys = binding.key.split(",")
        assert keys != ["escape"], "escape is never the only way"


class TestHelp:
    async def test_lists_every_key_of_the_screen(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "question_mark")
            assert isinstance(app.screen, HelpScreen)
            text = app.screen.query_one("#text-rows", Rows).text
            for binding in (*ProblemsScreen.BINDINGS, *ProblemTable.BINDINGS):
                assert isinstance(binding, Binding)
                assert binding.description in text
            assert "preserved" in text
            await press(pilot, "question_mark")
            assert isinstance(app.screen, ProblemsScreen)

    async def test_the_palette_runs_actions_by_name(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "ctrl+p")
            await press(pilot, *"runs")
            app.screen.query_one(Input)
            await pilot.pause(0.3)  # the palette's own debounce
            await press(pilot, "enter")
            await settle(pilot)
            assert isinstance(app.screen, RunsScreen)

    async def test_every_screen_is_left_with_q(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "enter", "t", "q", "r", "q", "q")
            assert isinstance(app.screen, ProblemsScreen)


class TestThemes:
    def test_every_colour_is_one_of_the_256(self) -> None:
        cube = [0, 0x5F, 0x87, 0xAF, 0xD7, 0xFF]
        greys = {8 + 10 * step for step in range(24)}
        for palette in (DARK, LIGHT, DARK_16, LIGHT_16):
            for name in palette.__dataclass_fields__:
                value = getattr(palette, name)
                for colour in value if isinstance(value, tuple) else (value,):
                    if not isinstance(colour, str) or not colour:
                        continue
                    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
                    in_cube = all(part in cube for part in (red, green, blue))
                    assert in_cube or (red == green == blue and red in greys), (name, colour)

    @pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
    def test_text_is_readable_on_every_ground(self, palette: Palette) -> None:
        for ground in ("background", "raised", "cursor"):
            for name in ("text", "strong", "muted", "base", "rl", "distilled", "accent"):
                ratio = contrast(getattr(palette, name), getattr(palette, ground))
                assert ratio >= (4.5 if name in ("text", "strong") else 3.0), (name, ground, ratio)

    @pytest.mark.parametrize("palette", [DARK_16, LIGHT_16], ids=["dark", "light"])
    def test_sixteen_colours_keep_arms_apart_and_text_off_its_ground(
        self, palette: Palette
    ) -> None:
        def shown(name: str) -> int | None:
            colour = Color.parse(getattr(palette, name))
            return colour.downgrade(ColorSystem.STANDARD).number

        assert len({shown(name) for name in ("base", "rl", "distilled")}) == 3
        grounds = {shown("background"), shown("raised"), shown("cursor")}
        for name in ("text", "strong", "muted", "accent", "base", "rl", "distilled", "wrong"):
            assert shown(name) not in grounds, name

    async def test_a_terminal_of_sixteen_colours_gets_them(
        self, full_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm")
        app = ExplorerApp(settings_for(full_cache), lambda: None)
        assert app.theme == "explorer-dark-16"

    async def test_f2_switches_and_everything_follows(self, full_cache: Path) -> None:
        app = SeenApp(settings_for(full_cache))
        async with opened(app) as pilot:
            await press(pilot, "f2")
            grounds = {
                segment.style.bgcolor.get_truecolor().hex
                for strip in app.screen._compositor.render_strips()
                for segment in strip
                if segment.style and segment.style.bgcolor
            }
            assert "#121212" not in grounds
            assert "#ffffff" in grounds

    async def test_without_colour_letters_and_markers_remain(
        self, full_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        app = SeenApp(settings_for(full_cache))
        async with opened(app):
            text = screen_text(app)
            for mark in ("● base", "◆ rl", "▲ distilled", "O?", "▌"):
                assert mark in text


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lights = sorted((luminance(one), luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


HOSTILE_WORDS = "[/foo] [b]x[/b] a[i] \x1b[2J\x9b31m\t\u202e\u200b漢字🇩🇪e\u0301"


class TestHostileText:
    async def test_reaches_every_screen_and_moves_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "explorer.sqlite"
        db = fake_cache.build(path, problems=4, n=4, scored=1)
        with closing(db):
            db.execute("UPDATE problem SET family = ?, note = ?, level = ?", (HOSTILE_WORDS,) * 3)
            db.execute("UPDATE problem SET gold = ?", (HOSTILE_WORDS,))
            db.execute("UPDATE verdict SET answer = ?", (HOSTILE_WORDS,))
            db.execute("UPDATE model SET algorithm = ?", (HOSTILE_WORDS,))
            make_busy(db, "hostile")
            db.execute("UPDATE live SET text = ?", (HOSTILE_WORDS,))
            db.execute("UPDATE sampler SET detail = ?, model = ?", (HOSTILE_WORDS,) * 2)
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "sampler.log").write_text(HOSTILE_WORDS)
        app = SeenApp(settings_for(path), notices=(HOSTILE_WORDS,))
        async with opened(app, size=(160, 50)) as pilot:
            self.check(app)
            for keys in (("G", "enter"), ("m",), ("p",), ("q",), ("r",), ("c",), ("q",)):
                await press(pilot, *keys)
                await settle(pilot)
                self.check(app)

    @staticmethod
    def check(app: SeenApp) -> None:
        strips = app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {160}
        for strip in strips:
            for segment in strip:
                text = segment.text
                assert one_line(text.replace(" ", "x")) == text.replace(" ", "x"), repr(text)
        for sent in app.sent:
            assert "\x1b[2J" not in sent
            assert "\x9b" not in sent


def test_the_first_frame_needs_no_database_and_no_numbers(full_cache: Path) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from tests.tui.explorer_app import SeenApp, settings_for

seen = {{}}

class App(SeenApp):
    def _display(self, screen, renderable):
        if not seen and hasattr(renderable, 'render_segments'):
            seen.update(sys.modules)
            self.exit()
        super()._display(screen, renderable)

async def main():
    # what the command line has read by then is not what is asked here
    before = set(sys.modules)
    app = App(settings_for(Path({str(full_cache)!r})))
    async with app.run_test():
        pass
    late = {{'pylatexenc', 'sqlite_utils', 'explorer.store.queries',
            'explorer.views.problem_list', 'explorer.core.passk'}}
    print(sorted(late & (set(seen) - before)))

asyncio.run(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout.strip() == "[]"

"""Images on the Problem screen and in the viewer, and the mark of those that cannot be shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from explorer.core.problem import Problem
from explorer.store import catalog
from explorer.store.connection import open_writer
from explorer.tui.gallery import Gallery
from explorer.tui.screens.pictures import PicturesScreen
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.terminal import Graphics, Method
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.pictures import Pictures
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, settle
from tests.tui.pictures_data import SET, draw_figure, make_cache

MATHVISION = Path(__file__).parents[3] / "shared" / "data" / "benchmarks" / "mathvision" / "images"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("pictures"))


@asynccontextmanager
async def looking(
    cache: Path, name: str, method: Method = Method.HALF, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[SeenApp, Pilot[None]]]:
    app = SeenApp(settings_for(cache), link=f"{SET}/{name}")
    app.gallery = Gallery(Graphics(method))
    async with opened(app, size) as pilot:
        await ready(pilot)
        yield app, pilot


async def ready(pilot: Pilot[None]) -> None:
    """Wait until all images that are wanted are drawn."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await settle(pilot)


async def go(pilot: Pilot[None], *keys: str) -> None:
    await press(pilot, *keys)
    await ready(pilot)


def pictures(app: SeenApp) -> Pictures:
    return app.screen.query_one(Pictures)


class TestPage:
    async def test_images_stand_beneath_the_statement(self, cache: Path) -> None:
        async with looking(cache, "several") as (app, _):
            lines = screen_text(app).splitlines()
            caption = next(y for y, line in enumerate(lines) if "image 1 of 5 · one.png" in line)
            statement = next(y for y, line in enumerate(lines) if "several picture" in line)
            assert statement < caption
            assert "▀" in lines[caption + 1]
            assert "2 more: i shows all" in pictures(app).text
            assert "300 × 200 PNG" in pictures(app).text

    async def test_fit_the_smallest_terminal(self, cache: Path) -> None:
        async with looking(cache, "one") as (app, _):
            drawing = pictures(app).results[0]
            assert not isinstance(drawing, Exception)
            assert drawing.drawing is not None
            assert drawing.drawing.rows <= 9
            assert "gold 7" in screen_text(app)
            assert "not sampled enough to say" in screen_text(app), "the verdict is still there"

    async def test_a_problem_without_images_has_no_room_for_them(self, cache: Path) -> None:
        async with looking(cache, "none") as (app, pilot):
            assert not pictures(app).display
            assert "Images" not in app.screen.query_one("#keys", Line).text
            await go(pilot, "i")
            assert isinstance(app.screen, ProblemScreen)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("missing", "✗ image 1 of 1: There is no such image"),
            ("broken", "✗ image 1 of 2: The image is broken"),
            ("bomb", "✗ image 1 of 1: The image is too big"),
        ],
    )
    async def test_what_cannot_be_shown_says_why(self, cache: Path, name: str, said: str) -> None:
        async with looking(cache, name) as (app, _):
            assert said in screen_text(app)
            if name == "broken":  # the next one is shown all the same
                assert "image 2 of 2 · one.png" in pictures(app).text

    async def test_the_next_problem_has_its_own(self, cache: Path) -> None:
        async with looking(cache, "one") as (app, pilot):
            await go(pilot, "n")
            assert "image 1 of 5" in screen_text(app)
            await go(pilot, "n")
            assert "no such image" in screen_text(app)
            assert "image 1 of 5" not in screen_text(app)

    async def test_another_size_is_another_drawing(self, cache: Path) -> None:
        async with looking(cache, "one") as (app, pilot):
            small = pictures(app).results[0]
            await pilot.resize_terminal(150, 50)
            await ready(pilot)
            large = pictures(app).results[0]
            assert not isinstance(small, Exception)
            assert not isinstance(large, Exception)
            assert small.drawing is not None
            assert large.drawing is not None
            assert large.drawing.rows > small.drawing.rows

    async def test_only_the_path_where_nothing_can_be_drawn(self, cache: Path) -> None:
        async with looking(cache, "one", Method.PATH, (150, 40)) as (app, _):
            assert str(cache.parent / "one.png") in screen_text(app).replace("\n", "")
            assert "▀" not in screen_text(app)

    async def test_hostile_names_reach_no_terminal(self, tmp_path: Path) -> None:
        cache = make_cache(tmp_path / "c")
        name = draw_figure(tmp_path / "a.png")
        nasty = str(tmp_path / "x\x1b[2J[b]\u202e.png")
        Path(name).rename(nasty)
        db = open_writer(cache)
        catalog.put_problems(db, [Problem(SET, "nasty", "See", "1", images=(nasty, nasty + "no"))])
        db.close()
        for method in (Method.HALF, Method.PATH):
            async with looking(cache, "nasty", method) as (app, pilot):
                assert "␛[2J[b]‹202E›.png" in pictures(app).text.replace("\n  ", "")
                assert "\x1b" not in screen_text(app)
                await go(pilot, "i")
                assert "\x1b" not in screen_text(app)


class TestList:
    async def test_marks_problems_with_images_and_their_faults(self, cache: Path) -> None:
        async with looking(cache, "one", size=(120, 35)) as (app, pilot):
            await go(pilot, "q")
            text = screen_text(app)
            assert re.search(r"one +▣ What does the one", text)
            assert re.search(r"missing +✗ image missing What does", text)
            assert re.search(r"none +What does the none", text)


class TestViewer:
    async def test_shows_one_image_as_large_as_there_is_room(self, cache: Path) -> None:
        async with looking(cache, "several") as (app, pilot):
            await go(pilot, "i")
            assert isinstance(app.screen, PicturesScreen)
            result = pictures(app).results[0]
            assert not isinstance(result, Exception)
            assert result.drawing is not None
            assert result.drawing.rows == 21
            assert "pictures/several  image 1 of 5" in screen_text(app)
            await go(pilot, "n")
            assert "image 2 of 5" in screen_text(app)
            assert "120 × 240 PNG" in app.screen.query_one("#status", Line).text
            assert "two.png" in app.screen.query_one("#status", Line).text
            await go(pilot, "N", "N")
            assert "image 5 of 5" in screen_text(app)
            await go(pilot, "q")
            assert isinstance(app.screen, ProblemScreen)

    async def test_says_what_is_wrong_and_goes_on(self, cache: Path) -> None:
        async with looking(cache, "broken") as (app, pilot):
            await go(pilot, "i")
            assert "✗ image 1 of 2: The image is broken" in screen_text(app)
            await go(pilot, "n")
            assert "▀" in screen_text(app)


class TestGraphics:
    @pytest.mark.parametrize("method", [Method.KITTY, Method.SIXEL, Method.ITERM])
    async def test_pixels_are_drawn_on_the_cells_that_are_kept_for_them(
        self, cache: Path, method: Method
    ) -> None:
        async with looking(cache, "one", method, (100, 40)) as (app, _):
            result = pictures(app).results[0]
            assert not isinstance(result, Exception)
            assert result.drawing is not None
            wide, high = result.drawing.columns, result.drawing.rows
            assert (wide, high) == (30, 10), "its own 300 × 200 pixels"
            sent = "".join(app.sent)
            rows = re.findall(rf" {{{wide}}}\x1b\[{wide}D", sent)
            assert len(rows) >= high
            lines = screen_text(app).splitlines()
            assert all(len(re.sub(r"\x1b.*\x1b\[\d+[Cm]", "", line)) <= 100 for line in lines)

    async def test_kitty_is_given_the_image_first_and_told_to_forget_it(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[str] = []
        async with looking(cache, "none", Method.KITTY, (100, 40)) as (app, pilot):
            driver: Any = app._driver
            monkeypatch.setattr(driver, "write", written.append)
            await go(pilot, "N", "N", "N", "N", "N")
            assert "image 1 of 1 · one.png" in screen_text(app)
            given = [one for one in written if one.startswith("\x1b_Ga=T")]
            assert given
            await go(pilot, "i", "q", "i", "q")
            images = {re.search(r"i=(\d+)", one)[1] for one in given if re.search(r"i=(\d+)", one)}  # type: ignore[index]
            assert images
        assert "".join(written).count("\x1b_Ga=d,d=I") >= len(images)

    @pytest.mark.parametrize("method", [Method.SIXEL, Method.ITERM, Method.KITTY])
    async def test_pixels_do_not_show_through_a_dialogue(self, cache: Path, method: Method) -> None:
        async with looking(cache, "one", method, (100, 40)) as (app, pilot):
            app.sent.clear()
            await go(pilot, "S")
            sent = "".join(app.sent)
            assert "\x1bP" not in sent
            assert "1337" not in sent
            app.sent.clear()
            await go(pilot, "escape")
            assert "\x1b[30D" in "".join(app.sent), "and they are back behind it"


async def test_the_real_images_of_mathvision_are_all_drawn(tmp_path: Path) -> None:
    if not MATHVISION.is_dir():
        pytest.skip("../shared/data/benchmarks/mathvision is not there")
    gallery = Gallery(Graphics(Method.HALF))
    for file in sorted(MATHVISION.iterdir()):
        shown = gallery.show(str(file), 78, 9)
        assert shown.drawing is not None
        assert shown.drawing.rows <= 9
        assert all(
            sum(part.cell_length for part in line) == shown.drawing.columns
            for line in shown.drawing.lines
        )


class TestSnapshots:
    @pytest.mark.parametrize("size", [(80, 24), (120, 35)])
    def test_half_blocks(self, snap_compare: Any, cache: Path, size: tuple[int, int]) -> None:
        app = SeenApp(settings_for(cache), link=f"{SET}/one")

        async def run_before(pilot: Pilot[None]) -> None:
            await settle(pilot)
            await ready(pilot)

        assert snap_compare(app, terminal_size=size, run_before=run_before)

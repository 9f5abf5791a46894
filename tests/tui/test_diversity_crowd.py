"""The page of diversity with many arms: every number whole, every arm by its mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.tui.render.diversity_rows import diversity_rows
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.rows import Rows
from explorer.views.diversity import Diversity, diversity_table
from tests import fake_cache
from tests.printed_rows import printed_row
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for

EIGHT = tuple(model.name for model in fake_cache.CROWD)
ELEVEN = (*EIGHT, *(model.name for model in fake_cache.CHECKPOINTS))


def check(found: Diversity, text: str) -> None:
    table = diversity_table(found)
    lines = text.split("\n")
    for place, arm in enumerate(found.arms):
        name = f"{arm.column.mark.marker} {arm.column.name}"
        values = [values[place] for _, values in table]
        turned = printed_row(lines, name)
        upright = [printed_row(lines, label) for label, _ in table]
        assert name in text
        assert turned == values or [row[place] for row in upright] == values


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 50)])
@pytest.mark.parametrize("names", [EIGHT, ELEVEN], ids=["eight", "eleven"])
@pytest.mark.parametrize("link", ["", "trees-004"])
async def test_the_page_is_whole(
    crowd_cache: Path,
    steps_cache: Path,
    names: tuple[str, ...],
    size: tuple[int, int],
    link: str,
) -> None:
    cache = crowd_cache if names == EIGHT else steps_cache
    app = SeenApp(settings_for(cache, names), link=link)
    async with opened(app, size) as pilot:
        await press(pilot, "y")
        page = app.screen
        assert isinstance(page, TextScreen)
        found = page._rows.args[0]  # type: ignore[union-attr]
        assert isinstance(found, Diversity)
        assert len(found.arms) == len(names)
        rows = page.query_one("#text-rows", Rows)
        check(found, rows.text)
        for row in diversity_rows(found, rows.size.width):
            if len(row) > 1:
                assert sum(len(text) for text, _ in row) <= rows.size.width
        await press(pilot, "G")
        assert rows.text.split("\n")[-1].strip() in screen_text(app)

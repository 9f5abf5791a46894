"""Every view of a problem's completions where there is nothing, one, or only one kind of them.

One app walks through all views of a case: what is checked of each is that it opens, says something,
keeps within its terminal and lets nothing through that a terminal would obey.
"""

from __future__ import annotations

import unicodedata
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.store.search import Scope
from explorer.views.search import link_of, run
from tests.fake_cache import DATASET
from tests.tui import edge_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for, type_text

SIZES = [(80, 24), (200, 50)]


class Step(NamedTuple):
    """A view, and the keys that lead to it from the step before."""

    view: str
    keys: tuple[str, ...]
    screen: str
    types: str = ""


READING = [
    Step("traces", ("t",), "TracesScreen"),
    Step("traces by step", ("2", "u", "u", "u", "tab"), "TracesScreen"),
    Step("evidence", ("e",), "EvidenceScreen"),
    Step("likelihood in context", ("tab",), "EvidenceScreen"),
    Step("branches", ("escape", "C"), "BranchesScreen"),
    Step("largest drop", ("d",), "BranchesScreen"),
    Step("nearest", ("escape", "s"), "NearestScreen"),
    Step("aligned", ("enter",), "AlignedScreen"),
    Step("aligned by steps", ("s",), "AlignedScreen"),
    Step("problem again", ("escape", "escape", "escape"), "ProblemScreen"),
]
"""Only where there is a completion to read."""

ASKING = [
    Step("search", ("ctrl+f",), "SearchScreen", types="the answer"),
    Step("review", ("escape", "l"), "ReviewScreen"),
    Step("diversity", ("escape", "y"), "TextScreen"),
    Step("parity", ("escape", "e"), "TextScreen"),
    Step("problem at last", ("escape",), "ProblemScreen"),
]


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edges") / "explorer.sqlite"
    edge_cache.build(path)
    return path


def check_screen(app: SeenApp, where: str) -> str:
    """What is on the screen, after what holds for every screen was checked."""
    text = screen_text(app)
    lines = text.split("\n")
    width, height = app.size
    assert len(lines) == height, where
    assert {cell_len(line) for line in lines} == {width}, where
    odd = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")}
    assert not odd, f"{where}: {[hex(ord(c)) for c in odd]}"
    body = [line for line in lines[1:-1] if line.strip()]
    assert body, f"{where} says nothing"
    return text


async def take(pilot: Pilot[None], step: Step) -> None:
    """Press the keys of a step, each once what the one before led to is there."""
    app = pilot.app
    for key in step.keys:
        await press(pilot, key)
    if step.types:
        await type_text(pilot, step.types)
        await press(pilot, "enter")
    await app.workers.wait_for_complete()
    await press(pilot)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("case", edge_cache.SHARES)
async def test_every_view(edges: Path, case: str, size: tuple[int, int]) -> None:
    app = SeenApp(settings_for(edges, ("base", "rl")), link=case)
    n, _ = edge_cache.SHARES[case]
    async with opened(app, size) as pilot:
        check_screen(app, f"problem, {case}")
        for step in [*(READING if n else ()), *ASKING]:
            where = f"{step.view}, {case}"
            await take(pilot, step)
            check_screen(app, where)
            assert type(app.screen).__name__ == step.screen, where


async def test_without_completions_the_key_of_traces_says_so(edges: Path) -> None:
    app = SeenApp(settings_for(edges, ("base", "rl")), link="nothing")
    async with opened(app, (80, 24)) as pilot:
        await press(pilot, "t")
        assert type(app.screen).__name__ == "ProblemScreen"
        assert "s draws some" in screen_text(app)


def test_a_search_leaves_branches_out(edges: Path) -> None:
    """Their completions begin with words that no sample of the problem wrote by itself."""
    with closing(open_reader(edges)) as db:
        row = queries.problem(db, DATASET, "all-right")
        assert row is not None
        report = run(db, "the answer", Scope(problem_id=row.id), "here")
    assert [(one.arm.model.name, one.hits) for one in report.arms] == [("base", 8), ("rl", 8)]
    assert report.total == len(report.hits) == 16
    assert {hit.arm_id for hit in report.hits} == set(report.arm_of)
    assert all(link_of(report, hit) for hit in report.hits)

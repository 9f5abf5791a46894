"""Arms with settings of their own beside the others: named by what differs, and never pooled."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.errors import UsageError
from explorer.report.page import write_page
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_reader, open_writer
from explorer.tui.screens.arms import ArmsScreen
from explorer.tui.screens.problem import ProblemScreen
from explorer.tui.screens.study import StudyScreen
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.widgets.pick_list import PickList
from explorer.tui.widgets.rows import Rows
from explorer.views.arms import ArmPick, choose
from explorer.views.report_reader import read_problem, read_reports
from tests import fake_cache
from tests.tui.explorer_app import SeenApp, opened, press, screen_text, settings_for

SIZES = [(80, 24), (200, 50)]
COOL = replace(fake_cache.SAMPLING, temperature=0.5)


@pytest.fixture
def cooled(small_cache: Path) -> Path:
    """The small cache, and base at T 0.5: 4 completions of every problem, all right."""
    with closing(open_writer(small_cache)) as db:
        spec = replace(fake_cache.spec("base"), sampling=COOL)
        arm = catalog.put_arm(db, spec, "base")
        for row in queries.problems(db):
            cell = [
                (
                    Completion(index, 0, f"It is {row.problem.gold}.", FinishReason.STOP, None),
                    Verdict("math", "math-1", Outcome.CORRECT, row.problem.gold, "boxed"),
                )
                for index in range(4)
            ]
            completions.append(db, arm, row.id, cell)
    return small_cache


def arms_shown(cache: Path, pick: ArmPick) -> list[tuple[str, int]]:
    with closing(open_reader(cache)) as db:
        sizes = queries.arm_sizes(db, fake_cache.DATASET)
        choice = choose(queries.arms(db), queries.models(db), sizes, settings_for(cache), pick)
    return [(column.name, sizes.get(column.arm_id, 0)) for column in choice.columns]


@pytest.mark.parametrize("size", SIZES)
async def test_an_arm_is_switched_on_in_problem_and_stands_in_traces(
    cooled: Path, size: tuple[int, int]
) -> None:
    app = SeenApp(settings_for(cooled), link="trees-004")
    async with opened(app, size) as pilot:
        await press(pilot, "A")
        screen = app.screen
        assert isinstance(screen, ArmsScreen)
        place = next(i for i, (arm, _) in enumerate(screen.choice.stored)
                     if arm.spec.sampling == COOL)  # fmt: skip
        screen.query_one(PickList).move_to(place)
        await press(pilot, "x")
        assert "[x] base" in screen_text(app)
        assert "4 of 4 stored arms on" in screen_text(app)
        await press(pilot, "q")
        problem = app.screen
        assert isinstance(problem, ProblemScreen)
        table = problem.query_one("#arms", Rows).text
        cool = next(line for line in table.split("\n") if "base@T0.5" in line)
        usual = next(line for line in table.split("\n") if "● base " in line)
        assert "4/4" in cool
        assert "/8" in usual or "/7" in usual, "the base's own samples are its own"
        await press(pilot, "t")
        traces = app.screen
        assert isinstance(traces, TracesScreen)
        names = [column.name_shown for column in traces.columns]
        assert names == ["base", "rl", "distilled", "base@T0.5"]
        await press(pilot, "tab", "tab", "tab")
        assert "base@T0.5" in screen_text(app)


async def test_what_is_switched_on_in_the_list_is_there_in_the_study(cooled: Path) -> None:
    app = SeenApp(settings_for(cooled))
    async with opened(app, (200, 50)) as pilot:
        await press(pilot, "A")
        screen = app.screen
        assert isinstance(screen, ArmsScreen)
        for place, (arm, _) in enumerate(screen.choice.stored):
            if arm.spec.sampling == COOL or arm.model.name == "distilled":
                screen.query_one(PickList).move_to(place)
                await press(pilot, "x")
        await press(pilot, "q")
        text = screen_text(app)
        assert "base@T0.5" in text
        assert "distilled" not in text
        await press(pilot, "S")
        assert isinstance(app.screen, StudyScreen)
        assert "base@T0.5" in screen_text(app)


def test_names_say_what_differs_and_counts_stay_apart(cooled: Path) -> None:
    with closing(open_reader(cooled)) as db:
        arms = queries.arms(db)
    cool = next(arm.id for arm in arms if arm.spec.sampling == COOL)
    usual = [("base", 48), ("rl", 48), ("distilled", 48)]
    assert arms_shown(cooled, ArmPick()) == usual
    assert arms_shown(cooled, ArmPick(extra=frozenset({cool}))) == [*usual, ("base@T0.5", 24)]
    shown = arms_shown(cooled, ArmPick(sampling=COOL, extra=frozenset({cool})))
    assert shown.count(("base", 24)) == 1, "an arm that is shown anyway is not shown twice"
    alone = ArmPick(hidden=frozenset({"base"}), extra=frozenset({cool}))
    assert arms_shown(cooled, alone) == [*usual[1:], ("base@T0.5", 24)]


def test_reports_show_arms_that_are_named(cooled: Path) -> None:
    settings = settings_for(cooled)
    for name in ("base@T0.5", "base"):
        report = read_problem(settings, "trees-004", extra=(name,))
        assert [facts.column.name for facts in report.arms].count("base@T0.5") == 1
        assert report.verdict is None or "@" not in report.verdict.sentence()
    (whole,) = read_reports(settings, extra=("base@T0.5",))
    line = next(one for one in whole.arms if one.column.name == "base@T0.5")
    assert line.column.sampling == COOL
    with pytest.raises(UsageError, match=r"base@T0\.9"):
        read_problem(settings, "trees-004", extra=("base@T0.9",))


def test_a_page_shows_arms_that_are_named(cooled: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'figures' is not installed")
    settings, named, plain = settings_for(cooled), tmp_path / "named.html", tmp_path / "plain.html"
    write_page(named, settings, traces=["trees-004"], extra=("base@T0.5",))
    write_page(plain, settings, traces=["trees-004"])
    assert "base@T0.5" not in plain.read_text("utf-8")
    study, _, traces = named.read_text("utf-8").partition("<h2>Traces</h2>")
    assert "base@T0.5" in study
    assert "base@T0.5" in traces

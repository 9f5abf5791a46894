"""Reports on paper: with three arms or thirteen, at any width, no number is cut, no arm unnamed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.cells import cell_len

from explorer.report.dataset import (
    as_markdown,
    coverage_table,
    difference_table,
    pass_table,
    print_report,
)
from explorer.report.diversity import diversity_grid
from explorer.report.naming import label
from explorer.report.problem import print_problem
from explorer.report.study import print_study
from explorer.settings import ModelSettings, Role, Settings
from explorer.store.rows import ModelRow
from explorer.views.noise import gathered
from explorer.views.report_reader import read_problem, read_reports
from explorer.views.report_tables import SetReport
from explorer.views.study_reader import read_studies
from explorer.views.table_layout import Table
from tests import fake_cache
from tests.printed_rows import printed_row
from tests.tui.explorer_app import settings_for

WIDTHS = (80, 120, 200)
STEPS = tuple(ModelRow(f"grpo-step-{step}", "rl", "base", "GRPO") for step in (600, 750))
THIRTEEN = (*fake_cache.CROWD, *fake_cache.CHECKPOINTS, *STEPS)


@pytest.fixture(scope="module", params=[3, 13])
def arms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workspace of three or of thirteen arms."""
    models = fake_cache.MODELS if request.param == 3 else THIRTEEN
    path = tmp_path_factory.mktemp("arms") / "explorer.db"
    fake_cache.build(path, problems=6, n=20, scored=1, models=models).close()
    known = {
        one.name: ModelSettings(one.name, Role(one.role), "/m", one.base, one.algorithm)
        for one in models
    }
    return replace(settings_for(path), models=known)


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def the_report(arms: Settings) -> SetReport:
    (report,) = read_reports(arms)
    assert len(report.arms) == len(arms.models)
    return report


def check_whole(text: str, tables: Sequence[tuple[str, Table]], width: int) -> None:
    """That every cell of these tables stands beneath its title, whole and by its name."""
    for title, table in tables:
        lines = text.partition(f"{title}\n")[2].split("\n")
        end = next((i for i, line in enumerate(lines) if line in ENDS), len(lines))
        printed = [
            all(printed_row(lines[:end], row[0]) == [*row[1:]] for row in each.rows)
            for each in (table, table.turned())
        ]
        assert any(printed), title
    numbers = [line for line in text.split("\n") if re.search(r"\S {2,}\S", line)]
    assert numbers
    assert max(map(cell_len, numbers)) <= width


COVERAGE, DIFFERENCE = (
    "Against the base: what was solved at least once",
    "pass@k minus the base's, in points",
)
DIVERSITY = "Diversity, means over 6 problems that all have"
ENDS = {COVERAGE, DIFFERENCE, DIVERSITY, "Diversity"}


def test_a_report_is_whole(arms: Settings, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    report = the_report(arms)
    assert report.diversity is not None
    print_report(report)
    text = capsys.readouterr().out
    tables = [
        (report.settings, pass_table(report)),
        (COVERAGE, coverage_table(report)),
        (DIFFERENCE, difference_table(report)),
        (DIVERSITY, diversity_grid(report.diversity)),
    ]
    check_whole(text, tables, width)
    assert all(f"k={k} " in text or f"k={k}\n" in text for k in report.ks)
    for line in report.arms:
        for value, *band in zip(line.values, line.lower, line.upper, strict=True):
            if not math.isnan(value):
                low, high = (f"{100 * number:.1f}" for number in band)
                assert f"{100 * value:.1f} [{low}, {high}]" in text
        assert all(word in text for word in label(line.column).split())


def test_show_is_whole(arms: Settings, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    report = read_problem(arms, "sharing-001")
    assert report.diversity is not None
    print_problem(report)
    text = capsys.readouterr().out
    check_whole(text, [("Diversity", diversity_grid(report.diversity))], width)
    rows = text.partition(f"{report.settings}\n")[2].partition("95% credible")[0].split("\n")
    for facts in report.arms:
        count = f"{facts.tally.correct}/{facts.tally.n}"
        turned = printed_row(rows, label(facts.column))
        assert turned[:1] == [count] if turned else count in printed_row(rows, "correct / n")
        for value, lower, upper in zip(facts.values, facts.lower, facts.upper, strict=True):
            if value <= upper:
                band = f"{100 * value:.1f} [{100 * lower:.1f}, {100 * upper:.1f}]"
                assert any(band in line for line in rows)


def test_a_study_is_whole(arms: Settings, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = read_studies(arms)
    print_study(found)
    text = capsys.readouterr().out
    grids = found.further_grids()
    tables = [
        (grid.title, Table(grid.headers, [[str(cell) for cell in row] for row in grid.rows]))
        for grid in grids
    ]
    for title, table in tables:
        part = text.partition(f"\n{title}\n")[2]
        for other in grids:
            part = part.partition(f"\n{other.title}\n")[0]
        check_whole(f"{title}\n{part}", [(title, table)], width)


def test_what_is_the_same_of_several_arms_is_said_once(
    arms: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    report = the_report(arms)
    print_report(report)
    lines = capsys.readouterr().out.split("\n")
    (line,) = [line for line in lines if line.startswith("Parity")]
    names = [pair.other for pair in report.parity]
    assert len(names) == len(arms.models) - 1
    assert f"Parity of {', '.join(names)} with base: no difference that matters" in line
    every = [line.column.name for line in report.arms]
    assert f"  not measured: {', '.join(every)}" in lines
    assert f"- {line}" in as_markdown(report).split("\n")


def test_floors_that_are_known_stay_apart() -> None:
    lines = ["a: 99% of tokens", "b: not measured", "c: not measured; why", "d: not measured"]
    assert gathered(lines) == [lines[0], "not measured: b, d", "c: not measured; why"]
    assert gathered(lines[:2]) == lines[:2]


def test_without_a_width_a_pipe_gets_wide_lines(
    arms: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    report = the_report(arms)
    print_report(report)
    piped = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "200")
    print_report(report)
    assert capsys.readouterr().out == piped

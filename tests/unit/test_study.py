"""A study's numbers against slow, independent ones; and the paper's own table."""

from __future__ import annotations

import json
import math
import re
from contextlib import closing
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import study_scale
from explorer.cli.group import cli
from explorer.core.boxes import box
from explorer.core.coverage import Coverage, sampling_gap
from explorer.core.intervals import _weights, bootstrap_mean, resampled_means
from explorer.core.meeting import crossing_points, meeting
from explorer.core.passk import pass_at_k, table
from explorer.errors import UsageError
from explorer.store import queries, standing
from explorer.store.connection import open_writer
from explorer.store.study import MeanLogprob
from explorer.views.series_plot import chosen_statistic, series_plot
from explorer.views.study_grids import banded, series_grid
from explorer.views.study_perplexity import perplexities
from explorer.views.study_reader import WholeStudy, read_studies
from explorer.views.study_series import COVERAGE, training_step
from tests.unit.study_cache import CORRECT, WARM, N, build, put_arm, write_toml
from tests.unit.views_data import three_arms

ROOT = Path(__file__).parents[2]


@pytest.fixture
def whole(tmp_path: Path) -> WholeStudy:
    return read_studies(build(tmp_path))[0]


def exact_mean(name: str, k: int) -> Fraction:
    """By counting subsets, one by one."""
    total = Fraction(0)
    for c in CORRECT[name]:
        draws = list(combinations(range(N), k))
        total += Fraction(sum(min(draw) < c for draw in draws), len(draws))
    return total / len(CORRECT[name])


def test_gaps_are_those_of_exact_counting_and_sorted(whole: WholeStudy) -> None:
    pairs = [pair.comparison for pair in whole.study.pairs]
    assert [one.gap for one in pairs] == sorted(one.gap for one in pairs)
    assert {one.other.name for one in pairs} == {"grpo", "ppo", "ppo-step-100"}
    for one in pairs:
        exact = exact_mean("base", N) - exact_mean(one.other.name, 1)
        assert one.gap_k == N
        assert one.gap == pytest.approx(float(exact), abs=1e-12)
        assert one.gap_lower < one.gap < one.gap_upper


def test_bands_are_those_of_a_plain_bootstrap(whole: WholeStudy) -> None:
    """The same spread as drawing problems one by one, slowly."""
    random = np.random.default_rng(99)
    base, other = np.array(CORRECT["base"]), np.array(CORRECT["grpo"])
    solved = (base > 0).astype(float)
    means = []
    for _ in range(4000):
        picks = random.integers(0, 8, 8)
        means.append((solved[picks] - other[picks] / N).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    pair = next(one.comparison for one in whole.study.pairs if one.comparison.other.name == "grpo")
    assert pair.gap_lower == pytest.approx(low, abs=0.03)
    assert pair.gap_upper == pytest.approx(high, abs=0.03)


def test_every_problem_lies_in_the_cell_its_counts_say(whole: WholeStudy) -> None:
    for pair in whole.study.pairs:
        theirs = CORRECT[pair.comparison.other.name]
        expected: dict[Coverage, list[str]] = {step: [] for step in Coverage}
        for place, (ours, its) in enumerate(zip(CORRECT["base"], theirs, strict=True)):
            letter = {(1, 1): "P", (0, 1): "E", (1, 0): "S", (0, 0): "O"}[ours > 0, its > 0]
            expected[Coverage(letter)].append(f"p{place}")
        found = {
            step: [member.row.problem.name for member in members]
            for step, members in pair.cells.items()
        }
        assert found == expected


def test_histogram_and_groups_count_every_problem(whole: WholeStudy) -> None:
    for one in whole.study.histograms:
        assert one.problems == 8
        assert one.bins[0].problems == CORRECT[one.column.name].count(0)
        assert one.bins[-1].problems == CORRECT[one.column.name].count(N)
    grouping = whole.study.grouping
    assert grouping.by == "family"
    assert grouping.columns == ("family", "level", "source")
    arms = [column.name for column in whole.study.drawn]
    for place, group in enumerate(grouping.groups):
        for name, cell in zip(arms, group.cells, strict=True):
            rates = [c / N for c in CORRECT[name][place::2]]
            assert cell.value == pytest.approx(sum(rates) / 4)
            band = bootstrap_mean(np.array(rates)[:, None])
            assert (cell.lower, cell.upper) == (band.lower[0], band.upper[0])


def test_any_column_groups_and_an_unknown_one_is_an_error(tmp_path: Path) -> None:
    settings = build(tmp_path)
    found = read_studies(settings, group_by="source")[0].study.grouping
    assert [(group.value, group.problems) for group in found.groups] == [("new", 5), ("old", 3)]
    with pytest.raises(UsageError, match="colour"):
        read_studies(settings, group_by="colour")
    with pytest.raises(UsageError, match="heat"):
        read_studies(settings, x_field="heat")


def test_series_join_arms_that_differ_in_one_field(tmp_path: Path) -> None:
    settings = build(tmp_path)
    steps = read_studies(settings)[0].series
    assert steps.field == "step"
    assert steps.fields == ("step", "temperature", "method")
    assert [line.label for line in steps.lines] == ["PPO"]
    assert [point.x for point in steps.lines[0].points] == [0, 100, 300]
    names = [point.arm.model.name for point in steps.lines[0].points]
    assert names == ["base", "ppo-step-100", "ppo"]
    for point in steps.lines[0].points:
        assert point.first[0] == pytest.approx(float(exact_mean(point.arm.model.name, 1)))
        assert point.last[0] == pytest.approx(float(exact_mean(point.arm.model.name, N)))
        solved = [c > 0 for c in CORRECT[point.arm.model.name]]
        assert point.coverage.value == pytest.approx(sum(solved) / len(solved))
        assert point.coverage == point.last  # every problem has the same n
        assert point.n == (N, N)
    heat = read_studies(settings, x_field="temperature")[0].series
    assert [[point.x for point in line.points] for line in heat.lines] == [[0.6, 1.2]]


def test_a_field_of_words_is_points_in_order_with_the_base_first(tmp_path: Path) -> None:
    found = read_studies(build(tmp_path), x_field="method")[0].series
    assert found.in_order
    (line,) = found.lines
    assert [point.text for point in line.points] == ["base", "GRPO", "PPO"]
    assert [point.x for point in line.points] == [0, 1, 2]
    # of two checkpoints of a method the later one speaks for it
    assert line.points[-1].arm.model.name == "ppo"


def test_arms_that_differ_in_engine_and_template_are_lines_of_their_own(tmp_path: Path) -> None:
    settings = build(tmp_path)
    with closing(open_writer(settings.workspace.cache)) as db:
        ids = [row.id for row in queries.problems(db)]
        put_arm(db, "grpo", WARM, ids, [1] * 8, engine="transformers")
        put_arm(db, "grpo", WARM, ids, [2] * 8, template="Q: {question}")
    engines = read_studies(settings, x_field="engine")[0].series
    assert [[point.text for point in line.points] for line in engines.lines] == [
        ["transformers", "vllm"]
    ]
    (templates,) = read_studies(settings, x_field="template")[0].series.lines
    assert sorted(round(N * point.first.value) for point in templates.points) == [2, 6]
    assert all(point.arm.spec.engine == "vllm" for point in templates.points)


def test_a_chart_of_a_series_has_the_numbers_of_its_table(tmp_path: Path) -> None:
    whole = read_studies(build(tmp_path))[0]
    found = whole.series
    assert found.statistics == (1, 4, 16, COVERAGE)
    grid = series_grid(found)
    for place, statistic in enumerate(found.statistics):
        (line,) = series_plot(found, statistic, {}).lines
        column = [row[2 + place] for row in grid.rows]
        assert [banded(point.value, point.lower, point.upper) for point in line.points] == column
        assert [point.text for point in line.points] == [row[1].text for row in grid.rows]
    assert chosen_statistic(found, 4) == 4
    assert chosen_statistic(found, 64) == 1
    assert series_plot(found, 64, {}).lines == ()


def test_step_is_read_from_a_name_only_where_settings_are_silent(tmp_path: Path) -> None:
    settings = build(tmp_path)
    assert training_step("ppo", settings) == 300
    assert training_step("Qwen-GRPO_global_step_450", settings) == 450
    assert training_step("stepfun-7b", settings) is None


def test_crossing_is_where_the_line_crosses_in_log_k() -> None:
    rows = np.array([[-0.4, -0.2, 0.2], [0.1, 0.2, 0.2], [-0.1, -0.1, -0.1], [-0.1, 0.1, 0.0],
                     [-0.2, -0.1, 0.0]])  # fmt: skip
    found = crossing_points(rows, [1, 2, 4])
    assert found.tolist() == pytest.approx([2**1.5, 1.0, math.inf, 2**0.5, math.inf])


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (500, 13), (499, 900)])
def test_resampled_means_in_blocks_are_those_of_the_whole_product(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(3).normal(0, 1, shape)
    weights = _weights(shape[0], 2000, 0)
    np.testing.assert_allclose(resampled_means(values), weights @ values / shape[0], atol=1e-12)


def test_crossing_interval_counts_resamples_that_never_cross() -> None:
    random = np.random.default_rng(1)
    difference = random.normal(0, 1, (30, 1)) * 0.1 + np.array([[-0.1, 0.0, 0.02]])
    found = meeting(difference, [1, 2, 4])
    points = crossing_points(resampled_means(difference), [1, 2, 4])
    assert found.share == np.isfinite(points).mean()
    assert 0.2 < found.share < 0.95
    assert math.isinf(found.upper)
    assert meeting(np.empty((0, 3)), [1, 2, 4]).largest == 0


def test_table_of_mixed_n_is_the_estimator_row_by_row() -> None:
    c, n, ks = [3, 0, 5, 3, 7], [16, 8, 5, 16, 64], [1, 4, 16, 64]
    found = table(c, n, ks)
    for row, (one_c, one_n) in enumerate(zip(c, n, strict=True)):
        expected = [pass_at_k(one_c, one_n, k) if k <= one_n else math.nan for k in ks]
        np.testing.assert_array_equal(found[row], expected)
    np.testing.assert_array_equal(table(c[::-1], n[::-1], ks), found[::-1])


def test_two_arms_are_resampled_together() -> None:
    """Paired: a constant difference has no spread at all."""
    values = np.random.default_rng(2).uniform(size=(50, 1))
    both = resampled_means(np.concatenate([values, values + 0.1], axis=1))
    np.testing.assert_allclose(both[:, 1] - both[:, 0], 0.1)
    np.testing.assert_allclose(resampled_means(values), both[:, :1])


def test_perplexity_boxes_are_over_the_problems_that_all_have() -> None:
    columns = three_arms().columns[:2]
    found = perplexities(
        columns,
        [1, 2, 3],
        [
            *(MeanLogprob(1, problem, "", -math.log(2)) for problem in (1, 2, 3)),
            *(MeanLogprob(2, problem, "", -math.log(3)) for problem in (1, 2)),
            MeanLogprob(2, 1, "base", -math.log(5)),
            MeanLogprob(2, 1, "base", -math.log(7)),
            MeanLogprob(2, 1, "stranger", -math.log(99)),
        ],
    )
    assert [(line.label, line.box.n) for line in found.lines] == [
        ("base on itself", 1),
        ("base on rl", 2),
        ("rl on itself", 1),
    ]
    assert found.lines[1].box.median == pytest.approx(6.0)
    assert (found.problems, found.left_out) == (1, 2)


def test_a_box_is_of_quantiles_and_empty_without_values() -> None:
    found = box([*range(101), math.nan])
    assert (found.n, found.low, found.lower, found.median, found.high) == (101, 5, 25, 50, 95)
    assert math.isnan(box([]).median)


def test_the_papers_gaps_follow_from_its_own_pass_at_k() -> None:
    """docs/paper_table2.md: pass@1 / pass@256 as printed, the gaps computed here again."""
    text = (ROOT / "docs" / "paper_table2.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.+-]+) \| (\d.+) \|$", text, re.MULTILINE)
    numbers = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    base = [tuple(map(float, cell.split("/"))) for cell in numbers.pop("Qwen2.5-7B")[:3]]
    assert set(numbers) == {"GRPO", "PPO", "ReMax", "RLOO", "Reinforce++", "DAPO"}
    gaps: dict[str, list[float]] = {}
    for name, cells in numbers.items():
        ones = [float(cell.split("/")[0]) for cell in cells[:3]]
        gaps[name] = [sampling_gap(at[1], one) for at, one in zip(base, ones, strict=True)]
        assert [f"{gap:.1f}" for gap in gaps[name]] == cells[3:6]
    best = [min(gaps, key=lambda name: gaps[name][place]) for place in range(3)]
    assert best == ["DAPO", "RLOO", "DAPO"]
    test_set = sorted(gaps, key=lambda name: gaps[name][1])
    assert (test_set[0], test_set[-1]) == ("RLOO", "ReMax")
    assert max(one[2] for one in gaps.values()) < 23


def test_the_benchmarks_counts_are_those_of_its_rows(tmp_path: Path) -> None:
    """So that its Parquet file, its rows and the counts that are read say the same."""
    correct = study_scale.draw(6, 8)
    path, parquet = tmp_path / "scale.db", tmp_path / "scale.parquet"
    study_scale.build(path, correct, 8, rows=True)
    with closing(open_writer(path)) as db:
        before = queries.tallies(db)
        for row in queries.problems(db):
            standing.recount(db, row.id)
        assert queries.tallies(db) == before
    found = study_scale.Ours(path).open().study
    assert len(found.pairs) == 7
    pytest.importorskip("pandas", reason="pandas is not installed")
    study_scale.write_parquet(parquet, correct, 8)
    other = study_scale.Pandas(parquet)
    other.ks = [1, 4]
    means = other.open()["mean"]
    lines = [line.values for line in found.report.arms]
    np.testing.assert_allclose(np.array(lines)[:, :2].T, means, atol=1e-12)


def test_report_prints_a_study_in_every_form(tmp_path: Path) -> None:
    settings = build(tmp_path)
    write_toml(settings)
    whole = read_studies(settings)[0]
    gap = f"{100 * whole.study.pairs[0].comparison.gap:.1f}"
    arguments = ["report", "-w", str(tmp_path), "--study"]
    text = CliRunner().invoke(cli, arguments)
    assert text.exit_code == 0, text.output
    assert "Δ_SE = base pass@k" in text.output
    assert gap in text.output
    assert "By step" in text.output
    marked = CliRunner().invoke(cli, [*arguments, "-f", "markdown"]).output
    assert f"| {gap} [" in marked
    lines = CliRunner().invoke(cli, [*arguments, "-f", "csv"]).output.splitlines()
    assert lines[0] == "dataset,table,row,column,value,band"
    assert any(f",Δ_SE,{gap}," in line for line in lines)
    facts = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).output)[0]["study"]
    assert facts["pairs"][0]["delta_se"] == pytest.approx(whole.study.pairs[0].comparison.gap)
    assert facts["groups"]["columns"] == ["family", "level", "source"]

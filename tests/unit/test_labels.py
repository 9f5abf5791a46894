"""Source labels where people see them: report, filter word, the header of a trace, commands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from explorer.cli.group import cli
from explorer.core.arm import Sampling
from explorer.errors import UsageError
from explorer.exchange.importer import import_file
from explorer.paths import Workspace
from explorer.settings import Settings
from explorer.store import queries, requests
from explorer.store.connection import open_writer
from explorer.verifiers.pool import VerifierPool
from explorer.views.arms import ArmPick, choose
from explorer.views.filter import ModelName, parse
from explorer.views.labels import read_labels
from explorer.views.problem_list import build_lines
from explorer.views.trace_facts import header
from explorer.views.trace_samples import SampleFilter, Samples
from explorer.views.trace_snapshot import Cell
from tests import recorded_files as ours


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four graded completions; the source calls the first one wrong, which it is not."""
    folder = tmp_path_factory.mktemp("labels")
    rows = ours.qwen_rows()
    rows[0]["score"] = [False, False]
    path = ours.lines(folder / "m" / "r.jsonl", rows)
    with closing(open_writer(folder / "cache.db")) as db, VerifierPool(1) as pool:
        import_file(db, path, pool=pool)
    return folder / "cache.db"


@pytest.fixture
def db(cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(cache)) as connection:
        yield connection


def test_counts_by_kind(db: sqlite3.Connection) -> None:
    report = read_labels(db)
    (line,) = report.lines
    assert (line.labelled, line.said_right, line.ours_right) == (4, 1, 2)
    assert (line.source_wrong, line.source_right, report.total) == (1, 0, 1)
    assert line.agree + line.differ + line.undecided_wrong == 4
    assert read_labels(db, model="another").lines == []


def test_the_filter_word(db: sqlite3.Connection, tmp_path: Path) -> None:
    settings = Settings(Workspace(tmp_path, tmp_path / "c.db"), {}, {}, {}, {})
    arms, sizes = queries.arms(db), queries.arm_sizes(db)
    choice = choose(arms, queries.models(db), sizes, settings, ArmPick())
    assert [column.name for column in choice.columns] == ["m"]
    assert choice.sampling.label() == "settings unknown"
    lines = build_lines(queries.problems(db), queries.tallies(db), choice)
    for expression, expected in (
        ("label-differs", ["0"]),
        ("-label-differs", ["1"]),
        ("label-differs>0", ["0"]),
        ("m.label-differs>=1", ["0"]),
        ('"label-differs" jars', ["0"]),
    ):
        found = parse(expression, [ModelName("m", "")]).select(lines)
        assert [line.problem.name for line in found] == expected, expression


def test_a_trace_says_who_contradicts_whom(db: sqlite3.Connection) -> None:
    (arm,) = queries.arms(db)
    problem = queries.problems(db)[0]
    heads = tuple(queries.heads(db, arm.id, problem.id))
    cell = Cell(arm, heads, ())
    seen = []
    for head in heads:
        trace = queries.trace(db, head.id)
        samples = Samples(heads, SampleFilter.ALL, head.id)
        facts = [fact.long for line in header(cell, samples, trace, None) for fact in line]
        seen.append([fact for fact in facts if fact.startswith("source")])
    assert seen == [["source says wrong, we say right"], ["source says wrong"]]


def test_nothing_is_sampled_with_settings_that_are_not_known(db: sqlite3.Connection) -> None:
    with pytest.raises(UsageError, match="settings that are not known"):
        requests.ask_for_completions(db, "m", 1, Sampling(0.6, 0.0, -1, 0), 8)


class TestCommands:
    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        (tmp_path / "explorer.toml").write_text("")
        return tmp_path

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(cli, [str(one) for one in arguments])
        return result.exit_code, result.output

    def test_from_an_empty_workspace(self, workspace: Path, tmp_path: Path) -> None:
        path = ours.qwen_harness(tmp_path / "runs")
        code, said = self.run("import", path, "-w", workspace, "--role", "base", "--no-grade")
        assert code == 0
        assert "Qwen2.5-Math / SimpleRL / limit-of-RLVR" in said
        assert "4 new completions · 0 already here · 2 new problems · 4 labels" in said
        assert "model m · T 0.6 · top-p ? · top-k ? · ≤? tok" in said
        code, said = self.run("import", tmp_path / "runs", "-w", workspace, "--no-grade")
        assert "unchanged" in said
        code, said = self.run("labels", "-w", workspace, "--json")
        assert code == 0
        assert json.loads(said)["arms"][0]["labelled"] == 4
        code, said = self.run("labels", "-w", workspace)
        assert "qwen-harness:jars" in said
        code, said = self.run("export", workspace / "t.parquet", "-w", workspace)
        assert code == 0
        assert "4 completions of 2 problems" in said

    def test_a_folder_with_something_that_is_not_rollouts(
        self, workspace: Path, tmp_path: Path
    ) -> None:
        ours.qwen_harness(tmp_path / "runs")
        ours.document(tmp_path / "runs" / "notes.json", {"a": 1})
        (tmp_path / "runs" / "0.pt").write_bytes(b"\x80\x04")
        code, said = self.run("import", tmp_path / "runs", "-w", workspace, "--no-grade")
        assert "4 new completions" in said
        assert "0.pt is a pickle, which is never loaded" in said
        assert "notes.json" in said
        assert code == 1  # the error that main() turns into exit code 5

    def test_what_it_is_without_importing(self, workspace: Path, tmp_path: Path) -> None:
        path = ours.lm_eval(tmp_path / "runs")
        code, said = self.run("import", path, "-w", workspace, "--dry-run")
        assert code == 0
        assert "lm-evaluation-harness samples: task jars, sampled · model ours/m" in said
        assert not (workspace / "cache").exists()

    @pytest.mark.parametrize(
        "options", [("--base", "b"), ("--role", "base", "--base", "b"), ("--template", "no")]
    )
    def test_options_that_do_not_go_together(
        self, workspace: Path, tmp_path: Path, options: tuple[str, ...]
    ) -> None:
        path = ours.verl(tmp_path / "runs")
        result = CliRunner().invoke(cli, ["import", str(path), "-w", str(workspace), *options])
        assert isinstance(result.exception, UsageError)

"""`show --evidence` as people and programs read it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from explorer.cli.group import cli
from explorer.cli.run import run
from explorer.store import queries, support
from explorer.store.connection import open_writer
from tests import fake_cache
from tests.tui.test_evidence import outside

TOML = """
[defaults]
preset = "cut"
[presets.cut]
temperature = 0.6
top_p = 0.95
max_tokens = 160
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("evidence")
    (made / "explorer.toml").write_text(TOML)
    fake_cache.build(made / "cache" / "explorer.db", problems=3, n=6, scored=2).close()
    with closing(open_writer(made / "cache" / "explorer.db")) as db:
        outside(db, queries.heads(db, 2, 1)[0].id, (4,))
        assert support.scored(db, queries.heads(db, 2, 1)[0].id)
    return made


def show(folder: Path, *arguments: str) -> int:
    return run(cli, ["show", *arguments, "-w", str(folder)])


def test_printed_evidence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(folder, "trees-000", "--evidence", "rl#0", "--preset", "cut") == 0
    said = capsys.readouterr().out
    assert "base's sampler at T 0.6 · top-p 0.95 · exact · n = " in said
    assert "First token outside: 5 of " in said
    assert "support  ▁▁▁▁█▁" in said
    assert "base on its own #" in said
    assert "PPL under base" in said
    assert "of base's own 6" in said


def test_evidence_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(folder, "trees-000", "--evidence", "rl#0", "--preset", "cut", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    trace = told["trace"]
    assert (trace["outside"], trace["first_outside"]["token"]) == (1, 4)
    assert trace["log10_samples"] == [None, None]
    assert trace["marks"][:6] == "iiiioi"
    assert len(trace["marks"]) == trace["n_tokens"] == len(trace["delta"])
    assert told["context"]["base_own"][0]["n"] == 6
    assert {one["set"] for one in told["context"]["points"]} == {"rl"}
    assert told["missing"]


def test_hostile_text_is_printed_safely(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(folder, "hostile", "--evidence", "distilled#1") == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("rl", "does not name a completion"),
        ("rl#x", "does not name a completion"),
        ("rl#77", "has no completion #77"),
        ("nobody#0", "Nothing stored is called 'nobody'"),
    ],
)
def test_what_names_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], trace: str, said: str
) -> None:
    assert show(folder, "trees-000", "--evidence", trace) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_preset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(folder, "trees-000", "--evidence", "rl#0", "--preset", "cat") == 2
    assert "There is no preset" in capsys.readouterr().err

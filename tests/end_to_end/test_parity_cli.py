"""`init --preset`, `parity` and `score --noise-floor` as people use them, on the bundled models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from explorer.paths import sample_data
from explorer.store import facts, queries
from explorer.store.connection import open_reader, open_writer
from tests.end_to_end.test_cli import explorer, workspace


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose rl arm has another end token than its base."""
    folder = workspace(tmp_path_factory.mktemp("uneven") / "w")
    db = open_writer(folder / "cache" / "explorer.db")
    for arm in queries.arms(db):
        ends = "[2,7]" if arm.model.name == "rl" else "[2]"
        facts.put_facts(db, arm.id, {"eos": ends, "version": "1", "generation.use": "ignored"})
    db.close()
    return folder


def test_init_with_a_preset_writes_a_workspace_that_doctor_accepts(tmp_path: Path) -> None:
    listed = explorer("init", "--list-presets", cwd=tmp_path).stdout
    assert re.search(r"^qwen2\.5-7b-simplerl +Qwen2\.5-7B and its SimpleRL-Zoo", listed, re.M)
    made = explorer("init", "--preset", "qwen2.5-7b-simplerl", "--at", "w", cwd=tmp_path)
    assert made.stdout.startswith("Wrote w/explorer.toml\nNext: look it over")
    assert not (tmp_path / "w" / "problems.jsonl").exists()
    text = (tmp_path / "w" / "explorer.toml").read_text()
    assert "hkust-nlp/Qwen-2.5-7B-SimpleRL-Zoo@d630142f26acc8adf8051298cba8023232169d56" in text
    assert "[templates.qwen-boxed]" in text
    unknown = explorer("init", "--preset", "qwen", "--at", "x", cwd=tmp_path, expect=3)
    assert "There is no preset 'qwen'" in unknown.stderr
    assert not (tmp_path / "x").exists()


def test_parity_lists_every_pair_and_ends_well(uneven: Path) -> None:
    found = explorer("parity", cwd=uneven).stdout
    assert "base against rl" in found
    assert "base against distilled" in found
    assert "? doubt   EOS: End tokens: base [2], rl [2,7]." in found
    assert "rl: not measured" in found
    named = explorer("parity", "base", "distilled", cwd=uneven).stdout
    assert "against rl" not in named
    assert "End tokens" not in named


def test_parity_for_programs(uneven: Path) -> None:
    (pair,) = json.loads(explorer("parity", "base", "rl", "--json", cwd=uneven).stdout)
    assert (pair["base"], pair["model"]) == ("base", "rl")
    assert len(set(pair["arms"])) == 2
    kinds = {finding["topic"]: finding["severity"] for finding in pair["findings"]}
    assert kinds["EOS"] == "doubt"
    assert all(finding["why"] and finding["fix"] for finding in pair["findings"])


def test_parity_of_what_is_not_there(uneven: Path) -> None:
    assert "Name two models" in explorer("parity", "base", cwd=uneven, expect=2).stderr
    assert "nobody" in explorer("parity", "base", "nobody", cwd=uneven, expect=2).stderr
    assert "no dataset" in explorer("parity", "-d", "none", cwd=uneven, expect=2).stderr


def test_report_and_show_say_it_in_a_line(uneven: Path) -> None:
    report = explorer("report", cwd=uneven).stdout
    assert "Parity rl / base: 1 parity doubt (EOS)" in report
    assert "Parity distilled / base: no difference that matters was found" in report
    assert "  not measured: base, rl, distilled" in report
    shown = explorer("show", "trees-000", cwd=uneven).stdout
    assert "Parity rl / base: 1 parity doubt (EOS)" in shown
    as_json = json.loads(explorer("report", "--json", cwd=uneven).stdout)
    assert as_json[0]["parity"][0]["findings"]
    markdown = explorer("report", "-f", "markdown", cwd=uneven).stdout
    assert "- Parity rl / base: 1 parity doubt (EOS)" in markdown


def test_score_still_asks_for_what_it_needs(uneven: Path) -> None:
    missing = explorer("score", "-m", "base", cwd=uneven, expect=2)
    assert "Missing option: --of, -p" in missing.stderr
    both = explorer("score", "--noise-floor", "--of", "rl", cwd=uneven, expect=2)
    assert "leave --of out" in both.stderr


def test_a_bundled_model_has_facts_and_a_noise_floor(tmp_path: Path) -> None:
    """A float32 model teacher-forced on its own samples agrees to a few millionths of a nat."""
    (tmp_path / "explorer.toml").write_text(
        "[defaults]\npreset = 'short'\n[presets.short]\nmax_tokens = 24\n"
        f"[models.base]\nrole = 'base'\nsource = '{sample_data() / 'models' / 'base'}'\n"
        "template = 'qa'\ndtype = 'float32'\ndevice = 'cpu'\n"
        "[datasets.own]\npath = 'problems.jsonl'\n"
    )
    (tmp_path / "problems.jsonl").write_text('{"id": "a", "question": "2 + 2?", "answer": "4"}\n')
    try:
        explorer("sample", "-m", "base", "-p", "all", "-n", "4", "--wait", cwd=tmp_path)
        said = explorer("score", "--noise-floor", "--wait", cwd=tmp_path).stdout
    finally:
        explorer("stop", cwd=tmp_path)
    match = re.search(
        r"base: 99% of tokens within (\S+) nat .* n = (\d+) tokens of 4 completions", said
    )
    assert match is not None, said
    assert float(match[1]) < 1e-3
    assert int(match[2]) > 20
    db = open_reader(tmp_path / "cache" / "explorer.db")
    (arm,) = queries.arms(db)
    known = facts.read_facts(db, arm.id)
    db.close()
    assert known["eos"] == ("[2]",)
    assert known["generation.use"] == ("ignored",)
    assert known["config.max_position_embeddings"] == ("512",)
    assert re.fullmatch(r"\d+\.\d+.*", known["version"][0])

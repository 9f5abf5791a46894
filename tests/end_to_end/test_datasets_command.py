"""`rlvr-explorer datasets`, and what init, doctor and the first start make of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.test_cli import explorer

GSM8K = '{"question": "What is 1 + 1?\\u001b[31m", "answer": "<<1+1=2>>2\\n#### 2"}\n'


def test_formats_are_listed_without_a_workspace(tmp_path: Path) -> None:
    text = explorer("datasets", cwd=tmp_path).stdout
    assert "HuggingFaceH4/MATH-500" in text
    listed = json.loads(explorer("datasets", "--json", cwd=tmp_path).stdout)
    assert {one["name"] for one in listed["formats"]} >= {"auto", "gsm8k", "livecodebench"}
    assert listed["datasets"] == []


def test_a_look_into_a_file_says_what_was_recognised_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(GSM8K + '{"question": "Q", "answer": "none"}\n')
    text = explorer("datasets", path, cwd=tmp_path).stdout
    assert "read as gsm8k (recognised): 1 problem · 1 row left out" in text
    assert "answer: 2" in text
    assert "some.jsonl:2: 'answer' has no '####'" in text
    assert "\x1b" not in text
    found = json.loads(explorer("datasets", path, "--json", cwd=tmp_path).stdout)
    assert (found["format"], found["problems"]) == ("gsm8k", 1)
    assert found["left_out"][0]["line"] == 2
    assert explorer("datasets", path, "--format", "math500", cwd=tmp_path).stdout.count("left out")


def test_unknown_names_and_formats_say_what_there_is(tmp_path: Path) -> None:
    result = explorer("datasets", "none", cwd=tmp_path, expect=2)
    assert "neither a dataset of the workspace nor a file" in result.stderr
    result = explorer("datasets", "x", "--format", "gsm9k", cwd=tmp_path, expect=2)
    assert "did you mean 'gsm8k'?" in result.stderr


def test_after_init_a_dataset_is_two_lines_and_doctor_tells_its_faults(tmp_path: Path) -> None:
    explorer("init", cwd=tmp_path)
    (tmp_path / "test.jsonl").write_text(GSM8K + "broken\n")
    with (tmp_path / "explorer.toml").open("a") as file:
        file.write('\n[datasets.grade-school]\npath = "test.jsonl"\nformat = "gsm8k"\n')
    assert "grade-school: gsm8k" in explorer("datasets", cwd=tmp_path).stdout
    assert "1 problem · 1 row left out" in explorer("datasets", "grade-school", cwd=tmp_path).stdout
    text = explorer("show", "grade-school/0", cwd=tmp_path).stdout
    assert "What is 1 + 1?" in text
    checked = explorer("doctor", cwd=tmp_path).stdout
    assert "test.jsonl:2: not JSON" in checked


def test_doctor_names_the_extra_that_a_hubs_dataset_needs(tmp_path: Path) -> None:
    (tmp_path / "explorer.toml").write_text('[datasets.math500]\nformat = "math500"\n')
    text = explorer("doctor", cwd=tmp_path).stdout
    assert "hub dataset HuggingFaceH4/MATH-500" in text

"""One's own problems with tests, choices, images and verifiers of their own (docs/formats.md)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.problem import Problem
from explorer.datasets import registry
from explorer.settings import DatasetSettings

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n rest"


def read(tmp_path: Path, row: dict[str, Any], **settings: Any) -> Problem:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "Q"} | row))
    contents = registry.read(DatasetSettings("tasks", path, **settings))
    assert contents.faults == (), str(contents.faults[0])
    return contents.problems[0]


def reason(tmp_path: Path, row: dict[str, Any]) -> str:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "Q"} | row))
    (fault,) = registry.read(DatasetSettings("tasks", path)).faults
    return fault.reason


@pytest.mark.parametrize(
    ("row", "tests"),
    [
        ({"tests": "assert f() == 1"}, CodeTests(TestKind.ASSERTS, code="assert f() == 1")),
        (
            {"tests": ["assert f()", "assert g()"], "prompt": "def f():\n"},
            CodeTests(TestKind.ASSERTS, prompt="def f():\n", code="assert f()\nassert g()"),
        ),
        (
            {"tests": "def check(candidate):\n    assert candidate()", "entry_point": "f"},
            CodeTests(
                TestKind.CHECK,
                entry_point="f",
                code="def check(candidate):\n    assert candidate()",
            ),
        ),
        (
            {"tests": [{"input": "1\n", "output": "2\n"}, {"input": "", "expected": ""}]},
            CodeTests(TestKind.STDIN, cases=(TestCase("1\n", "2\n"), TestCase("", ""))),
        ),
        (
            {"tests": [{"input": [1, "x"], "output": [2]}], "entry_point": "f"},
            CodeTests(TestKind.FUNCTIONAL, entry_point="f", cases=(TestCase('1\n"x"', "[2]"),)),
        ),
        (
            {"tests": {"fn_name": "f", "inputs": [[[1, 2]]], "outputs": [None]}},
            CodeTests(TestKind.FUNCTIONAL, entry_point="f", cases=(TestCase("[1, 2]", "null"),)),
        ),
        (
            {"tests": {"inputs": ["1"], "outputs": ["2"]}},
            CodeTests(TestKind.STDIN, cases=(TestCase("1", "2"),)),
        ),
    ],
)
def test_each_shape_of_tests(tmp_path: Path, row: dict[str, Any], tests: CodeTests) -> None:
    problem = read(tmp_path, row, verifier="code")
    assert problem.tests is not None
    assert problem.tests.unpack() == tests
    assert "tests" not in problem.extra


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"tests": []}, "'tests' is empty"),
        ({"tests": ""}, "'tests' is empty"),
        ({"tests": 7}, "'tests' is empty, or neither"),
        ({"tests": "print(1)"}, "asserts nothing"),
        ({"tests": "def check(candidate):\n    assert 1"}, "no 'entry_point'"),
        ({"tests": [{"output": "1"}]}, "no 'input'"),
        ({"tests": [{"input": "1"}]}, "no 'output'"),
        ({"tests": [{"input": [1], "output": "1"}]}, "no text"),
        ({"tests": [{"input": 1, "output": 1}], "entry_point": "f"}, "a list of arguments"),
        ({"tests": {"inputs": ["1"], "outputs": []}}, "same length"),
        ({"answer": "1", "verifier": "maths"}, "no verifier 'maths'; known: math"),
        ({"answer": "1", "choices": "ABC"}, "'choices' is not a list"),
        ({"answer": "1", "images": "a.png"}, "'images' is not a list"),
        ({"answer": "1", "images": [7]}, "neither a path nor bytes"),
        ({}, "no 'answer' or 'gold'"),
    ],
)
def test_a_column_of_the_wrong_shape_is_said(
    tmp_path: Path, row: dict[str, Any], says: str
) -> None:
    assert says in reason(tmp_path, row)


def test_choices_are_listed_unless_the_question_has_them(tmp_path: Path) -> None:
    row = {"answer": "B", "choices": ["one", 2]}
    problem = read(tmp_path, row)
    assert problem.statement == "Q\nChoices:\n(A) one\n(B) 2"
    assert (problem.verifier, problem.extra) == ("choice", {"choices": ["one", 2]})
    again = read(tmp_path, row | {"question": "Is it\n(A) one or\n(B) 2?"})
    assert again.statement == "Is it\n(A) one or\n(B) 2?"


def test_a_rows_verifier_yields_to_that_of_the_settings(tmp_path: Path) -> None:
    row = {"answer": "x", "verifier": "exact"}
    assert read(tmp_path, row).verifier == "exact"
    assert read(tmp_path, row, verifier="math").verifier == "math"
    assert read(tmp_path, {"answer": "x"}).verifier == "math"


def test_images_start_at_the_file_or_at_their_folder(tmp_path: Path) -> None:
    row = {"answer": "1", "image": "a.png", "images": ["pics/b.png", "/elsewhere/c.png"]}
    there = tmp_path.resolve()
    assert read(tmp_path, row).images == (
        f"{there}/a.png",
        f"{there}/pics/b.png",
        "/elsewhere/c.png",
    )
    assert read(tmp_path, row, images=Path("/pics")).images[0] == "/pics/a.png"


def test_images_inside_a_parquet_file_are_written_out_once(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(number),
            "question": "Q",
            "options": ["A", "B"],
            "answer": "B",
            "image": f"images/{number}.jpg",
            "decoded_image": {"bytes": PNG, "path": "../../evil.png"},
            "level": 1,
            "subject": "algebra",
        }
        for number in range(3)
    ]
    path = tmp_path / "testmini-00000.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    settings = DatasetSettings("v", path, "mathvision", unpacked=tmp_path / "images" / "v")
    for _ in range(2):
        contents = registry.read(settings)
        assert contents.faults == ()
        (image,) = {problem.images for problem in contents.problems}
        assert Path(image[0]).read_bytes() == PNG
        assert Path(image[0]).suffix == ".png"
        assert [one.name for one in (tmp_path / "images" / "v").iterdir()] == [Path(image[0]).name]


@pytest.mark.parametrize("image", ["../secret.png", "/etc/secret.png", "a/../../b.png"])
def test_a_benchmarks_image_may_not_leave_its_folder(tmp_path: Path, image: str) -> None:
    row = {"id": "1", "question": "Q", "options": [], "answer": "1", "image": image}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    (fault,) = registry.read(DatasetSettings("v", path, "mathvision")).faults
    assert "not inside the dataset's folder" in fault.reason


def test_every_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.+?)```", text, re.DOTALL)
    assert len(blocks) >= 5
    path = tmp_path / "own.jsonl"
    path.write_text("".join(blocks), encoding="utf-8")
    contents = registry.read(DatasetSettings("tasks", path))
    assert contents.faults == (), [str(fault) for fault in contents.faults]
    assert len(contents.problems) == text.count('{"id": ')


def test_every_format_is_documented() -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for name in registry.format_names():
        assert f"| `{name}` |" in text, name

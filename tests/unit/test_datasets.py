"""Problem files: what is read, and how each bad row is reported."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from explorer.core.code_tests import CodeTests, TestKind
from explorer.datasets import registry
from explorer.datasets.contents import DatasetContents
from explorer.errors import DataError, SettingsError
from explorer.settings import DatasetSettings
from explorer.settings.formats import FORMATS

GOOD = '{"id": "a", "question": "1 + 1?", "answer": "2"}'


def read(path: Path, text: str | bytes, verifier: str = "math") -> DatasetContents:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return registry.read(DatasetSettings("tasks", path, "jsonl", verifier))


def test_columns_and_their_other_names(tmp_path: Path) -> None:
    rows = [
        {"id": 7, "question": "Q", "answer": 2, "family": "f", "level": 3, "note": "n", "kind": 1},
        {"id": "b", "statement": "S", "gold": "x"},
        {"id": "c", "problem": "P", "answer": 0.5},
    ]
    contents = read(tmp_path / "p.jsonl", "\n".join(map(json.dumps, rows)))
    assert contents.faults == ()
    first, second, third = contents.problems
    assert (first.dataset, first.name, first.statement, first.gold) == ("tasks", "7", "Q", "2")
    assert (first.family, first.level, first.note) == ("f", "3", "n")
    assert first.extra == {"kind": 1}
    assert (second.statement, second.gold, second.extra) == ("S", "x", {})
    assert (third.statement, third.gold) == ("P", "0.5")


def test_gzip_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    packed = gzip.compress(f"\ufeff{GOOD}\r\n\n  \n".encode())
    contents = read(tmp_path / "p.jsonl.gz", packed)
    assert [problem.name for problem in contents.problems] == ["a"]
    assert contents.faults == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"id": "b", "question": "Q"', "not JSON"),
        ('["b"]', "not a JSON object"),
        ('{"question": "Q", "answer": "1"}', "no 'id'"),
        ('{"id": "b", "answer": "1"}', "no 'question'"),
        ('{"id": "b", "question": "Q"}', "no 'answer'"),
        ('{"id": "b", "question": "  ", "answer": "1"}', "'question' is empty"),
        ('{"id": "b", "question": "Q", "answer": ""}', "'answer' is empty"),
        ('{"id": "b", "question": ["Q"], "answer": "1"}', "'question' is neither"),
        ('{"id": "b", "question": "Q", "answer": true}', "'answer' is neither"),
        ('{"id": "b", "question": "Q", "answer": NaN}', "NaN"),
        ('{"id": "b", "question": "\\ud800", "answer": "1"}', "surrogate"),
        ("[" * 100_000, "not usable JSON"),
        ('{"id": "a", "question": "Q", "answer": "1"}', "id 'a' was already used in line 1"),
        (b'{"id": "b", "question": "\xff", "answer": "1"}', "not UTF-8"),
    ],
)
def test_a_bad_row_is_reported_and_skipped(tmp_path: Path, row: str | bytes, reason: str) -> None:
    bad = row if isinstance(row, bytes) else row.encode()
    last = GOOD.replace('"a"', '"z"').encode()
    path = tmp_path / "p.jsonl"
    contents = read(path, b"\n".join([GOOD.encode(), bad, last]))
    assert [problem.name for problem in contents.problems] == ["a", "z"]
    (fault,) = contents.faults
    assert (fault.path, fault.line) == (path, 2)
    assert reason in fault.reason


def test_a_file_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    rows = "\n".join(GOOD.replace('"a"', f'"{number:05d}"') for number in range(5000))
    packed = gzip.compress(rows.encode())
    contents = read(tmp_path / "p.jsonl.gz", packed[: len(packed) // 2])
    assert 0 < len(contents.problems) < 5000
    assert "cut off" in contents.faults[-1].reason


def test_verifiers_without_a_gold_answer_do_not_need_one(tmp_path: Path) -> None:
    row = '{"id": "a", "question": "Q", "answer": "", "tests": ["assert f() == 1"]}'
    contents = read(tmp_path / "p.jsonl", row, verifier="code")
    assert contents.problems[0].gold == ""
    tests = contents.problems[0].tests
    assert tests is not None
    assert tests.unpack() == CodeTests(TestKind.ASSERTS, code="assert f() == 1")


def test_a_missing_file_and_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        registry.read(DatasetSettings("tasks", tmp_path / "none.jsonl"))
    with pytest.raises(SettingsError) as caught:
        registry.read(DatasetSettings("tasks", tmp_path / "p", format="parquet"))
    assert "jsonl" in caught.value.detail


def test_settings_allow_what_the_registry_reads() -> None:
    assert sorted(FORMATS) == sorted(registry.format_names())

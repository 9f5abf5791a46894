"""Files and folders: every kind of file gives the same rows, and damage costs what it must."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explorer.core.problem import Problem
from explorer.datasets import registry
from explorer.datasets.contents import DatasetContents
from explorer.errors import DataError, MissingExtraError
from explorer.settings import DatasetSettings

ROWS = [
    {"question": f"{number} + 1?", "answer": f"so\n#### {number + 1:,}"} for number in range(1500)
]


def read(path: Path, kind: str = "gsm8k", split: str = "") -> DatasetContents:
    return registry.read(DatasetSettings("tasks", path, kind, split=split, unpacked=path.parent))


def lines(rows: list[dict[str, str]]) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"


def write_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Problem, ...]:
    path = tmp_path_factory.mktemp("lines") / "test.jsonl"
    path.write_text(lines(ROWS))
    contents = read(path)
    assert (len(contents.problems), contents.faults) == (1500, ())
    return contents.problems


@pytest.mark.parametrize(
    "name",
    [
        *("a.jsonl.gz", "a.json", "a.json.gz", "keyed.json", "a.parquet", "lines.json"),
        *("indented.json", "no-suffix"),
    ],
)
def test_every_kind_of_file_gives_the_same_problems(
    tmp_path: Path, name: str, expected: tuple[Problem, ...]
) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        write_parquet(path, ROWS)
    else:
        text = {
            "a.json": json.dumps(ROWS),
            "a.json.gz": json.dumps(ROWS),
            "keyed.json": json.dumps({str(place): row for place, row in enumerate(ROWS)}),
            "indented.json": "\ufeff" + json.dumps(ROWS, indent=2),
        }.get(name, lines(ROWS))
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    contents = read(path)
    assert contents.faults == ()
    assert contents.problems == expected


class TestFaults:
    def test_a_json_file_names_the_line_of_a_bad_row(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        rows = [*ROWS[:2], {"question": "Q", "answer": "none"}, 7, ROWS[3]]
        path.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")
        contents = read(path)
        assert [problem.name for problem in contents.problems] == ["0", "1", "4"]
        assert [(fault.line, fault.reason) for fault in contents.faults] == [
            (4, "'answer' has no '####' before its final number"),
            (5, "not a JSON object"),
        ]

    @pytest.mark.parametrize("cut", [3, 30, 60, 5_000, 60_000])
    def test_a_json_file_that_is_cut_off_gives_what_it_has(self, tmp_path: Path, cut: int) -> None:
        path, text = tmp_path / "a.json", json.dumps(ROWS)
        path.write_text(text[:cut])
        contents = read(path)
        whole = len([place for place in range(1, cut) if text[place : place + 2] == "},"])
        assert len(contents.problems) in (whole, whole + 1)
        assert "the rest is left out" in contents.faults[-1].reason

    @pytest.mark.parametrize("text", ["", "7", '"text"', "null", "[1 2]", "[" * 100_000, '{"a" 1}'])
    def test_what_is_no_json_of_rows_is_a_fault(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(text)
        contents = read(path)
        assert contents.problems == ()
        assert len(contents.faults) >= 1

    @pytest.mark.parametrize("value", ['"\\ud800"', "NaN"])
    def test_values_that_are_no_text_or_number_cost_their_row(
        self, tmp_path: Path, value: str
    ) -> None:
        path = tmp_path / "a.json"
        path.write_text(f'[{{"question": {value}, "answer": "#### 1"}}, {json.dumps(ROWS[1])}]')
        contents = read(path)
        assert [problem.name for problem in contents.problems] == ["1"]
        assert len(contents.faults) == 1

    def test_invalid_utf8_in_a_json_file_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b'[{"question": "\xff"}]')
        with pytest.raises(DataError, match="not UTF-8"):
            read(path)

    def test_a_damaged_parquet_file_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        write_parquet(path, ROWS)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(DataError, match=r"a\.parquet cannot be read"):
            read(path)
        path.write_bytes(data[:4] + bytes(len(data) // 3) + data[4 + len(data) // 3 :])
        contents = read(path)
        assert "damaged" in contents.faults[-1].reason
        assert len(contents.problems) < 1500

    def test_a_missing_file_is_said(self, tmp_path: Path) -> None:
        for name in ("none.jsonl", "none.json", "none.parquet"):
            with pytest.raises(DataError, match="cannot be read"):
                read(tmp_path / name)

    def test_parquet_without_the_extra_names_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_parquet(tmp_path / "a.parquet", ROWS[:1])
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        with pytest.raises(MissingExtraError, match="Parquet") as caught:
            read(tmp_path / "a.parquet")
        assert "rlvr-explorer[data]" in caught.value.hint


class TestFolders:
    def test_the_file_of_the_split_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "train.jsonl").write_text(lines(ROWS[:3]))
        (tmp_path / "test.jsonl").write_text(lines(ROWS[3:5]))
        (tmp_path / "testmini.jsonl").write_text(lines(ROWS[5:6]))
        (tmp_path / "README.md").write_text("no data")
        assert len(read(tmp_path).problems) == 2
        assert len(read(tmp_path, split="train").problems) == 3

    def test_the_shards_of_a_hub_clone_are_read_in_order(self, tmp_path: Path) -> None:
        (tmp_path / "main").mkdir()
        write_parquet(tmp_path / "main" / "test-00000-of-00002.parquet", ROWS[:100])
        write_parquet(tmp_path / "main" / "test-00001-of-00002.parquet", ROWS[100:150])
        write_parquet(tmp_path / "main" / "train-00000-of-00001.parquet", ROWS[:7])
        contents = read(tmp_path)
        assert [problem.name for problem in contents.problems] == [str(n) for n in range(150)]

    def test_an_unclear_folder_lists_its_files(self, tmp_path: Path) -> None:
        (tmp_path / "one.jsonl").write_text(lines(ROWS))
        (tmp_path / "two.jsonl").write_text(lines(ROWS))
        with pytest.raises(DataError, match="Which file") as caught:
            read(tmp_path)
        assert "one.jsonl, two.jsonl" in caught.value.detail
        (tmp_path / "two.jsonl").unlink()
        assert len(read(tmp_path).problems) == 1500

    def test_an_empty_folder_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no data file"):
            read(tmp_path)


class TestRecognition:
    def test_the_first_good_row_decides(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text("broken\n" + lines(ROWS[:2]))
        contents = read(path, "auto")
        assert (contents.format, len(contents.problems), len(contents.faults)) == ("gsm8k", 2, 1)

    def test_nothing_recognised_lists_the_fields(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text('{"prompt": "Q", "label": 1}\n')
        with pytest.raises(DataError, match="No format is recognised") as caught:
            read(path, "auto")
        assert "prompt, label" in caught.value.detail

    def test_a_file_without_rows_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text("no\n")
        with pytest.raises(DataError) as caught:
            read(path, "auto")
        assert "no row that is JSON" in caught.value.detail

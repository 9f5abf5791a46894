"""The flat table: pandas, DuckDB and the datasets library open what `export` writes, directly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from explorer.errors import DataError
from explorer.exchange.exporter import Selection
from explorer.exchange.importer import import_file
from explorer.exchange.table import COLUMNS, export_table
from explorer.store.connection import open_writer
from explorer.verifiers.pool import VerifierPool
from tests import recorded_files as ours

duckdb = pytest.importorskip("duckdb")
pandas = pytest.importorskip("pandas")
datasets = pytest.importorskip("datasets")

FORMS = ("t.parquet", "t.jsonl")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Two arms with unknown and known settings, one with token ids; graded."""
    folder = tmp_path_factory.mktemp("table")
    with closing(open_writer(folder / "cache.db")) as connection, VerifierPool(1) as pool:
        import_file(connection, ours.qwen_harness(folder), pool=pool)
        import_file(connection, ours.nemo_rl(folder), pool=pool)
        yield connection


@pytest.fixture(params=FORMS)
def table(request: pytest.FixtureRequest, db: sqlite3.Connection, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    report = export_table(db, path, Selection())
    assert (report.completions, report.problems, report.arms) == (6, 2, 2)
    return Path(path)


def test_pandas(table: Path) -> None:
    frame = pandas.read_parquet(table) if table.suffix == ".parquet" else _read_lines(table)
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 6
    graded = frame[frame["outcome"].notna()]
    # The two files ask the same first question, which is one problem.
    assert graded.groupby("problem")["correct"].sum().to_dict() == {"0": 2, "1": 1}
    assert frame["temperature"].isna().sum() == 2
    assert frame["source_value"].sum() == 3


def _read_lines(path: Path) -> Any:
    return pandas.read_json(path, lines=True, dtype={"problem": str})


def test_duckdb(table: Path) -> None:
    rows = duckdb.sql(
        f"SELECT source_format, COUNT(*), SUM(source_value), COUNT(temperature), MIN(text)"
        f" FROM '{table}' GROUP BY source_format ORDER BY source_format"
    ).fetchall()
    assert [row[:4] for row in rows] == [("nemo-rl", 2, 1.0, 0), ("qwen-harness", 4, 2.0, 4)]
    assert rows[0][4] == ours.WRONG


def test_the_datasets_library(table: Path, tmp_path: Path) -> None:
    kind = "parquet" if table.suffix == ".parquet" else "json"
    read = datasets.load_dataset(
        kind, data_files=str(table), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert read.num_rows == 6
    assert set(read.column_names) == set(COLUMNS)
    assert sorted(text for text in read["text"] if "12" in text) == [ours.RIGHT] * 2


def test_tokens_on_request(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    export_table(db, path, Selection(models=["m"]), tokens=True)
    frame = pandas.read_parquet(path)
    known = frame[frame["token_ids"].notna()]
    assert [ids.tolist() for ids in known["token_ids"]] == [[30, 31, 32]] * 2
    assert known["logprobs"].iloc[0].tolist() == pytest.approx([-0.1, -0.2, -0.3])


def test_a_selection_and_gzip(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    report = export_table(db, path, Selection(models=["nobody"]))
    assert report.completions == 0
    report = export_table(db, path, Selection(dataset="qwen-harness:jars"))
    assert report.completions == len(pandas.read_json(path, lines=True)) == 6


def test_what_cannot_be_written_leaves_the_old_file(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "t.parquet"
    with pytest.raises(DataError, match="cannot be written"):
        export_table(db, path, Selection())

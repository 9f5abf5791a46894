"""Completions as one flat table, a row each, for pandas, DuckDB and the `datasets` library.

Parquet if the name ends in `.parquet`, else JSON lines. This is for other programs; `exporter`
writes what `import` reads back whole. Invariant: the file is one moment of the cache and appears
under its name only when it is complete; what is not known is null.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from explorer.core.arm import Sampling
from explorer.errors import MissingExtraError
from explorer.exchange.exporter import ExportReport, Selection
from explorer.exchange.whole_file import whole_file
from explorer.store import queries
from explorer.store.blobs import unpack_floats, unpack_ints
from explorer.store.connection import database_path, store_errors
from explorer.store.rows import ArmRow, ProblemRow
from explorer.store.standing import OUTCOME, TABLES

ROWS_AT_ONCE: Final = 2048

COLUMNS: Final = {
    "dataset": "string", "problem": "string", "statement": "string", "gold": "string",
    "level": "string", "family": "string",
    "model": "string", "role": "string", "base": "string", "arm": "string",
    "checkpoint": "string", "engine": "string", "dtype": "string",
    "temperature": "float64", "top_p": "float64", "top_k": "int64", "max_tokens": "int64",
    "index": "int64", "seed": "int64", "text": "string", "finish": "string",
    "n_tokens": "int64", "mean_logprob": "float64", "exact": "bool",
    "outcome": "string", "correct": "bool", "answer": "string", "method": "string",
    "verifier": "string", "verifier_version": "string", "overridden": "bool",
    "origin": "string", "source": "string", "source_format": "string", "source_line": "int64",
    "source_label": "string", "source_value": "float64", "source_note": "string",
}  # fmt: skip
"""Name and Arrow type of each column; `token_ids` and `logprobs` come on request."""

TOKEN_COLUMNS: Final = {"token_ids": "int32", "logprobs": "float32"}

Row = dict[str, Any]


def export_table(
    db: sqlite3.Connection, path: Path, selection: Selection, *, tokens: bool = False
) -> ExportReport:
    """Write the selected completions.

    Args:
        tokens: add the columns `token_ids` and `logprobs`.

    Raises:
        DataError: the file cannot be written; an older one of that name is then unharmed.
        MissingExtraError: Parquet was asked for and pyarrow is not installed.
        StoreError: the cache cannot be read.
    """
    report = ExportReport(path)
    with store_errors(database_path(db)), whole_file(path) as part:
        db.execute("BEGIN")
        try:
            rows = _rows(db, selection, report, tokens)
            if path.suffix == ".parquet":
                _write_parquet(part, rows, tokens)
            else:
                _write_lines(part, rows, packed=path.suffix == ".gz")
        finally:
            db.execute("ROLLBACK")
    return report


def _write_lines(path: Path, rows: Iterator[Row], *, packed: bool) -> None:
    with path.open("xb") as raw:
        file: IO[bytes] = (
            gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw  # type: ignore[assignment]
        )
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        if packed:
            file.close()
        raw.flush()
        os.fsync(raw.fileno())


def _write_parquet(path: Path, rows: Iterator[Row], tokens: bool) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Writing parquet files", "data") from error
    fields = [pyarrow.field(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items()]
    if tokens:
        fields += [
            pyarrow.field(name, pyarrow.list_(pyarrow.type_for_alias(kind)))
            for name, kind in TOKEN_COLUMNS.items()
        ]
    schema = pyarrow.schema(fields)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _rows(
    db: sqlite3.Connection, selection: Selection, report: ExportReport, tokens: bool
) -> Iterator[Row]:
    tallies = queries.tallies(db, selection.dataset)
    problems = {row.id: row for row in queries.problems(db, selection.dataset)}
    seen: set[int] = set()
    for arm in queries.arms(db):
        if selection.arms is not None and arm.id not in selection.arms:
            continue
        if selection.models is not None and arm.model.name not in selection.models:
            continue
        chosen = [
            row
            for row in problems.values()
            if (tally := tallies.get((arm.id, row.id)))
            and tally.completions
            and (selection.problems is None or row.id in selection.problems)
        ]
        report.arms += bool(chosen)
        for row in chosen:
            seen.add(row.id)
            for line in _cell(db, arm, row, tokens):
                report.completions += 1
                yield line
    report.problems = len(seen)


def _cell(db: sqlite3.Connection, arm: ArmRow, row: ProblemRow, tokens: bool) -> Iterator[Row]:
    shared = _shared(arm, row)
    found = db.execute(
        f"SELECT c.sample_index, c.seed, c.text, c.finish, c.n_tokens, c.mean_logprob, t.exact,"
        f" {OUTCOME}, v.answer, v.method, v.verifier, v.version, o.outcome IS NOT NULL, c.origin,"
        " c.source, r.format, r.line, l.name, l.value, r.note, t.ids, t.logprobs"
        f" FROM {TABLES} LEFT JOIN token_data t ON t.completion_id = c.id"
        " LEFT JOIN source_row r ON r.completion_id = c.id"
        " WHERE c.arm_id = ? AND c.problem_id = ? ORDER BY c.sample_index",
        (arm.id, row.id),
    )
    for columns in found:
        outcome, exact, ids, logprobs = columns[7], columns[6], columns[20], columns[21]
        line = {
            **shared,
            **dict(zip(_PLAIN[:6], columns[:6], strict=True)),
            "exact": None if exact is None else bool(exact),
            "outcome": outcome,
            "correct": {"correct": True, "wrong": False}.get(outcome),
            **dict(zip(_PLAIN[6:10], columns[8:12], strict=True)),
            "overridden": bool(columns[12]),
            **dict(zip(_PLAIN[10:], columns[13:20], strict=True)),
        }
        if tokens:
            line["token_ids"] = None if ids is None else unpack_ints(ids).tolist()
            line["logprobs"] = None if logprobs is None else unpack_floats(logprobs).tolist()
        yield line


_PLAIN: Final = (
    "index", "seed", "text", "finish", "n_tokens", "mean_logprob",
    "answer", "method", "verifier", "verifier_version",
    "origin", "source", "source_format", "source_line", "source_label", "source_value",
    "source_note",
)  # fmt: skip


def _shared(arm: ArmRow, row: ProblemRow) -> Row:
    problem, sampling = row.problem, arm.spec.sampling
    return {
        "dataset": problem.dataset,
        "problem": problem.name,
        "statement": problem.statement,
        "gold": problem.gold,
        "level": problem.level,
        "family": problem.family,
        "model": arm.model.name,
        "role": arm.model.role,
        "base": arm.model.base,
        "arm": arm.key,
        "checkpoint": arm.spec.checkpoint,
        "engine": arm.spec.engine,
        "dtype": arm.spec.dtype,
        **_settings(sampling),
    }


def _settings(sampling: Sampling) -> Row:
    return {
        "temperature": sampling.temperature if sampling.temperature >= 0 else None,
        "top_p": sampling.top_p if sampling.top_p > 0 else None,
        "top_k": sampling.top_k if sampling.top_k >= 0 else None,
        "max_tokens": sampling.max_tokens if sampling.max_tokens > 0 else None,
    }

"""Recorded completions into the cache. Importing twice adds nothing; a bad line costs that line.

Our own format carries arms, prompts and scores and is read by `native_importer`; everybody else's
goes through `recorded`, which stores it the same way.

Invariant: an import only adds. What the cache already has (a problem, a model's description, a
prompt, a completion at an index) stays, and what disagrees with it is left out and reported.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from explorer.errors import DataError
from explorer.exchange import native
from explorer.exchange.native_importer import NativeImporter
from explorer.exchange.recorded import Given, RecordedImporter
from explorer.exchange.report import FAULTS_KEPT, ImportProgress, ImportReport
from explorer.exchange.sources import registry as sources
from explorer.exchange.sources.base import Companion, Found
from explorer.exchange.sources.head import Head
from explorer.grading import grade_pending
from explorer.json_lines import LineReader, RowFault
from explorer.store import noise
from explorer.store.connection import transaction
from explorer.verifiers.pool import VerifierPool

NOTHING_GIVEN: Final = Given()


def import_file(
    db: sqlite3.Connection,
    path: Path,
    *,
    on_progress: Callable[[ImportProgress], None] | None = None,
    pool: VerifierPool | None = None,
    again: bool = False,
    given: Given = NOTHING_GIVEN,
) -> ImportReport:
    """Import a file of our recorded format, or of another that is recognised.

    Args:
        pool: grades what came without a current verdict; None leaves that to the sampler.
        again: read the file even if it was imported before and has not changed since.
        given: what a person says of a file that does not say it itself.

    Raises:
        DataError: the file is not there, or is of no format that can be read.
        StoreError: the cache cannot be written; what was imported until then stays.
    """
    report = ImportReport(path)
    if not again and is_imported(db, path, given):
        report.unchanged = True
        return report
    with _no_garbage_collection():
        if Head(path).row.get("type") == native.FORMAT:
            report.recognised = "rlvr-explorer's own format"
            with LineReader(path) as reader:
                NativeImporter(db, reader, report, on_progress).run()
        else:
            found = sources.recognise(path)
            if found is None:
                raise sources.unknown(path)
            if isinstance(found, Companion):
                report.companion_of = found.of
                return report
            _import_found(db, found, given, report, on_progress)
    if not report.faults_total:
        _remember(db, path, given)
    if report.scores:
        noise.measure_all(db)
    if pool is not None:
        report.graded = grade_pending(db, pool, outdated=False)
    return report


def _import_found(
    db: sqlite3.Connection,
    found: Found,
    given: Given,
    report: ImportReport,
    on_progress: Callable[[ImportProgress], None] | None,
) -> None:
    """Import a file of somebody else's format."""
    faults: list[RowFault] = []

    def keep(fault: RowFault) -> None:
        report.faults_total += 1
        if len(faults) < FAULTS_KEPT:
            faults.append(fault)

    importer = RecordedImporter(db, found, given, keep)
    for _ in importer.batches():
        if on_progress:
            at = importer.progress
            on_progress(ImportProgress(at.done, at.total, importer.outcome.seen))
    outcome = importer.outcome
    report.recognised = ": ".join(part for part in (found.title, found.detail) if part)
    report.added, report.present = outcome.added, outcome.present
    report.problems, report.labels = outcome.problems, outcome.labels
    report.models, report.datasets = outcome.models, dict(outcome.datasets)
    report.notes, report.without_tokens = dict(outcome.notes), outcome.without_tokens
    report.remarks = (*found.remarks, *found.facts.get("remarks", ()))
    report.faults = tuple(faults)


def is_imported(db: sqlite3.Connection, path: Path, given: Given = NOTHING_GIVEN) -> bool:
    """Whether this file was imported alike and has the size and time of change it had then."""
    size, modified = _fingerprint(path)
    row = db.execute(
        "SELECT size, modified FROM imported WHERE path = ?", (_name(path, given),)
    ).fetchone()
    return row is not None and tuple(row) == (size, modified)


def _fingerprint(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be read", f"{path}: {error.strerror}.", "Check the path."
        ) from error
    return stat.st_size, stat.st_mtime_ns


def _remember(db: sqlite3.Connection, path: Path, given: Given) -> None:
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO imported VALUES (?,?,?,?)",
            (_name(path, given), *_fingerprint(path), time.time()),
        )


def _name(path: Path, given: Given) -> str:
    """What was imported: the file, and what was said of it where that changes its arms."""
    said = given.describe()
    return f"{path.resolve()}" + (f" as {said}" if said else "")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Parsed lines are millions of objects without a cycle; looking for one takes a sixth more."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

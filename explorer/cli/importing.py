"""How an import is shown: a bar while it runs, one paragraph when it is done."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from explorer.cli.run import printable
from explorer.errors import DataError
from explorer.exchange.files import recognise
from explorer.exchange.importer import import_file
from explorer.exchange.recorded import Given
from explorer.exchange.report import ImportProgress, ImportReport
from explorer.exchange.sources.registry import NOT_RECOGNISED
from explorer.verifiers.pool import VerifierPool

FAULTS_SHOWN = 10


@contextmanager
def progress_bar(path: Path) -> Iterator[Callable[[ImportProgress], None] | None]:
    """A bar on stderr where that is a terminal; nothing else is ever written there."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1000, label=printable(path.name), file=sys.stderr) as bar:

        def advance(progress: ImportProgress) -> None:
            done = 1000 * progress.bytes_done // max(progress.bytes_total, 1)
            bar.update(max(0, done - bar.pos))

        yield advance
        bar.update(1000 - bar.pos)


def print_import(report: ImportReport) -> None:
    """What an import did, honest about what was left out."""
    name = printable(str(report.path))
    if report.unchanged:
        click.echo(f"{name}: imported before and unchanged; nothing to do (--again reads it)")
        return
    if report.companion_of:
        click.echo(f"{name}: belongs to {printable(report.companion_of)}")
        return
    click.echo(f"{name}: {printable(report.recognised)}")
    for model, settings in report.models.items():
        click.echo(f"  model {printable(model)} · {settings}")
    parts = [f"{report.added:,} new completions", f"{report.present:,} already here"]
    if report.different:
        parts.append(f"{report.different:,} of those differ from what is here, which stays")
    if report.problems:
        parts.append(f"{report.problems:,} new problems")
    if report.scores:
        parts.append(f"{report.scores:,} new scores")
    if report.labels:
        parts.append(f"{report.labels:,} labels of the source")
    if report.graded_in_file or report.graded:
        parts.append(f"{report.graded_in_file:,} graded in the file, {report.graded:,} graded now")
    click.echo(f"  {' · '.join(parts)}")
    _print_details(report)
    for fault in report.faults[:FAULTS_SHOWN]:
        click.echo(f"  left out {printable(str(fault))}", err=True)
    if report.faults_total > FAULTS_SHOWN:
        click.echo(f"  … and {report.faults_total - FAULTS_SHOWN:,} more", err=True)


def _print_details(report: ImportReport) -> None:
    for dataset, count in report.datasets.items():
        click.echo(f"  dataset {printable(dataset)}: {count:,} completions")
    if report.without_tokens:
        click.echo(f"  {report.without_tokens:,} without token ids: scoring will retokenise them")
    for note, count in report.notes.items():
        click.echo(f"  marked {count:,}: {printable(note)}")
    for remark in report.remarks:
        click.echo(f"  note: {printable(remark)}")


def import_all(
    db: sqlite3.Connection,
    files: list[Path],
    given: Given,
    pool: VerifierPool | None,
    *,
    again: bool,
    strict: bool,
) -> int:
    """Import files and say what became of each; grading comes once, after all of them.

    Args:
        strict: refuse a file that cannot be read, rather than go on with the others.

    Returns:
        How many rows and files could not be used.

    Raises:
        DataError: nothing at all could be read.
    """
    faulty = read = 0
    for path in files:
        try:
            with progress_bar(path) as on_progress:
                report = import_file(
                    db, path, on_progress=on_progress, pool=None, again=again, given=given
                )
        except DataError as error:
            if strict:
                raise
            click.echo(f"{printable(str(path))}: left out: {printable(error.title)}", err=True)
            faulty += 0 if error.title.endswith(NOT_RECOGNISED) else 1
            continue
        read += 1
        print_import(report)
        faulty += report.faults_total
    if not read:
        raise DataError("No file could be read", "", "`--dry-run` says what each file is.")
    if pool is not None:
        from explorer.grading import grade_pending

        graded = grade_pending(db, pool, outdated=False)
        if graded:
            click.echo(f"graded {graded:,} completions")
    return faulty


def print_recognised(files: list[Path]) -> None:
    """What each file is, without importing anything."""
    for path in files:
        try:
            found = recognise(path)
        except DataError as error:
            click.echo(f"{printable(str(path))}: refused: {printable(error.title)}")
            continue
        click.echo(f"{printable(str(path))}: {printable(found)}")

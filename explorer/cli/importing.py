"""How an import is shown: a bar while it runs, one paragraph when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from explorer.cli.run import printable
from explorer.exchange.importer import ImportProgress, ImportReport

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
    parts = [f"{report.added:,} new completions", f"{report.present:,} already here"]
    if report.different:
        parts.append(f"{report.different:,} of those differ from what is here, which stays")
    if report.problems:
        parts.append(f"{report.problems:,} new problems")
    if report.scores:
        parts.append(f"{report.scores:,} new scores")
    parts.append(f"{report.graded_in_file:,} graded in the file, {report.graded:,} graded now")
    click.echo(f"{name}: {' · '.join(parts)}")
    for fault in report.faults[:FAULTS_SHOWN]:
        click.echo(f"  left out {printable(str(fault))}", err=True)
    if report.faults_total > FAULTS_SHOWN:
        click.echo(f"  … and {report.faults_total - FAULTS_SHOWN:,} more", err=True)

"""`rlvr-explorer doctor`: is everything in order, and if not, what to do."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import workspace_option


@click.command("doctor", short_help="Check the installation, the settings and the cache.")
@workspace_option
@click.option("--verify", is_flag=True, help="Also re-derive every key and count of the cache.")
def command(where: Path | None, verify: bool) -> None:
    """Check the installation, the settings and the cache.

    Changes nothing, loads no model and asks no network. Ends with exit code 1 if something is
    wrong.
    """
    from explorer.cli.run import printable
    from explorer.diagnosis import Level, examine
    from explorer.errors import ExplorerError

    marks = {Level.GOOD: "✓", Level.NOTE: "·", Level.BAD: "✗"}
    colours = {Level.GOOD: "green", Level.NOTE: "yellow", Level.BAD: "red"}
    wrong = 0
    for finding in examine(where, verify):
        wrong += finding.level is Level.BAD
        mark = click.style(marks[finding.level], fg=colours[finding.level])
        first, *more = printable(finding.text).split("\n")
        click.echo(f"{mark} {finding.topic:<16} {first}")
        for line in more:
            click.echo(f"{'':19}{line}")
        if finding.fix:
            click.echo(f"{'':19}→ {printable(finding.fix)}")
    if wrong:
        raise ExplorerError(f"{wrong} thing{' is' if wrong == 1 else 's are'} wrong")
    click.echo("All is well.")

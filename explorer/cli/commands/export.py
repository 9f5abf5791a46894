"""`rlvr-explorer export`: completions for another cache, or as a table for other programs."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import read_settings, workspace_option

if TYPE_CHECKING:
    from explorer.exchange.exporter import Selection
    from explorer.settings import Settings


@click.command("export", short_help="Write completions as JSON lines or a Parquet table.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@workspace_option
@click.option("-d", "--dataset", default="", help="Only this dataset.")
@click.option(
    "-p", "--problems", default="", metavar="NAMES", help="Only these: names, patterns or a filter."
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL|KEY",
    help="Only this one's; again for more.",
)
@click.option("--no-scores", is_flag=True, help="Leave out what models think of the tokens.")
@click.option("--exact", is_flag=True, help="All digits of every float, not six.")
@click.option("--table", is_flag=True, help="One flat row a completion; implied by .parquet.")
@click.option("--tokens", is_flag=True, help="Add token ids and log-probabilities to the table.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(
    file: Path,
    where: Path | None,
    dataset: str,
    problems: str,
    models: tuple[str, ...],
    no_scores: bool,
    exact: bool,
    table: bool,
    tokens: bool,
    force: bool,
) -> None:
    """Write completions as JSON lines or a Parquet table.

    FILE is gzipped if its name ends in .gz. It holds problems, arms, prompts, completions with
    tokens and verdicts, and scores; `import` reads it back, here or elsewhere. With --table, or
    if its name ends in .parquet, it is a flat table instead, which pandas, DuckDB and the
    datasets library open as it is.
    """
    from contextlib import closing

    from explorer.cli.run import printable
    from explorer.errors import UsageError
    from explorer.exchange.exporter import export
    from explorer.store.connection import open_reader

    settings = read_settings(where)
    if file.exists() and not force:
        raise UsageError(f"{file} is there already", "", "Add --force to replace it.")
    with closing(open_reader(settings.workspace.cache)) as db:
        chosen = _selection(db, settings, dataset, problems, models)
        chosen = replace(chosen, scores=not no_scores, exact=exact)
        if table or tokens or file.suffix == ".parquet":
            from explorer.exchange.table import export_table

            report = export_table(db, file, chosen, tokens=tokens)
        else:
            report = export(db, file, chosen)
    counts = f"{report.completions:,} completions of {report.problems:,} problems"
    click.echo(
        f"{printable(str(file))}: {counts} by {report.arms:,} arms · {report.scores:,} scores"
    )


def _selection(
    db: sqlite3.Connection, settings: Settings, dataset: str, problems: str, models: tuple[str, ...]
) -> Selection:
    """What the options name, all of it where they name nothing.

    Raises:
        UsageError: there is no such dataset, problem or model.
    """
    from explorer.exchange.exporter import Selection
    from explorer.store import queries
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

    rows = select(db, read_shown(db, settings), problems or "all", dataset)
    arms = queries.arms(db)
    chosen = {arm.id for name in models for arm in select_arms(arms, name)}
    return Selection(
        dataset=dataset or None,
        problems={row.id for row in rows} if problems else None,
        arms=chosen if models else None,
    )

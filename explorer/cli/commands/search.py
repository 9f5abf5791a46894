"""`rlvr-explorer search`: which completions hold a phrase, and how many of each arm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option

if TYPE_CHECKING:
    import sqlite3

    from explorer.store.search import Scope


@click.command("search", short_help="Search the texts of all completions, with shares per arm.")
@click.argument("text")
@workspace_option
@click.option("-d", "--dataset", default="", help="Only this dataset.")
@click.option("-p", "--problem", default="", help="Only this problem.")
@click.option("--top", default=20, type=click.IntRange(0), help="Hits to list.  [default: 20]")
@json_option
def command(
    text: str, where: Path | None, dataset: str, problem: str, top: int, as_json: bool
) -> None:
    """Search the texts of all completions, with shares per arm.

    Words match in a row, whatever stands between them and whatever their case; a text with signs
    in it, such as '\\boxed{7}', matches letter for letter. A * at the end lets the last word go on.
    The first search makes the index; later ones add only what is new.
    """
    from contextlib import closing

    from explorer.errors import StoreError
    from explorer.report.search import print_search
    from explorer.store.connection import open_reader, open_writer
    from explorer.store.search import bring_up_to_date
    from explorer.views.search import WITHOUT_INDEX, as_dict, run

    settings = read_settings(where)
    cache = settings.workspace.cache
    with closing(open_reader(cache)) as db:
        scope, named = _scope(db, dataset, problem)
    try:
        with closing(open_writer(cache)) as db:
            note = "" if bring_up_to_date(db) else WITHOUT_INDEX
    except StoreError as error:  # a cache that others own can still be searched
        note = f"the index could not be written ({error.title})"
    with closing(open_reader(cache)) as db:
        report = run(db, text, scope, named, most=top, note=note)
    if as_json:
        print_json(as_dict(report))
    else:
        print_search(report)


def _scope(db: sqlite3.Connection, dataset: str, problem: str) -> tuple[Scope, str]:
    from explorer.errors import UsageError
    from explorer.store import queries
    from explorer.store.search import Scope
    from explorer.views.selection import full_name, one_problem

    if problem:
        rows = queries.problems(db, dataset or None)
        row = one_problem(rows, problem)
        return Scope(problem_id=row.id), full_name(row)
    known = queries.datasets(db)
    if dataset and dataset not in known:
        raise UsageError(f"There is no dataset '{dataset}'", f"There are: {', '.join(known)}.")
    return (Scope(dataset=dataset), dataset) if dataset else (Scope(), "the whole cache")

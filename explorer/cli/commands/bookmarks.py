"""`rlvr-explorer bookmarks`: the places in traces that a person kept."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("bookmarks", short_help="List the places in traces that were kept.")
@workspace_option
@click.option("--forget", type=int, default=None, metavar="ID", help="Forget one, by its number.")
@json_option
def command(where: Path | None, forget: int | None, as_json: bool) -> None:
    """List the places in traces that were kept.

    m in Traces keeps one, M lists them. Each comes with the link that `rlvr-explorer open` takes.
    """
    from contextlib import closing
    from dataclasses import asdict

    from explorer.errors import UsageError
    from explorer.report.console import console, table
    from explorer.store.bookmarks import bookmarks, remove
    from explorer.store.connection import open_reader, open_writer
    from explorer.views.links import link_to
    from explorer.views.text import one_line

    settings = read_settings(where)
    open_reader(settings.workspace.cache).close()  # says so if there is none yet
    if forget is not None:
        with closing(open_writer(settings.workspace.cache)) as db:
            if not remove(db, forget):
                raise UsageError(f"There is no bookmark {forget}")
    with closing(open_reader(settings.workspace.cache)) as db:
        rows = bookmarks(db)
    links = [link_to(one.dataset, one.problem, one.arm_key, one.index, one.token) for one in rows]
    if as_json:
        print_json([{"link": link} | asdict(one) for link, one in zip(links, rows, strict=True)])
        return
    cells = [
        [str(one.id), one_line(link), one_line(one.model), one_line(one.author), one_line(one.note)]
        for link, one in zip(links, rows, strict=True)
    ]
    if cells:
        console().print(table(["id", "link", "model", "by", "note"], cells, text_columns=5))
    else:
        click.echo("No place is kept yet: m in Traces keeps the token under the cursor.")

"""`rlvr-explorer status`: what the sampler does, what waits, what failed."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("status", short_help="Print what the sampler is doing and what waits.")
@workspace_option
@json_option
def command(where: Path | None, as_json: bool) -> None:
    """Print what the sampler is doing and what waits."""
    from contextlib import closing

    from explorer.report.guides import guides_as_list, print_guides
    from explorer.report.servers import print_servers, servers_as_list
    from explorer.report.status import as_dict, print_status
    from explorer.store.connection import open_reader
    from explorer.views.guides import read_guides
    from explorer.views.servers import read_serving
    from explorer.views.status import read_status

    settings = read_settings(where)
    with closing(open_reader(settings.workspace.cache)) as db:
        found, guides = read_status(db), read_guides(db, ended=0)
    serving = read_serving(settings)
    if as_json:
        more = {"guides": guides_as_list(guides), "servers": servers_as_list(serving)}
        print_json(as_dict(found) | more)
    else:
        print_status(found, settings.workspace.sampler_log)
        if guides:
            click.echo()
            print_guides(guides)
        print_servers(serving)

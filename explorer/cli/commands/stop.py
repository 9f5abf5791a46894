"""`rlvr-explorer stop`: end the background sampler in good order."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("stop", short_help="Stop the sampler; what is stored stays.")
@workspace_option
@click.option("--cancel", is_flag=True, help="Also cancel what waits, so that nothing resumes.")
def command(where: Path | None, cancel: bool) -> None:
    """Stop the sampler; what is stored stays.

    Requests that are not done stay queued, and go on when a sampler is started next.
    """
    from contextlib import closing

    from explorer.store import requests, status
    from explorer.store.connection import open_writer

    settings = read_settings(where)
    if not settings.workspace.cache.exists():
        click.echo("There is no cache yet, so nothing runs.")
        return
    with closing(open_writer(settings.workspace.cache)) as db:
        if cancel:
            count = requests.cancel(db)
            click.echo(f"Cancelled {count} request{'' if count == 1 else 's'}.")
        if status.request_stop(db):
            click.echo("The sampler was asked to stop; it stores what is finished first.")
        else:
            click.echo("No sampler is running.")

"""`rlvr-explorer models`: what is configured, what can be loaded, what is stored."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("models", short_help="List the models of the workspace and of its cache.")
@workspace_option
@json_option
def command(where: Path | None, as_json: bool) -> None:
    """List the models of the workspace and of its cache.

    'ready' is whether a model can be loaded here: its files are there and its engine is
    installed. A model on a hub is looked up only when it is first used.
    """
    from explorer.report.models import as_list, print_models
    from explorer.views.models import read_models

    found = read_models(read_settings(where))
    if as_json:
        print_json(as_list(found))
    else:
        print_models(found)

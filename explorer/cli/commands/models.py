"""`rlvr-explorer models`: what is configured, what can be loaded, what is served; `models stop`."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.group(
    "models",
    invoke_without_command=True,
    short_help="List the models of the workspace and of its cache.",
)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, where: Path | None, as_json: bool) -> None:
    """List the models of the workspace and of its cache.

    'ready' is whether a model can be loaded here: its files are there and its engine is
    installed. A model on a hub is looked up only when it is first used. Below them stand the
    vLLM servers that the sampler started; `models stop` ends those.
    """
    context.obj = where
    if context.invoked_subcommand is not None:
        return
    from explorer.report.models import as_list, print_models
    from explorer.report.servers import print_servers
    from explorer.views.models import read_models
    from explorer.views.servers import read_serving

    settings = read_settings(where)
    found = read_models(settings)
    if as_json:
        print_json(as_list(found))
    else:
        print_models(found)
        print_servers(read_serving(settings))


@command.command("stop", short_help="Stop vLLM servers that the sampler started.")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@workspace_option
@click.pass_context
def stop(context: click.Context, names: tuple[str, ...], where: Path | None) -> None:
    """Stop the vLLM servers of these models, or all that the sampler of this workspace started.

    The memory is free when this returns. What is stored stays; a sampler that still has requests
    for a model starts its server again.
    """
    from explorer.engines.vllm_processes import stop_server
    from explorer.errors import UsageError
    from explorer.store import server_files

    settings = read_settings(where or context.obj)
    unknown = [name for name in names if name not in settings.models]
    if unknown:
        raise UsageError(
            f"There is no model '{unknown[0]}' in explorer.toml",
            f"It has: {', '.join(settings.models) or 'none'}.",
        )
    folder = settings.workspace.servers
    sources = {settings.models[name].source for name in names}
    stopped = 0
    for server in server_files.servers(folder):
        if names and server.model not in sources:
            continue
        if not server.is_here:
            click.echo(f"{server.name} runs on {server.host}: stop it there.")
            continue
        if stop_server(folder, server):
            stopped += 1
            click.echo(f"Stopped {Path(server.model).name}, process {server.pid}.")
    if not stopped:
        click.echo("No server is running.")

"""`rlvr-explorer parity`: differences between two arms that would fake a result."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("parity", short_help="List differences between two arms that would fake a result.")
@click.argument("models", nargs=-1, metavar="[BASE MODEL]")
@workspace_option
@click.option("-d", "--dataset", default="", help="Which dataset.  [default: the first]")
@click.option("-p", "--problem", default="", help="Whose prompts are compared.")
@click.option("--preset", default="", help="Sampling settings.  [default: the workspace's]")
@json_option
def command(
    models: tuple[str, ...],
    where: Path | None,
    dataset: str,
    problem: str,
    preset: str,
    as_json: bool,
) -> None:
    """List differences between two arms that would fake a result.

    BASE and MODEL are names, or the first letters of arms' keys; without them, every model is held
    against its base. Prompts, sampling, stop strings, context, end tokens, engine, tokenizer,
    truncated shares and verifiers are compared. The exit code says nothing of what was found.
    """
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.report.parity import as_dict, print_parity
    from explorer.views.report_reader import read_parity

    if len(models) not in (0, 2):
        raise UsageError("Name two models, or none", f"{len(models)} were named.")
    settings = read_settings(where)
    prepare(settings)
    pairs = read_parity(settings, models, dataset, problem, preset)
    if as_json:
        print_json([as_dict(pair) for pair in pairs])
        return
    for position, pair in enumerate(pairs):
        click.echo("\n" if position else "", nl=False)
        print_parity(pair)

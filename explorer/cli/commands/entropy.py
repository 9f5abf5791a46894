"""`rlvr-explorer entropy`: the temperature at which a model is as varied as its base."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("entropy", short_help="Find at which temperature a model is as varied as its base.")
@click.argument("model")
@workspace_option
@click.option("--to", "reference", default="", help="As varied as this model.  [default: its base]")
@click.option(
    "-p",
    "--problems",
    default="",
    metavar="NAMES",
    help="On which problems.  [default: eight, spread over the dataset]",
)
@click.option(
    "-n", "each", type=click.IntRange(1, 1024), default=16, show_default=True,
    help="Completions of each problem and temperature.",
)  # fmt: skip
@click.option("--preset", default="", help="What the other is sampled with.  [default: the usual]")
def command(
    model: str, where: Path | None, reference: str, problems: str, each: int, preset: str
) -> None:
    """Find at which temperature a model is as varied as its base.

    An RL-trained model is often surer of each token, and more samples of it then say less. This
    finds the temperature at which its mean token entropy while sampling is that of the base, and
    prints a preset to sample it with. What is drawn for this is not stored.
    """
    from explorer.cli.entropy import find, preset_lines

    found = find(read_settings(where), model, reference, problems, each, preset)
    click.echo(f"{found.sentence()}.")
    click.echo("To sample with it, put this into explorer.toml and use --preset:\n")
    click.echo("\n".join(preset_lines(found)))

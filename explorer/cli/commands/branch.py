"""`rlvr-explorer branch`: let a model go on from tokens of a stored completion."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, read_settings, workspace_option


@click.command("branch", short_help="Let a model go on from tokens of a completion.")
@click.argument("link", metavar="PROBLEM/MODEL#SAMPLE")
@workspace_option
@click.option("-m", "--model", required=True, help="Which model goes on (often the base).")
@click.option(
    "-t",
    "--token",
    "tokens",
    type=click.IntRange(min=0),
    multiple=True,
    help="Keep so many tokens; may be repeated.  [default: a grid of nine]",
)
@click.option("--swap", default="", metavar="TEXT|ID", help="Instead of the next token, this one.")
@click.option(
    "-n", "n", type=click.IntRange(1, 100_000), default=16, show_default=True,
    help="How many times from each token, in all.",
)  # fmt: skip
@click.option("--preset", default="", help="Sampling preset.  [default: the completion's own]")
@click.option("--wait", is_flag=True, help="Stay until it is drawn and graded, then print it.")
@json_option
def command(
    link: str,
    where: Path | None,
    model: str,
    tokens: tuple[int, ...],
    swap: str,
    n: int,
    preset: str,
    wait: bool,
    as_json: bool,
) -> None:
    """Let a model go on from tokens of a completion.

    What it goes on to say is graded with what it was handed, and kept as an arm of its own. Over
    a grid of tokens the pass rate is the value of the trace so far, in that model's hands. A
    token to --swap in must be among the alternatives that a model's scores know at that place.
    """
    from explorer.cli.branching import Wanted, run

    run(read_settings(where), Wanted(link, model, tokens, swap, n, preset), wait, as_json)

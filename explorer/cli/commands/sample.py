"""`rlvr-explorer sample`: ask for completions; the background sampler draws what is missing."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("sample", short_help="Ask for completions of problems by a model.")
@workspace_option
@click.option("-m", "--model", required=True, help="Which model samples.")
@click.option(
    "-p",
    "--problems",
    required=True,
    metavar="NAMES",
    help="Problems: names or patterns ('trees-*'), a filter ('class:S base<5%'), or 'all'.",
)
@click.option(
    "-n", "n", type=click.IntRange(1, 100_000), help="How many each problem shall have in all."
)
@click.option("--preset", default="", help="Sampling preset.  [default: the workspace's]")
@click.option(
    "--until-settled",
    is_flag=True,
    help="Sample it and its base until it is settled which solves each problem more often.",
)
@click.option(
    "--cap",
    type=click.IntRange(1, 100_000),
    help="With --until-settled: at most so many of each.  [default: 1024]",
)
@click.option("--wait", is_flag=True, help="Stay, show progress, and end when it is done.")
def command(
    where: Path | None,
    model: str,
    problems: str,
    n: int | None,
    preset: str,
    until_settled: bool,
    cap: int | None,
    wait: bool,
) -> None:
    """Ask for completions of problems by a model.

    The request says how many completions there shall be; a background sampler draws those that
    are missing and goes on when this terminal goes away. Asking again costs nothing.

    With --until-settled it draws the model and its base in batches of 16, each time the one that
    is in more doubt, until it is 95% sure which solves the problem more often, or at the cap.
    """
    from contextlib import closing

    from explorer.cli import settle
    from explorer.cli.asking import known, named_model, start_sampler, wait_or_say
    from explorer.core.sequential import DEFAULT_CAP
    from explorer.preparation import prepare
    from explorer.store import requests
    from explorer.store.connection import open_writer
    from explorer.views.numbers import plural
    from explorer.views.report_reader import read_shown, select

    _check_together(n, until_settled, cap)
    settings = read_settings(where)
    named_model(settings, model)
    sampling = settings.presets[
        known("preset", preset or settings.default_preset, settings.presets)
    ]
    prepare(settings)
    target = n or settings.default_n
    with closing(open_writer(settings.workspace.cache)) as db:
        chosen = select(db, read_shown(db, settings), problems)
        if until_settled:
            settle.begin(db, settings, model, chosen, sampling, cap or DEFAULT_CAP, wait)
            return
        asked = [
            requests.ask_for_completions(db, model, row.id, sampling, target, requests.BATCH)
            for row in chosen
        ]
        start_sampler(settings)
        count = plural(len(chosen), "problem")
        click.echo(f"Asked for {target} completions of {count} by {model} ({sampling.label()}).")
        wait_or_say(db, settings, asked, wait)


def _check_together(n: int | None, until_settled: bool, cap: int | None) -> None:
    if until_settled and n is not None:
        raise click.UsageError("--until-settled decides itself how many to draw; use --cap, not -n")
    if cap is not None and not until_settled:
        raise click.UsageError("--cap is for --until-settled")

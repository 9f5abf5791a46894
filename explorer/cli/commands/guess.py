"""`rlvr-explorer guess`: how often a model answers right without reasoning."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import (
    each_option,
    problems_option,
    read_settings,
    wait_option,
    workspace_option,
)


@click.command("guess", short_help="Ask for answers without reasoning, to find guessable problems.")
@workspace_option
@click.option("-m", "--model", required=True, help="Which model answers.")
@problems_option
@each_option(64, "How many answers each problem shall have in all.")
@click.option("--preset", default="", help="Sampling preset.  [default: the workspace's]")
@click.option(
    "--max-tokens",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="Room for an answer.",
)
@wait_option
def command(
    where: Path | None,
    model: str,
    problems: str,
    n: int,
    preset: str,
    max_tokens: int,
    wait: bool,
) -> None:
    """Ask for answers without reasoning, to find guessable problems.

    The prompt begins the answer, so that none of it is reasoning; these completions are an arm
    of their own. `report` and `show` then say which problems are right with 0 < p < 5%, what
    guessing alone does to pass@k, and pass@k without them.
    """
    from contextlib import closing

    from explorer.cli.asking import known, named_model, start_sampler, wait_or_say
    from explorer.core.guessing import guess_sampling
    from explorer.preparation import prepare
    from explorer.store import requests
    from explorer.store.connection import open_writer
    from explorer.views.report_reader import read_shown, select

    settings = read_settings(where)
    named_model(settings, model)
    own = settings.presets[known("preset", preset or settings.default_preset, settings.presets)]
    sampling = guess_sampling(own, max_tokens)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        chosen = select(db, read_shown(db, settings), problems)
        asked = [
            requests.ask_for_guesses(db, model, row.id, sampling, n, requests.BATCH)
            for row in chosen
        ]
        start_sampler(settings)
        count = f"{len(chosen)} problem" + ("" if len(chosen) == 1 else "s")
        click.echo(
            f"Asked {model} for {n} answers to {count} without reasoning ({sampling.label()})."
        )
        if n <= 20:
            click.echo("With 20 or fewer none can be found guessable: 1 of 20 is 5% already.")
        wait_or_say(db, settings, asked, wait)

"""`rlvr-explorer score`: ask what one model thinks of another's completions, token by token."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("score", short_help="Ask how likely a model finds another model's completions.")
@workspace_option
@click.option("-m", "--model", default="", help="Which model scores (usually the base).")
@click.option(
    "--of", "--arm", "of", default="", metavar="MODEL|KEY", help="Whose completions: a model's"
    " name, or the first letters of an arm's key where a model has several arms."
)  # fmt: skip
@click.option(
    "-p",
    "--problem",
    "--problems",
    "problems",
    default="",
    metavar="NAMES",
    help="Problems: names or patterns ('trees-*'), a filter ('class:S base<5%'), or 'all'.",
)
@click.option(
    "-n",
    "n",
    type=click.IntRange(1, 100_000),
    default=8,
    show_default=True,
    help="Most completions to score per problem and arm, the first ones.",
)
@click.option(
    "--noise-floor",
    is_flag=True,
    help="Let each model (or -m) score its own samples instead: how far it disagrees with itself.",
)
@click.option("--wait", is_flag=True, help="Stay, show progress, and end when it is done.")
def command(
    where: Path | None,
    model: str,
    of: str,
    problems: str,
    n: int,
    noise_floor: bool,
    wait: bool,
) -> None:
    """Ask how likely a model finds another model's completions.

    Log-probability, rank and entropy of every token are stored, and colour the traces. What is
    scored already is not scored again. With --noise-floor nothing needs to be named: a few
    samples of every model are enough to tell what no difference between models may be read into.
    """
    if noise_floor:
        _noise_floor(where, model, of, problems, n, wait)
        return
    from contextlib import closing

    from explorer.cli.asking import named_model, start_sampler, wait_for
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.store import queries, requests
    from explorer.store.connection import open_writer
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

    missing = [
        option for option, given in (("-m", model), ("--of", of), ("-p", problems)) if not given
    ]
    if missing:
        raise click.UsageError(f"Missing option: {', '.join(missing)}.")
    settings = read_settings(where)
    named_model(settings, model)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        arms = select_arms(queries.arms(db), of)
        chosen = select(db, read_shown(db, settings), problems)
        tallies = queries.tallies(db)
        cells = [(arm, row) for arm in arms for row in chosen if (arm.id, row.id) in tallies]
        if not cells:
            raise UsageError(
                f"{of} has no completions of these problems",
                "There is nothing to score.",
                "Sample or import some first.",
            )
        asked = [
            requests.ask_for_scores(db, model, row.id, arm.id, n, priority=requests.BATCH)
            for arm, row in cells
        ]
        start_sampler(settings)
        count = f"{len(cells)} cell" + ("" if len(cells) == 1 else "s")
        click.echo(f"Asked {model} to score up to {n} completions of {of} in each of {count}.")
        if wait:
            wait_for(db, settings, asked)
        else:
            click.echo("`rlvr-explorer status` shows how far it is.")


def _noise_floor(
    where: Path | None, model: str, of: str, problems: str, n: int, wait: bool
) -> None:
    from contextlib import closing

    from explorer.cli import noise_floor
    from explorer.cli.asking import named_model, start_sampler, wait_for
    from explorer.preparation import prepare
    from explorer.store.connection import open_writer

    if of:
        raise click.UsageError("--noise-floor scores a model's own samples: leave --of out.")
    settings = read_settings(where)
    if model:
        named_model(settings, model)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        arms, asked = noise_floor.ask(db, settings, model, problems, n)
        start_sampler(settings)
        names = ", ".join(dict.fromkeys(arm.model.name for arm in arms))
        click.echo(f"Asked {names} to score up to {n} of their own samples in {len(asked)} cells.")
        if wait:
            wait_for(db, settings, asked)
            noise_floor.print_floors(db, arms)
        else:
            click.echo("`rlvr-explorer status` shows how far it is; `report` tells the floors.")

"""`rlvr-explorer score`: ask what one model thinks of another's completions, token by token."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import (
    PROBLEMS_HELP,
    each_option,
    read_settings,
    wait_option,
    workspace_option,
)

if TYPE_CHECKING:
    from explorer.settings import Settings


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
    help=PROBLEMS_HELP,
)
@each_option(8, "Most completions to score per problem and arm, the first ones.")
@click.option(
    "--noise-floor",
    is_flag=True,
    help="Let each model (or -m) score its own samples instead: how far it disagrees with itself.",
)
@wait_option
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
    else:
        _score(where, model, of, problems, n, wait)


def _score(where: Path | None, model: str, of: str, problems: str, n: int, wait: bool) -> None:
    from contextlib import closing

    from explorer.cli.asking import named_model, start_sampler, wait_or_say
    from explorer.preparation import prepare
    from explorer.store import requests
    from explorer.store.connection import open_writer

    named = (("-m", model), ("--of", of), ("-p", problems))
    missing = [option for option, given in named if not given]
    if missing:
        raise click.UsageError(f"Missing option: {', '.join(missing)}.")
    settings = read_settings(where)
    named_model(settings, model)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        cells = _drawn(db, settings, of, problems)
        asked = [
            requests.ask_for_scores(db, model, problem_id, arm_id, n, priority=requests.BATCH)
            for arm_id, problem_id in cells
        ]
        start_sampler(settings)
        count = f"{len(cells)} cell" + ("" if len(cells) == 1 else "s")
        click.echo(f"Asked {model} to score up to {n} completions of {of} in each of {count}.")
        wait_or_say(db, settings, asked, wait)


def _drawn(
    db: sqlite3.Connection, settings: Settings, of: str, problems: str
) -> list[tuple[int, int]]:
    """Row ids of the arms and problems that have completions.

    Raises:
        UsageError: there are none, or no such model or problem.
    """
    from explorer.errors import UsageError
    from explorer.store import queries
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

    arms = select_arms(queries.arms(db), of)
    chosen = select(db, read_shown(db, settings), problems)
    tallies = queries.tallies(db)
    cells = [(arm.id, row.id) for arm in arms for row in chosen if (arm.id, row.id) in tallies]
    if not cells:
        raise UsageError(
            f"{of} has no completions of these problems",
            "There is nothing to score.",
            "Sample or import some first.",
        )
    return cells


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

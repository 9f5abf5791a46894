"""`rlvr-explorer score`: ask what one model thinks of another's completions, token by token."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("score", short_help="Ask how likely a model finds another model's completions.")
@workspace_option
@click.option("-m", "--model", required=True, help="Which model scores (usually the base).")
@click.option(
    "--of", "--arm", "of", required=True, metavar="MODEL|KEY", help="Whose completions: a model's"
    " name, or the first letters of an arm's key where a model has several arms."
)  # fmt: skip
@click.option(
    "-p",
    "--problem",
    "--problems",
    "problems",
    required=True,
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
@click.option("--wait", is_flag=True, help="Stay, show progress, and end when it is done.")
def command(where: Path | None, model: str, of: str, problems: str, n: int, wait: bool) -> None:
    """Ask how likely a model finds another model's completions.

    Log-probability, rank and entropy of every token are stored, and colour the traces. What is
    scored already is not scored again.
    """
    from contextlib import closing

    from explorer.cli.asking import named_model, start_sampler, wait_for
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.store import queries, requests
    from explorer.store.connection import open_writer
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

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

"""`rlvr-explorer judge`: let a model vote on the reasoning of another's right answers."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import (
    each_option,
    problems_option,
    read_settings,
    wait_option,
    workspace_option,
)

if TYPE_CHECKING:
    from explorer.core.arm import Sampling
    from explorer.settings import Settings
    from explorer.store.rows import ArmRow, ProblemRow


@click.command("judge", short_help="Let a model judge the reasoning of right answers.")
@workspace_option
@click.option("-m", "--model", default="", help="Who judges.  [default: [review] judge]")
@click.option("--of", "judged", required=True, metavar="MODEL|KEY", help="Whose right answers.")
@problems_option
@each_option(16, "How many right answers of each problem.")
@click.option("--preset", default="", help="The judge's sampling.  [default: [review] preset]")
@wait_option
def command(
    where: Path | None, model: str, judged: str, problems: str, n: int, preset: str, wait: bool
) -> None:
    """Let a model judge the reasoning of right answers.

    Each gets [review] votes (3), which are kept as reviews by judge:MODEL and shown as any,
    majority and all. A reply that does not end in yes or no is undecided and counts as no vote.
    What a judge says is its opinion: compare it with people's by `rlvr-explorer reviews`.
    """
    from contextlib import closing

    from explorer.cli.asking import named_model, start_sampler, wait_or_say
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.store import requests
    from explorer.store.connection import open_writer

    settings = read_settings(where)
    name = model or settings.review.judge
    if not name:
        raise UsageError("Who judges?", "", 'Say -m MODEL, or judge = "MODEL" in [review].')
    named_model(settings, name)
    sampling = _sampling(settings, preset)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        cells = _right_answers(db, settings, judged, problems)
        asked = [
            requests.ask_for_votes(db, name, row.id, arm.id, sampling, n, requests.BATCH)
            for arm, row, _ in cells
        ]
        start_sampler(settings)
        answers = sum(min(n, correct) for _, _, correct in cells)
        many = f"{answers} right answer" + ("" if answers == 1 else "s")
        click.echo(f"Asked {name} for {settings.review.votes} votes on {many} of {judged}.")
        wait_or_say(db, settings, asked, wait)


def _sampling(settings: Settings, preset: str) -> Sampling:
    """As the option says, else as [review] does, else the judge's own."""
    from explorer.cli.asking import known
    from explorer.core.judging import JUDGE_SAMPLING

    wanted = preset or settings.review.preset
    if not wanted:
        return JUDGE_SAMPLING
    return settings.presets[known("preset", wanted, settings.presets)]


def _right_answers(
    db: sqlite3.Connection, settings: Settings, judged: str, problems: str
) -> list[tuple[ArmRow, ProblemRow, int]]:
    """The cells that have right answers, and how many.

    Raises:
        UsageError: there are none, or no such model or problem.
    """
    from explorer.errors import UsageError
    from explorer.store import queries
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

    shown = read_shown(db, settings)
    arms = select_arms(queries.arms(db), judged)
    shown_ids = {column.arm_id for column in shown.choice.columns}
    arms = [arm for arm in arms if arm.id in shown_ids] or arms
    tallies = queries.tallies(db)
    found = [
        (arm, row, tally.correct)
        for row in select(db, shown, problems)
        for arm in arms
        if (tally := tallies.get((arm.id, row.id))) is not None and tally.correct
    ]
    if not found:
        raise UsageError(
            f"{judged} has no right answers there", "", "Sample some first, or name others."
        )
    return found

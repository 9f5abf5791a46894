"""`rlvr-explorer judge`: let a model vote on the reasoning of another's right answers."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option


@click.command("judge", short_help="Let a model judge the reasoning of right answers.")
@workspace_option
@click.option("-m", "--model", default="", help="Who judges.  [default: [review] judge]")
@click.option("--of", "judged", required=True, metavar="MODEL|KEY", help="Whose right answers.")
@click.option(
    "-p",
    "--problems",
    required=True,
    metavar="NAMES",
    help="Problems: names or patterns ('trees-*'), a filter ('class:S base<5%'), or 'all'.",
)
@click.option(
    "-n",
    "n",
    type=click.IntRange(1, 100_000),
    default=16,
    show_default=True,
    help="How many right answers of each problem.",
)
@click.option("--preset", default="", help="The judge's sampling.  [default: [review] preset]")
@click.option("--wait", is_flag=True, help="Stay, show progress, and end when it is done.")
def command(
    where: Path | None, model: str, judged: str, problems: str, n: int, preset: str, wait: bool
) -> None:
    """Let a model judge the reasoning of right answers.

    Each gets [review] votes (3), which are kept as reviews by judge:MODEL and shown as any,
    majority and all. A reply that does not end in yes or no is undecided and counts as no vote.
    What a judge says is its opinion: compare it with people's by `rlvr-explorer reviews`.
    """
    from contextlib import closing

    from explorer.cli.asking import known, named_model, start_sampler, wait_for
    from explorer.core.judging import JUDGE_SAMPLING
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.store import queries, requests
    from explorer.store.connection import open_writer
    from explorer.views.report_reader import read_shown, select
    from explorer.views.selection import select_arms

    settings = read_settings(where)
    name = model or settings.review.judge
    if not name:
        raise UsageError("Who judges?", "", 'Say -m MODEL, or judge = "MODEL" in [review].')
    named_model(settings, name)
    wanted = preset or settings.review.preset
    known("preset", wanted, settings.presets) if wanted else None
    sampling = settings.presets[wanted] if wanted else JUDGE_SAMPLING
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        shown = read_shown(db, settings)
        arms = select_arms(queries.arms(db), judged)
        shown_ids = {column.arm_id for column in shown.choice.columns}
        arms = [arm for arm in arms if arm.id in shown_ids] or arms
        tallies = queries.tallies(db)
        asked = []
        answers = 0
        for row in select(db, shown, problems):
            for arm in arms:
                tally = tallies.get((arm.id, row.id))
                if tally is not None and tally.correct:
                    answers += min(n, tally.correct)
                    request = (name, row.id, arm.id, sampling, n, requests.BATCH)
                    asked.append(requests.ask_for_votes(db, *request))
        if not asked:
            raise UsageError(
                f"{judged} has no right answers there", "", "Sample some first, or name others."
            )
        start_sampler(settings)
        many = f"{answers} right answer" + ("" if answers == 1 else "s")
        click.echo(f"Asked {name} for {settings.review.votes} votes on {many} of {judged}.")
        if wait:
            wait_for(db, settings, asked)
        else:
            click.echo("`rlvr-explorer status` shows how far it is.")

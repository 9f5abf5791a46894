"""`rlvr-explorer review`: read right answers one by one and say whether they were reasoned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import read_settings, workspace_option

if TYPE_CHECKING:
    from explorer.settings import Settings
    from explorer.views.review_queue import QueuePick


@click.command("review", short_help="Review the reasoning of right answers, blind.")
@workspace_option
@click.option("-d", "--dataset", default="", help="Only this dataset.")
@click.option("-m", "--model", "models", default="", metavar="M,M…", help="Only these models.")
@click.option("-p", "--problems", default="", metavar="NAMES", help="Only these problems.")
@click.option(
    "--each",
    type=click.IntRange(0, 100_000),
    default=4,
    show_default=True,
    help="Right answers of one model on one problem; 0 = all.",
)
@click.option("--blind/--open", default=True, help="Hide who wrote what.  [default: blind]")
@click.option("--reviewer", default="", help="Your name.  [default: as explorer.toml says]")
def command(
    where: Path | None,
    dataset: str,
    models: str,
    problems: str,
    each: int,
    blind: bool,
    reviewer: str,
) -> None:
    """Review the reasoning of right answers, blind.

    Problems that some model solves in less than 5% come first; who wrote a completion is hidden
    until you have said what you find. You go on where you left off. Without a terminal it prints
    how much there is to review.
    """
    from explorer.cli.opening import has_terminal, open_screen
    from explorer.settings.author import reviewer_of
    from explorer.views.review_queue import QueuePick

    settings = read_settings(where)
    who = " ".join(reviewer.split()) or reviewer_of(settings)
    names = tuple(part for part in models.replace(",", " ").split() if part)
    pick = QueuePick(who, dataset, names, each=each)
    checked = _checked(settings, pick, problems)
    if not has_terminal():
        _print_counts(settings, checked, blind)
        return

    def start_at() -> object:
        from explorer.tui.screens.review import ReviewScreen

        return ReviewScreen(settings, checked, blind)

    open_screen(settings, start_at=start_at)  # type: ignore[arg-type]  # cli knows no Textual


def _checked(settings: Settings, pick: QueuePick, problems: str) -> QueuePick:
    """The pick with the problems that were named.

    Raises:
        UsageError: a dataset, model or problem does not exist, or the name is a judge's.
    """
    from contextlib import closing
    from dataclasses import replace

    from explorer.core.review import JUDGE_PREFIX
    from explorer.errors import UsageError
    from explorer.preparation import prepare
    from explorer.settings.toml_table import suggest
    from explorer.store import queries
    from explorer.store.connection import open_reader
    from explorer.views.report_reader import read_shown, select

    if pick.reviewer.startswith(JUDGE_PREFIX):
        raise UsageError(f"A reviewer's name cannot begin with '{JUDGE_PREFIX}'", pick.reviewer)
    prepare(settings)
    with closing(open_reader(settings.workspace.cache)) as db:
        stored = [*settings.models, *(model.name for model in queries.models(db))]
        wanted = [("model", name, list(dict.fromkeys(stored))) for name in pick.models]
        wanted += [("dataset", pick.dataset, queries.datasets(db))] if pick.dataset else []
        for kind, name, names in wanted:
            if name not in names:
                raise UsageError(f"There is no {kind} '{name}'", "", suggest(name, names))
        if not problems:
            return pick
        shown = read_shown(db, settings, dataset=pick.dataset)
        rows = select(db, shown, problems, pick.dataset)
    return replace(pick, problem_ids=tuple(row.id for row in rows))


def _print_counts(settings: Settings, pick: QueuePick, blind: bool) -> None:
    from contextlib import closing

    from explorer.cli.run import printable
    from explorer.store import reviews
    from explorer.store.connection import open_reader
    from explorer.views.numbers import plural
    from explorer.views.review_queue import read_queue

    with closing(open_reader(settings.workspace.cache)) as db:
        queue = read_queue(db, settings, pick)
        said = reviews.by_reviewer(db, pick.reviewer)
    done = sum(queued.completion_id in said for queued in queue)
    hard = sum(queued.hard for queued in queue)
    click.echo(
        printable(
            f"{plural(len(queue), 'right answer')} to review by {pick.reviewer}"
            f" ({'blind' if blind else 'open'}): {done} reviewed, {hard} on problems under 5%."
        )
    )
    click.echo("Open a terminal to review them; `rlvr-explorer reviews` lists what was said.")

"""`rlvr-explorer override`: a person's word over the verifier's, and the list of all such words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option

if TYPE_CHECKING:
    from explorer.settings import Settings
    from explorer.store.rows import CompletionHead


@click.command("override", short_help="Say that a verifier is wrong, or list where it was said.")
@click.argument("problem", required=False, default="")
@click.argument("say", required=False, type=click.Choice(["correct", "wrong", "verifier"]))
@workspace_option
@click.option(
    "-m",
    "--model",
    default="",
    metavar="MODEL|KEY",
    help="Whose completions: a model's name, or the first letters of an arm's key.",
)
@click.option(
    "-s", "--sample", "samples", default="", metavar="I,I…", help="Which, by sample index, or all."
)
@click.option("--answer", default=None, help="Instead: all of them that gave this answer.")
@click.option("--note", default="", help="Why; kept with it.")
@json_option
def command(
    problem: str,
    say: str | None,
    where: Path | None,
    model: str,
    samples: str,
    answer: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Say that a verifier is wrong, or list where it was said.

    Without arguments it lists every override with who said it and when. With them it marks
    completions of PROBLEM by one model as correct or wrong, or gives them back to the verifier;
    all counts follow, and grading again leaves overrides as they are.
    """
    from explorer.errors import UsageError

    settings = read_settings(where)
    if not problem:
        _list(settings, as_json)
        return
    if say is None or not model or not (samples or answer is not None):
        raise UsageError(
            "Say what, and of which completions",
            "It needs correct, wrong or verifier, a model, and samples or an answer.",
            "For example: override trees-07 correct -m base -s 3,5 --note 'same in other units'",
        )
    _say(settings, problem, say, model, samples, answer, note)


def _say(
    settings: Settings,
    problem: str,
    say: str,
    model: str,
    samples: str,
    answer: str | None,
    note: str,
) -> None:
    from contextlib import closing

    from explorer.core.completion import Outcome
    from explorer.settings.author import author_of
    from explorer.store import overrides, queries
    from explorer.store.connection import open_reader, open_writer, transaction
    from explorer.views.selection import full_name, one_problem, select_arms

    open_reader(settings.workspace.cache).close()  # says so if there is none yet
    with closing(open_writer(settings.workspace.cache)) as db, transaction(db):
        row = one_problem(queries.problems(db), problem)
        arms = select_arms(queries.arms(db), model)
        heads = [head for arm in arms for head in queries.heads(db, arm.id, row.id)]
        ids = _choose(heads, samples, answer, several_arms=len(arms) > 1)
        if say == "verifier":
            changed = overrides.clear(db, ids)
        else:
            overrides.override(db, ids, Outcome(say), author_of(settings), note)
            changed = len(ids)
    name = full_name(row)
    word = "back to the verifier's" if say == "verifier" else say
    click.echo(f"{changed} completion{'' if changed == 1 else 's'} of {name}: {word}")


def _choose(
    heads: list[CompletionHead], samples: str, answer: str | None, *, several_arms: bool
) -> list[int]:
    """Ids of the completions that were named.

    Raises:
        UsageError: one does not exist, or nothing fits.
    """
    from explorer.errors import UsageError

    if answer is not None:
        chosen = [head.id for head in heads if head.answer.strip() == answer.strip()]
        if not chosen:
            given = ", ".join(sorted({head.answer for head in heads})[:8])
            raise UsageError(f"No completion answered '{answer}'", f"Answers are: {given}.")
        return chosen
    if samples.strip() == "all":
        return [head.id for head in heads]
    if several_arms:
        raise UsageError(
            "This model has several arms on the problem",
            "A sample index alone does not say which.",
            "Give the first letters of an arm's key; `models` lists them.",
        )
    by_index = {str(head.index): head.id for head in heads}
    wanted = [part.strip() for part in samples.split(",") if part.strip()]
    missing = [part for part in wanted if part not in by_index]
    if missing or not wanted:
        raise UsageError(
            f"There is no sample {', '.join(missing) or 'named'}",
            f"Stored are {len(heads)}, by index from 0.",
        )
    return [by_index[part] for part in wanted]


def _list(settings: Settings, as_json: bool) -> None:
    from contextlib import closing

    from explorer.report.overrides import as_dicts, print_overrides
    from explorer.store.connection import open_reader
    from explorer.store.overrides import overrides

    with closing(open_reader(settings.workspace.cache)) as db:
        rows = overrides(db)
    if as_json:
        print_json(as_dicts(rows))
    else:
        print_overrides(rows)

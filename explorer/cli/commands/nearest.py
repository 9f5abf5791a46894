"""`rlvr-explorer nearest`: the completions most like one trace."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("nearest", short_help="List the base completions most like a trace.")
@click.argument("problem")
@click.argument("trace", metavar="MODEL#INDEX")
@workspace_option
@click.option(
    "--in",
    "among",
    default="",
    metavar="MODEL|KEY",
    help="Among whose completions.  [default: the model's base, sampled alike]",
)
@click.option(
    "--by",
    type=click.Choice(["steps", "prefix", "text"]),
    default="steps",
    help="What nearest means, after the same answer.  [default: steps]",
)
@click.option("--top", default=10, type=click.IntRange(1), help="How many.  [default: 10]")
@json_option
def command(
    problem: str, trace: str, where: Path | None, among: str, by: str, top: int, as_json: bool
) -> None:
    """List the base completions most like a trace.

    TRACE is one sample of PROBLEM, such as rl#3. Those with the same answer come first, then by
    shared calculations, common token prefix or likeness of the words. On the screen, s in Traces
    does the same, and enter lays two beside each other.
    """
    from contextlib import closing

    from explorer.core.nearest import Order
    from explorer.errors import UsageError
    from explorer.report.nearest import nearest_as_dict, print_nearest
    from explorer.store import queries
    from explorer.store.connection import open_reader
    from explorer.views.links import find_place, split_link
    from explorer.views.nearest import compared, in_order, read_field
    from explorer.views.selection import full_name, one_problem, select_arms

    settings = read_settings(where)
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db), problem)
        _, link = split_link(f"{full_name(row)}/{trace}")
        if link is None:
            raise UsageError(
                f"'{trace}' names no sample",
                "It is a model or an arm's key, then # and the sample's index.",
                "For example: rl#3",
            )
        place = find_place(db, link)
        arms = select_arms(queries.arms(db), among) if among else []
        field = read_field(db, place.completion_id, [arm.id for arm in arms])
    assert field is not None
    lines = in_order((line for part in compared(field) for line in part), Order(by))
    if as_json:
        print_json(nearest_as_dict(field, lines[:top]))
    else:
        print_nearest(field, lines, top)

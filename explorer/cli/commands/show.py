"""`rlvr-explorer show`: one problem in numbers and words."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import (
    json_option,
    ks_option,
    parse_ks,
    print_json,
    read_settings,
    workspace_option,
)


@click.command("show", short_help="Print what is known about one problem.")
@click.argument("problem")
@workspace_option
@click.option("--preset", default="", help="Sampling settings.  [default: the workspace's]")
@ks_option
@json_option
def command(problem: str, where: Path | None, preset: str, ks: str, as_json: bool) -> None:
    """Print what is known about one problem.

    PROBLEM is its name, or DATASET/NAME. Shows the statement, each model's counts, pass@k with
    intervals, class and answers, and the verdict with what it rests on.
    """
    from explorer.preparation import prepare
    from explorer.report.problem import as_dict, print_problem
    from explorer.views.report_reader import read_problem

    settings = read_settings(where)
    wanted = parse_ks(ks)
    prepare(settings)
    report = read_problem(settings, problem, preset, wanted)
    if as_json:
        print_json(as_dict(report))
    else:
        print_problem(report)

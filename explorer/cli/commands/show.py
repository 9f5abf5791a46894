"""`rlvr-explorer show`: one problem in numbers and words."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import (
    extra_arms_option,
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
@extra_arms_option
@click.option(
    "--evidence",
    "trace",
    default="",
    metavar="MODEL#INDEX",
    help="Print the evidence for one completion instead; --preset is then the settings that the"
    " base's sampler is asked about.  [default: its own]",
)
@json_option
def command(
    problem: str,
    where: Path | None,
    preset: str,
    ks: str,
    extra: tuple[str, ...],
    trace: str,
    as_json: bool,
) -> None:
    """Print what is known about one problem.

    PROBLEM is its name, or DATASET/NAME. Shows the statement, each model's counts, pass@k with
    intervals, class and answers, and the verdict with what it rests on.

    With --evidence, whether the base's sampler could have drawn a completion, such as rl#3, and
    where its likelihood lies among the base's own.
    """
    if trace:
        _evidence(problem, where, preset, trace, as_json)
        return
    from explorer.preparation import prepare
    from explorer.report.problem import as_dict, print_problem
    from explorer.views.report_reader import read_problem

    settings = read_settings(where)
    wanted = parse_ks(ks)
    prepare(settings)
    report = read_problem(settings, problem, preset, wanted, extra)
    if as_json:
        print_json(as_dict(report))
    else:
        print_problem(report)


def _evidence(problem: str, where: Path | None, preset: str, trace: str, as_json: bool) -> None:
    from explorer.preparation import prepare
    from explorer.report.evidence import as_dict, print_evidence
    from explorer.views.evidence_reader import read_trace_evidence

    settings = read_settings(where)
    prepare(settings)
    evidence = read_trace_evidence(settings, problem, trace, preset)
    if as_json:
        print_json(as_dict(evidence))
    else:
        print_evidence(evidence)

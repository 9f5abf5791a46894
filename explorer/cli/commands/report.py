"""`rlvr-explorer report`: a dataset in numbers."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import (
    ks_option,
    parse_ks,
    print_json,
    read_settings,
    workspace_option,
)


@click.command("report", short_help="Print a dataset's pass@k table, coverage and differences.")
@workspace_option
@click.option("-d", "--dataset", default="", help="Which dataset.  [default: each in turn]")
@click.option(
    "-p",
    "--problems",
    default="all",
    metavar="NAMES",
    help="Only these: names, patterns or a filter such as 'class:S base<5%'.",
)
@click.option("--preset", default="", help="Sampling settings.  [default: the workspace's]")
@ks_option
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("text", "markdown", "csv", "json")),
    default="text",
    show_default=True,
)
@click.option("--json", "form", flag_value="json", help="Short for --format json.")
def command(
    where: Path | None, dataset: str, problems: str, preset: str, ks: str, form: str
) -> None:
    """Print a dataset's pass@k table, coverage and differences.

    pass@k is the unbiased estimate over all problems with its 95% bootstrap band; models are
    compared with their base on the problems that both have graded samples of.
    """
    from explorer.preparation import prepare
    from explorer.report import dataset as printed
    from explorer.views.report_reader import read_reports

    settings = read_settings(where)
    wanted = parse_ks(ks)
    prepare(settings)
    reports = read_reports(settings, dataset, problems, preset, wanted)
    if form == "json":
        print_json([printed.as_dict(report) for report in reports])
    for position, report in enumerate(reports):
        if form == "text":
            click.echo("\n" if position else "", nl=False)
            printed.print_report(report)
        elif form == "markdown":
            click.echo(printed.as_markdown(report))
        elif form == "csv":
            text = printed.as_csv(report)
            click.echo(text if position == 0 else text.partition("\n")[2], nl=False)

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
    "--study",
    "whole",
    is_flag=True,
    help="Also Δ_SE with intervals, crossings, histograms, perplexities, series and groups.",
)
@click.option("--by", default="", metavar="COLUMN", help="Group by this; implies --study.")
@click.option(
    "--over", default="", metavar="FIELD", help="Series over step, temperature, …; as --by."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one page that stands alone: figures, tables, settings, provenance.",
)
@click.option(
    "-t",
    "--trace",
    "traces",
    multiple=True,
    metavar="PROBLEM",
    help="With --html: show traces of this problem; may be repeated.",
)
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
    where: Path | None,
    dataset: str,
    problems: str,
    preset: str,
    ks: str,
    whole: bool,
    by: str,
    over: str,
    html: Path | None,
    traces: tuple[str, ...],
    form: str,
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
    if html is not None:
        from explorer.report.page import write_page

        write_page(html, settings, dataset, problems, preset, wanted, by, over, traces)
        click.echo(f"Wrote {html}.")
        return
    if whole or by or over:
        from explorer.report import study as studied
        from explorer.views.study_reader import read_studies

        studies = read_studies(settings, dataset, problems, preset, wanted, by, over)
        _print(form, [studied.as_dict(one) for one in studies] if form == "json" else [])
        for position, one in enumerate(studies):
            if form == "text":
                click.echo("\n" if position else "", nl=False)
                studied.print_study(one)
            elif form == "markdown":
                click.echo(studied.as_markdown(one))
            elif form == "csv":
                _echo_csv(studied.as_csv(one), position)
        return
    reports = read_reports(settings, dataset, problems, preset, wanted)
    _print(form, [printed.as_dict(report) for report in reports] if form == "json" else [])
    for position, report in enumerate(reports):
        if form == "text":
            click.echo("\n" if position else "", nl=False)
            printed.print_report(report)
        elif form == "markdown":
            click.echo(printed.as_markdown(report))
        elif form == "csv":
            _echo_csv(printed.as_csv(report), position)


def _print(form: str, facts: list[dict[str, object]]) -> None:
    if form == "json":
        print_json(facts)


def _echo_csv(text: str, position: int) -> None:
    """Without the header after the first dataset."""
    click.echo(text if position == 0 else text.partition("\n")[2], nl=False)

"""`rlvr-explorer report`: a dataset in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from explorer.cli.options import (
    extra_arms_option,
    ks_option,
    parse_ks,
    print_json,
    read_settings,
    workspace_option,
)

if TYPE_CHECKING:
    from explorer.settings import Settings


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Forms(Generic[Found]):
    """How what was found is written in each form."""

    as_dict: Callable[[Found], Mapping[str, Any]]
    print_text: Callable[[Found], None]
    as_markdown: Callable[[Found], str]
    as_csv: Callable[[Found], str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the report shall be about.

    Attributes:
        most_answers: how many answers are read at most, 0 = all there are.
        extra: further arms with settings of their own.
    """

    settings: Settings
    dataset: str
    problems: str
    preset: str
    ks: tuple[int, ...]
    most_answers: int
    extra: tuple[str, ...] = ()


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
    "--over", default="", metavar="FIELD", help="Series over step, temperature, method, …; as --by."
)
@extra_arms_option
@click.option(
    "--all-answers",
    is_flag=True,
    help="Read every answer, not some problems' of a set that has very many.",
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
    extra: tuple[str, ...],
    all_answers: bool,
    html: Path | None,
    traces: tuple[str, ...],
    form: str,
) -> None:
    """Print a dataset's pass@k table, coverage and differences.

    pass@k is the unbiased estimate over all problems with its 95% bootstrap band; models are
    compared with their base on the problems that both have graded samples of.
    """
    from explorer.preparation import prepare
    from explorer.views.diversity import MOST_ANSWERS

    settings = read_settings(where)
    most = 0 if all_answers else MOST_ANSWERS
    wanted = Wanted(settings, dataset, problems, preset, parse_ks(ks), most, extra)
    prepare(settings)
    if html is not None:
        _write_page(wanted, html, by, over, traces)
    elif whole or by or over:
        _print_studies(wanted, by, over, form)
    else:
        _print_reports(wanted, form)


def _write_page(wanted: Wanted, html: Path, by: str, over: str, traces: tuple[str, ...]) -> None:
    from explorer.report.page import write_page

    about = (wanted.settings, wanted.dataset, wanted.problems, wanted.preset, wanted.ks)
    write_page(html, *about, by, over, traces, wanted.most_answers, wanted.extra)
    click.echo(f"Wrote {html}.")


def _print_studies(wanted: Wanted, by: str, over: str, form: str) -> None:
    from explorer.report import study as printed
    from explorer.views.study_reader import read_studies

    about = (wanted.settings, wanted.dataset, wanted.problems, wanted.preset, wanted.ks)
    studies = read_studies(*about, by, over, wanted.most_answers, wanted.extra)
    forms = Forms(printed.as_dict, printed.print_study, printed.as_markdown, printed.as_csv)
    _print_each(studies, forms, form)


def _print_reports(wanted: Wanted, form: str) -> None:
    from explorer.report import dataset as printed
    from explorer.views.report_reader import read_reports

    about = (wanted.settings, wanted.dataset, wanted.problems, wanted.preset, wanted.ks)
    reports = read_reports(*about, wanted.most_answers, extra=wanted.extra)
    forms = Forms(printed.as_dict, printed.print_report, printed.as_markdown, printed.as_csv)
    _print_each(reports, forms, form)


def _print_each(found: Sequence[Found], forms: Forms[Found], form: str) -> None:
    """One after another, in the form that was asked for; JSON is one list."""
    if form == "json":
        print_json([forms.as_dict(one) for one in found])
        return
    for position, one in enumerate(found):
        if form == "text":
            click.echo("\n" if position else "", nl=False)
            forms.print_text(one)
        elif form == "markdown":
            click.echo(forms.as_markdown(one))
        elif form == "csv":
            _echo_csv(forms.as_csv(one), position)


def _echo_csv(text: str, position: int) -> None:
    """Without the header after the first dataset."""
    click.echo(text if position == 0 else text.partition("\n")[2], nl=False)

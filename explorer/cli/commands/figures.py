"""`rlvr-explorer figures`: a study's figures as files."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import read_settings, workspace_option

SHORT = "Draw a study's figures as PNG, SVG or PDF files."


@click.command("figures", short_help=SHORT)
@workspace_option
@click.argument("outdir", type=click.Path(path_type=Path, file_okay=False))
@click.argument("problems", default="all", metavar="[FILTER]")
@click.option("-d", "--dataset", default="", help="Which dataset.  [default: each in turn]")
@click.option("--preset", default="", help="Sampling settings.  [default: the workspace's]")
@click.option("--over", default="", metavar="FIELD", help="Series over step, temperature, ….")
@click.option(
    "-f",
    "--format",
    "forms",
    default="png,svg,pdf",
    show_default=True,
    metavar="png,svg,pdf",
    help="Which kinds of file.",
)
def command(
    where: Path | None,
    outdir: Path,
    problems: str,
    dataset: str,
    preset: str,
    over: str,
    forms: str,
) -> None:
    """Draw a study's figures as PNG, SVG or PDF files.

    pass@k curves, Δ_SE, accuracy histogram, coverage, perplexities and series, with the numbers
    that the Study screen and `report --study` show. FILTER is as for `report -p`.
    """
    from explorer.preparation import prepare
    from explorer.report.figures import FORMATS, write_figures
    from explorer.views.study_reader import read_studies

    wanted = [part.strip().lower() for part in forms.split(",") if part.strip()]
    if not wanted or not set(wanted) <= set(FORMATS):
        raise click.BadParameter(f"kinds are {', '.join(FORMATS)}", param_hint="--format")
    settings = read_settings(where)
    prepare(settings)
    for found in read_studies(settings, dataset, problems, preset, x_field=over):
        for path in write_figures(found, outdir, wanted):
            click.echo(str(path))

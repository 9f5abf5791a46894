"""`rlvr-explorer datasets`: which formats are read, and a look into one dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option

if TYPE_CHECKING:
    from explorer.settings import DatasetSettings, Settings


@click.command("datasets", short_help="List the dataset formats, or look into one dataset.")
@click.argument("dataset", required=False, metavar="[NAME|PATH]")
@click.option("--format", "kind", default="", metavar="FORMAT", help="Of a file.  [default: auto]")
@workspace_option
@json_option
def command(dataset: str | None, kind: str, where: Path | None, as_json: bool) -> None:
    """List the dataset formats, or look into one dataset.

    NAME is a dataset of the workspace, PATH any file or folder; what is in it is counted, each
    row that had to be left out is named with its line, and the first problem is shown. Nothing is
    stored.
    """
    from explorer.report import datasets

    if dataset is None:
        settings = _settings(where)
        if as_json:
            print_json(datasets.formats_as_list(settings))
        else:
            datasets.print_formats(settings)
        return
    chosen = _chosen(dataset, kind, where)
    if as_json:
        print_json(datasets.preview_as_dict(chosen))
    else:
        datasets.print_preview(chosen)


def _settings(where: Path | None) -> Settings | None:
    """The workspace's settings; without one there is still a list of formats."""
    from explorer.errors import SettingsError
    from explorer.settings.reader import find

    if where is None:
        try:
            find(Path.cwd())
        except SettingsError:
            return None
    return read_settings(where)


def _chosen(dataset: str, kind: str, where: Path | None) -> DatasetSettings:
    from dataclasses import replace

    from explorer.errors import UsageError
    from explorer.report.datasets import file_settings
    from explorer.settings.formats import AUTO, FORMATS
    from explorer.settings.toml_table import suggest

    if kind and kind not in FORMATS:
        raise UsageError(f"There is no format '{kind}'", "", suggest(kind, FORMATS))
    settings = _settings(where)
    named = settings.datasets.get(dataset) if settings else None
    if named:
        return replace(named, format=kind) if kind else named
    path = Path(dataset).expanduser()
    if path.exists():
        return file_settings(path, kind or AUTO)
    known = list(settings.datasets) if settings else []
    raise UsageError(
        f"There is no dataset '{dataset}'",
        "It is neither a dataset of the workspace nor a file or folder.",
        suggest(dataset, known),
    )

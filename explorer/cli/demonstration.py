"""The demo's workspace, and the demo without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from explorer.errors import SettingsError
from explorer.paths import SETTINGS_NAME, sample_data
from explorer.settings import Settings
from explorer.settings.reader import load
from explorer.settings.template import demo


def demo_settings(folder: Path) -> Settings:
    """The settings of a demo workspace, which is made unless it is there.

    Raises:
        SettingsError: it cannot be made, or its bundled data has moved.
    """
    path = folder.expanduser().resolve() / SETTINGS_NAME
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(demo(sample_data()), encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                "The demo's workspace cannot be made", str(error), "Choose a folder with --at DIR."
            ) from error
    settings = load(path)
    for dataset in settings.datasets.values():
        if dataset.path and not dataset.path.exists():
            raise SettingsError(
                "The demo's data has moved",
                f"{path} names {dataset.path}, which is not there.",
                f"Remove {path} and try again; the cache beside it is kept.",
            )
    return settings


def print_demo(settings: Settings, ks: Sequence[int]) -> None:
    """The demo as text: the report, and one problem's verdict as an example."""
    from explorer.cli.opening import print_workspace
    from explorer.errors import UsageError
    from explorer.store import queries
    from explorer.store.connection import open_reader
    from explorer.views.report_reader import read_problem, read_shown, select
    from explorer.views.selection import full_name
    from explorer.views.text import one_line

    print_workspace(settings, ks=ks)
    with closing(open_reader(settings.workspace.cache)) as db:
        try:
            rows = select(db, read_shown(db, settings), "class:S")
        except UsageError:
            rows = queries.problems(db)
    if rows:
        name = full_name(rows[0])
        found = read_problem(settings, name)
        if found.verdict:
            click.echo(f"\nFor example {one_line(name)}: {one_line(found.verdict.sentence())}")
        click.echo(f"More of it: rlvr-explorer show {one_line(name)} -w {settings.workspace.root}")
    click.echo("There is no terminal here; on one, this opens the explorer itself.")

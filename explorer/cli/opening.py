"""Opening a workspace: on the screen where there is a terminal, else the same facts as text."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from explorer.cli.run import printable
from explorer.settings import Settings

if TYPE_CHECKING:
    from textual.screen import Screen


def has_terminal() -> bool:
    """Whether a person sits at a terminal that can show the explorer."""
    dumb = os.environ.get("TERM", "dumb") in ("", "dumb")
    return sys.stdin.isatty() and sys.stdout.isatty() and not dumb


def open_screen(
    settings: Settings,
    link: str = "",
    images: str = "",
    start_at: Callable[[], Screen[None]] | None = None,
) -> None:
    """Run the explorer until the person quits.

    The workspace's files are brought into the cache by a process of their own meanwhile; what is
    wrong with them is said at the end too, where it stays readable.

    Args:
        link: the problem to open at.
        images: how images are shown, '' = as the workspace says.
        start_at: makes a screen to begin at, over the list of problems.
    """
    from explorer.cli import prepare
    from explorer.preparation_note import read_note
    from explorer.tui.terminal import Probe

    known = read_note(settings.workspace.cache).all_faults
    prepare.start(settings)  # first of all: it works on the other core while the app is imported
    probe = Probe(images or settings.images)  # the terminal answers meanwhile, too
    try:
        from explorer.tui.app import ExplorerApp
    finally:
        graphics = probe.finish()
    gc.freeze()  # what is imported stays: going through it again stops the screen for 0.1 s
    ExplorerApp(
        settings,
        start_sampler=lambda: _start_sampler(settings),
        link=link,
        notices=_about_faults(settings, known),
        graphics=graphics,
        start_at=start_at,
    ).run()
    for line in _about_faults(settings, read_note(settings.workspace.cache).all_faults):
        click.echo(line, err=True)


def print_workspace(settings: Settings, link: str = "", ks: Sequence[int] = ()) -> None:
    """Print every dataset's report, or one problem's if `link` names one."""
    from explorer.preparation import prepare
    from explorer.report.dataset import print_report
    from explorer.report.problem import print_problem
    from explorer.views.report_reader import read_problem, read_reports

    for fault in prepare(settings):
        click.echo(printable(fault), err=True)
    if link:
        from explorer.views.links import split_link

        print_problem(read_problem(settings, split_link(link)[0]))
        return
    for position, report in enumerate(read_reports(settings, ks=ks, unlisted=False)):
        click.echo("\n" if position else "", nl=False)
        print_report(report)


def _about_faults(settings: Settings, faults: Sequence[str]) -> list[str]:
    if not faults:
        return []
    many = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
    log = settings.workspace.logs / "prepare.log"
    return [printable(f"{many} in this workspace's files (see {log}), the first: {faults[0]}")]


def _start_sampler(settings: Settings) -> None:
    from explorer.sampler.lifecycle import ensure_running

    ensure_running(settings.workspace.settings)

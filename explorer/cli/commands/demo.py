"""`rlvr-explorer demo`: the bundled family in a workspace of its own."""

from __future__ import annotations

from pathlib import Path

import click

DEMO_KS = (1, 4, 16, 64)


@click.command(
    "demo", short_help="Open the bundled models and problems in a workspace of their own."
)
@click.option(
    "--at",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-workspace",
    show_default=True,
    metavar="DIR",
    help="Where; made if need be.",
)
def command(folder: Path) -> None:
    """Open the bundled models and problems in a workspace of their own.

    Three tiny models (base, RL-trained with GRPO, distilled), a hundred word problems and the
    completions that were recorded of them. Again opens the same workspace; nothing is lost.
    Without a terminal the same facts are printed as text.
    """
    from explorer.cli.demonstration import demo_settings, print_demo
    from explorer.cli.opening import has_terminal, open_screen

    settings = demo_settings(folder)
    if has_terminal():
        open_screen(settings)
    else:
        print_demo(settings, DEMO_KS)

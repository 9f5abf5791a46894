"""`rlvr-explorer open`, and `rlvr-explorer` alone: the explorer itself."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import images_option, read_settings, workspace_option


@click.command("open", short_help="Open the explorer, at a problem if LINK names one.")
@click.argument("link", required=False, default="")
@workspace_option
@images_option
def command(link: str, where: Path | None, images: str | None) -> None:
    """Open the explorer, at a problem if LINK names one.

    LINK is a problem's name, or DATASET/NAME, or a place in a trace as L in Traces copies it:
    DATASET/NAME/ARM#SAMPLE@TOKEN, where ARM is a model or the first letters of an arm's key.
    The screen is there at once; problems and recorded completions arrive as they are read.
    Without a terminal the same facts are printed as text.
    """
    from explorer.cli.group import COMMANDS
    from explorer.cli.opening import has_terminal, open_screen, print_workspace
    from explorer.errors import SettingsError, UsageError
    from explorer.settings.toml_table import suggest

    try:
        settings = read_settings(where)
    except SettingsError:
        if not link or where:
            raise
        # Most likely a mistyped command, which the default command took for a problem.
        raise UsageError(
            f"There is no command '{link}', and no explorer.toml here to look for such a problem",
            "",
            suggest(link, COMMANDS).capitalize(),
        ) from None
    if has_terminal():
        open_screen(settings, link, images or "")
    else:
        print_workspace(settings, link)

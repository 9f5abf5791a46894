"""`rlvr-explorer init`: a commented explorer.toml to start from."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init", short_help="Write a commented explorer.toml to fill in.")
@click.option(
    "--at",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    metavar="DIR",
    help="Where; made if need be.  [default: this folder]",
)
def command(folder: Path) -> None:
    """Write a commented explorer.toml to fill in.

    A problems.jsonl with two example problems is written beside it, unless there is one. Nothing
    that exists is overwritten.
    """
    from explorer.errors import SettingsError
    from explorer.paths import SETTINGS_NAME
    from explorer.settings.template import STARTER, STARTER_PROBLEMS

    settings, problems = folder / SETTINGS_NAME, folder / "problems.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with settings.open("x", encoding="utf-8") as file:
            file.write(STARTER)
        click.echo(f"Wrote {settings}")
        if not problems.exists():
            problems.write_text(STARTER_PROBLEMS, encoding="utf-8")
            click.echo(f"Wrote {problems}")
    except FileExistsError as error:
        raise SettingsError(
            "There is an explorer.toml already",
            f"{settings} was left as it is.",
            "Edit it, or choose another folder with --at.",
        ) from error
    except OSError as error:
        raise SettingsError("explorer.toml cannot be written", str(error)) from error
    click.echo("Next: name your models there, then `rlvr-explorer doctor`, then `rlvr-explorer`.")

"""`rlvr-explorer init`: a commented explorer.toml to start from."""

from __future__ import annotations

from collections.abc import Mapping
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
@click.option("--preset", default="", metavar="NAME", help="A published pair of models.")
@click.option("--list-presets", is_flag=True, help="Print the presets and end.")
def command(folder: Path, preset: str, list_presets: bool) -> None:
    """Write a commented explorer.toml to fill in.

    A problems.jsonl with two example problems is written beside it, unless there is one. With
    --preset, the file is one of a published base model and what was trained from it, with prompts
    as published and no example problems. Nothing that exists is overwritten.
    """
    from explorer.errors import SettingsError
    from explorer.paths import SETTINGS_NAME
    from explorer.settings import published
    from explorer.settings.template import STARTER, STARTER_PROBLEMS

    if list_presets:
        _print_presets(published.presets())
        return
    text = published.preset_text(preset) if preset else STARTER
    settings, problems = folder / SETTINGS_NAME, folder / "problems.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with settings.open("x", encoding="utf-8") as file:
            file.write(text)
        click.echo(f"Wrote {settings}")
        if not preset and not problems.exists():
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
    todo = "look it over" if preset else "name your models there"
    click.echo(f"Next: {todo}, then `rlvr-explorer doctor`, then `rlvr-explorer`.")


def _print_presets(presets: Mapping[str, str]) -> None:
    width = max(map(len, presets))
    for name, what in presets.items():
        click.echo(f"{name:<{width}}  {what}")

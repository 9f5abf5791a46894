"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from explorer.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


def workspace_option(function: Function) -> Function:
    """`-w DIR`: the workspace; without it, the nearest explorer.toml at or above this folder."""
    option = click.option(
        "-w",
        "--workspace",
        "--settings",
        "where",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of explorer.toml, or that file.  [default: here or above]",
    )
    return option(function)


def problems_option(function: Function) -> Function:
    """`-p NAMES`: which problems; must be said."""
    option = click.option("-p", "--problems", required=True, metavar="NAMES", help=PROBLEMS_HELP)
    return option(function)


PROBLEMS_HELP = "Problems: names or patterns ('trees-*'), a filter ('class:S base<5%'), or 'all'."


def each_option(default: int, text: str) -> Callable[[Function], Function]:
    """`-n N`: how many of something of each problem."""
    return click.option(
        "-n", "n", type=click.IntRange(1, 100_000), default=default, show_default=True, help=text
    )


def wait_option(function: Function) -> Function:
    """`--wait`: stay until what was asked for is there."""
    option = click.option(
        "--wait", is_flag=True, help="Stay, show progress, and end when it is done."
    )
    return option(function)


def json_option(function: Function) -> Function:
    """`--json`: the same facts for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def images_option(function: Function) -> Function:
    """`--images METHOD`: how images are shown."""
    from explorer.settings import IMAGE_METHODS

    option = click.option(
        "--images",
        type=click.Choice(IMAGE_METHODS),
        help="How images are shown.  [default: as explorer.toml says, else auto]",
    )
    return option(function)


def ks_option(function: Function) -> Function:
    """`-k 1,8,128`: at which k pass@k is printed."""
    option = click.option(
        "-k", "ks", default="", metavar="K,K…", help="At which k.  [default: 1,4,16,64,…]"
    )
    return option(function)


def extra_arms_option(function: Function) -> Function:
    """`--arm base@T0.6`: further arms beside those with the settings that are shown."""
    option = click.option(
        "--arm",
        "extra",
        multiple=True,
        metavar="ARM",
        help="Show this stored arm too, under settings of its own: a model, MODEL@T0.6, or the"
        " first letters of an arm's key; may be repeated.",
    )
    return option(function)


def parse_ks(text: str) -> tuple[int, ...]:
    """The numbers of `-k`.

    Raises:
        click.BadParameter: one is not a whole number of at least 1.
    """
    try:
        ks = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter("give whole numbers, such as 1,8,128", param_hint="-k") from None
    if any(k < 1 for k in ks):
        raise click.BadParameter("k starts at 1", param_hint="-k")
    return ks


def read_settings(where: Path | None) -> Settings:
    """The settings that `-w` names.

    Raises:
        SettingsError: there are none, or they are wrong.
    """
    from explorer.settings.reader import find, load

    return load(find(Path.cwd(), where))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=True))

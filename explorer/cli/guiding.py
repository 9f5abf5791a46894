"""What `guide` does: an estimate, a question, the wish, and progress by arm for who waits."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Final, NamedTuple

import click

from explorer.cli.asking import Patience, known, named_model, start_sampler
from explorer.cli.options import print_json
from explorer.core.guidance import default_ks
from explorer.errors import EngineError, UsageError
from explorer.settings import Settings
from explorer.store import guides
from explorer.store.connection import open_reader, open_writer
from explorer.store.guides import GuideRow, Limits, Wish
from explorer.views.guide_estimate import read_estimate
from explorer.views.guides import (
    GuideProgress,
    amount,
    pairs_of,
    read_guides,
    read_progress,
)
from explorer.views.numbers import count, duration
from explorer.views.report_reader import read_shown, select
from explorer.views.text import one_line


class Asked(NamedTuple):
    """What the command line says."""

    n: int
    models: str
    problems: str
    preset: str
    limits: Limits
    ks: tuple[int, ...]


def limits_of(samples: str | None, tokens: str | None, minutes: float | None) -> Limits:
    """The limits that were given.

    Raises:
        click.BadParameter: a number is none.
    """
    found = []
    for name, text in (("--samples", samples), ("--tokens", tokens)):
        value = None if text is None else amount(text)
        if text is not None and value is None:
            raise click.BadParameter("give a number such as 5000, 20k or 2M", param_hint=name)
        found.append(value)
    return Limits(found[0], found[1], None if minutes is None else 60 * minutes)


def begin(settings: Settings, asked: Asked, *, only_estimate: bool, sure: bool, wait: bool) -> None:
    """Print the estimate, ask whether to begin, begin, and wait if that is wanted.

    Raises:
        UsageError: no such model, problem or preset.
        EngineError: it failed while somebody waited for it.
    """
    from explorer.preparation import prepare
    from explorer.report.guides import print_estimate

    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        wish = wish_of(db, settings, asked)
        found = read_estimate(db, wish)
        print_estimate(found)
        if only_estimate:
            return
        if not found.samples:
            return
        if not sure and sys.stdin.isatty() and not click.confirm("\nBegin?", default=True):
            return
        guide_id = guides.ask(db, wish)
        start_sampler(settings)
        click.echo(f"Guide {guide_id} draws in the background.")
        if wait:
            _wait(db, settings, guide_id)
        else:
            click.echo(_how_to_stop(guide_id))


def wish_of(db: sqlite3.Connection, settings: Settings, asked: Asked) -> Wish:
    """What was asked for, with its names looked up."""
    names = [name for name in asked.models.replace(",", " ").split() if name]
    models = tuple(dict.fromkeys(names)) or tuple(settings.models)
    if not models:
        raise UsageError("There is no model in explorer.toml", "", "Name some as [models.NAME].")
    for name in models:
        named_model(settings, name)
    preset = known("preset", asked.preset or settings.default_preset, settings.presets)
    rows = select(db, read_shown(db, settings, preset), asked.problems)
    return Wish(
        models=models,
        pairs=pairs_of(models, {name: settings.models[name].base for name in models}),
        problem_ids=tuple(row.id for row in rows),
        named=asked.problems,
        sampling=settings.presets[preset],
        n=asked.n,
        ks=tuple(sorted(set(asked.ks))) or default_ks(asked.n),
        limits=asked.limits,
    )


def tell(settings: Settings, *, as_json: bool) -> None:
    """Print how far guides are."""
    from explorer.report.guides import guides_as_list, print_guides

    with closing(open_reader(settings.workspace.cache)) as db:
        found = read_guides(db)
    if as_json:
        print_json(guides_as_list(found))
    else:
        print_guides(found)


MOVES: Final = {"pause": guides.pause, "resume": guides.resume, "cancel": guides.cancel}
FROM: Final = {
    "pause": (guides.OPEN,),
    "resume": (guides.PAUSED, "cancelled", "failed"),
    "cancel": (guides.OPEN, guides.PAUSED),
}
DONE: Final = {"pause": "is paused", "resume": "goes on", "cancel": "is cancelled"}


def move(settings: Settings, name: str, number: int | None) -> None:
    """Pause, resume or cancel a guide.

    Raises:
        UsageError: there is none of that number that can be, or several and none was named.
    """
    with closing(open_writer(settings.workspace.cache)) as db:
        guide = _one(guides.all_guides(db), name, number)
        MOVES[name](db, guide.id)
        if name == "resume":
            start_sampler(settings)
    stays = "" if name == "resume" else "; what is stored stays"
    click.echo(f"Guide {guide.id} {DONE[name]}{stays}.")


def _one(found: Sequence[GuideRow], name: str, number: int | None) -> GuideRow:
    fitting = [one for one in found if one.state in FROM[name] and number in (None, one.id)]
    if name == "resume" and number is None:  # what was given up is meant only by its number
        fitting = [one for one in fitting if one.state == guides.PAUSED] or fitting[:1]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        numbers = ", ".join(str(one.id) for one in fitting)
        raise UsageError(f"Several could be meant: {numbers}", "", "Name one by its number.")
    known_states = ", ".join(f"{one.id} is {one.state}" for one in found[:5])
    raise UsageError(
        f"There is no guided sampling to {name}" + (f" of number {number}" if number else ""),
        f"{known_states}." if known_states else "None was ever asked for.",
        "`rlvr-explorer guide status` lists them.",
    )


def _wait(db: sqlite3.Connection, settings: Settings, guide_id: int) -> None:
    """Show progress on stderr until it has stopped."""
    patience, shown = Patience(db, settings), ""
    try:
        while True:
            guide = guides.by_id(db, guide_id)
            assert guide is not None, "guides are never deleted"
            if guide.state != guides.OPEN:
                break
            shown = _show(read_progress(db, guide), shown)
            patience.wait()
    except KeyboardInterrupt:
        click.echo(f"\nIt goes on in the background. {_how_to_stop(guide_id)}", err=True)
        raise
    if sys.stderr.isatty():
        click.echo(err=True)
    click.echo(f"Guide {guide.id} is {guide.state}: {one_line(guide.reason or 'no more is drawn')}")
    if guide.state in ("failed", "cancelled"):
        raise EngineError("Not everything was drawn", one_line(guide.reason))


def _show(found: GuideProgress, shown: str) -> str:
    parts = [
        f"{one_line(arm.model, 20)} {count(arm.have)}/{count(arm.wanted)}" for arm in found.arms
    ]
    if found.seconds_left is not None:
        parts.append(f"about {duration(found.seconds_left)} left")
    line = " · ".join(parts)
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
    elif line != shown:
        click.echo(line, err=True)
    return line


def _how_to_stop(guide_id: int) -> str:
    return (
        f"`rlvr-explorer guide status` shows how far it is,"
        f" `rlvr-explorer guide pause {guide_id}` pauses it."
    )

"""What commands that ask the sampler for something share: names, starting it, waiting for it."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Collection, Sequence
from typing import Final, NoReturn

import click

from explorer.errors import EngineError, UsageError
from explorer.settings import ModelSettings, Settings
from explorer.settings.toml_table import suggest
from explorer.store import status
from explorer.views.status import Progress, is_alive, read_progress

LOOK_S: Final = 0.5
"""How often the queue is looked at while waiting."""

PATIENCE_S: Final = 60.0
"""How long a sampler that was started may stay silent before waiting for it is given up."""


def named_model(settings: Settings, name: str) -> ModelSettings:
    """A model of explorer.toml.

    Raises:
        UsageError: there is none of that name.
    """
    return settings.models[known("model", name, settings.models)]


def known(kind: str, name: str, names: Collection[str]) -> str:
    """The name, if it is known.

    Raises:
        UsageError: it is not.
    """
    if name not in names:
        raise UsageError(
            f"There is no {kind} '{name}' in explorer.toml", "", suggest(name, names).capitalize()
        )
    return name


def start_sampler(settings: Settings) -> None:
    """Make sure that a sampler runs for this workspace's cache."""
    from explorer.sampler.lifecycle import ensure_running

    ensure_running(settings.workspace.settings)


class Patience:
    """How a command waits for the sampler: it is started again if it is gone, but not for ever."""

    def __init__(self, db: sqlite3.Connection, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._silent_since = time.monotonic()

    def wait(self) -> None:
        """For a moment, until it is worth looking again.

        Raises:
            EngineError: the sampler has not answered for long.
        """
        sampler = status.sampler(self._db)
        if sampler is not None and is_alive(sampler):
            self._silent_since = time.monotonic()
        elif time.monotonic() - self._silent_since > PATIENCE_S:
            raise EngineError(
                "The sampler does not answer",
                f"Its log is {self._settings.workspace.sampler_log}.",
                "What was asked stays open; `rlvr-explorer doctor` may know more.",
            )
        else:
            start_sampler(self._settings)
        time.sleep(LOOK_S)


def wait_for(db: sqlite3.Connection, settings: Settings, asked: Sequence[int]) -> None:
    """Show progress on stderr until every request is done.

    Raises:
        EngineError: one failed, was cancelled, or the sampler does not start.
    """
    patience, shown = Patience(db, settings), ""
    while True:
        progress = read_progress(db, asked)
        sampler = status.sampler(db)
        alive = sampler is not None and is_alive(sampler)
        speed = sampler.tokens_per_s if sampler and alive else 0.0
        shown = _show(progress, speed, shown)
        if not progress.open:
            break
        patience.wait()
    if sys.stderr.isatty():
        click.echo(err=True)
    if progress.failed:
        _raise_failure(progress, settings)


def wait_or_say(
    db: sqlite3.Connection, settings: Settings, asked: Sequence[int], wait: bool
) -> None:
    """End when it is done, or at once with a word on where to look.

    Raises:
        EngineError: as `wait_for`.
    """
    if wait:
        wait_for(db, settings, asked)
    else:
        click.echo("`rlvr-explorer status` shows how far it is.")


def _raise_failure(progress: Progress, settings: Settings) -> NoReturn:
    first = progress.failed[0]
    if first.state == "cancelled":
        raise EngineError("Requests were cancelled", f"{len(progress.failed)} of them.")
    raise EngineError(
        first.error.get("title", "A request failed"),
        f"{first.error.get('detail', '')}\n{len(progress.failed)} of {progress.total} failed;"
        f" the log is {settings.workspace.sampler_log}.".strip(),
        first.error.get("hint", ""),
    )


def _show(progress: Progress, tokens_per_s: float, shown: str) -> str:
    parts = [f"{progress.done}/{progress.total} requests done"]
    if progress.wanted:
        parts.append(f"{progress.have:,}/{progress.wanted:,} completions")
    if tokens_per_s:
        parts.append(f"{tokens_per_s:,.0f} tokens/s")
    line = " · ".join(parts)
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
    elif line != shown:
        click.echo(line, err=True)
    return line

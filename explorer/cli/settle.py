"""What `sample --until-settled` does: asks for it, and waits until each problem has its reason."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence

import click

from explorer.cli.asking import Patience, named_model, start_sampler
from explorer.core.arm import Sampling
from explorer.errors import EngineError, UsageError
from explorer.settings import Settings
from explorer.store import requests, settling
from explorer.store.rows import ProblemRow
from explorer.store.settling import SettlingRow
from explorer.views.numbers import plural
from explorer.views.selection import full_name
from explorer.views.text import one_line


def begin(
    db: sqlite3.Connection,
    settings: Settings,
    model: str,
    rows: Sequence[ProblemRow],
    sampling: Sampling,
    cap: int,
    wait: bool,
) -> None:
    """Ask that a model and its base be sampled until each problem is settled, and perhaps wait.

    Raises:
        UsageError, EngineError: as `ask` and `wait_and_tell`.
    """
    wishes = ask(db, settings, model, rows, sampling, cap)
    start_sampler(settings)
    count = plural(len(rows), "problem")
    click.echo(f"Drawing until {count} are settled, at most {cap:,} of each model.")
    if wait:
        wait_and_tell(db, settings, wishes, rows)


def ask(
    db: sqlite3.Connection,
    settings: Settings,
    model: str,
    rows: Sequence[ProblemRow],
    sampling: Sampling,
    cap: int,
) -> list[int]:
    """Ask that a model and its base be sampled until each problem is settled.

    Raises:
        UsageError: the model is a base itself, or its base is not in explorer.toml.
    """
    base = named_model(settings, model).base
    if not base:
        raise UsageError(
            f"'{model}' has no base to be compared with",
            "Until it is settled means: which of a model and its base solves a problem more often.",
            "Name an RL-trained or distilled model.",
        )
    named_model(settings, base)
    return [
        settling.ask_to_settle(db, base, model, row.id, sampling, cap, requests.BATCH)
        for row in rows
    ]


def wait_and_tell(
    db: sqlite3.Connection, settings: Settings, asked: Sequence[int], rows: Sequence[ProblemRow]
) -> None:
    """Print why each problem's sampling stopped, as it stops.

    Raises:
        EngineError: one failed or was cancelled, or the sampler does not start.
    """
    names = {row.id: one_line(full_name(row)) for row in rows}
    waiting = list(asked)
    bad: list[SettlingRow] = []
    patience = Patience(db, settings)
    while waiting:
        for wish in [settling.by_id(db, one) for one in waiting]:
            if wish is None or wish.state == "open":
                continue
            waiting.remove(wish.id)
            click.echo(f"{names[wish.problem_id]}: {one_line(wish.reason, limit=400)}")
            if wish.state in ("failed", "cancelled"):
                bad.append(wish)
        if not waiting:
            break
        patience.wait()
    sys.stdout.flush()
    if bad:
        raise EngineError(
            f"{len(bad)} of {len(asked)} problems could not be settled", bad[0].reason
        )

"""`score --noise-floor`: each model scores some of its own samples, and how far they disagree."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import click

from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.store import evidence, noise, requests
from explorer.store.rows import ArmRow, ProblemRow
from explorer.views.noise import floor_lines
from explorer.views.report_reader import read_shown, select

PROBLEMS: Final = 16
"""Problems per dataset that a floor is measured on where none are named."""


def ask(
    db: sqlite3.Connection, settings: Settings, model: str, problems: str, n: int
) -> tuple[list[ArmRow], list[int]]:
    """Ask every model, or one, to score its own samples; returns their arms and the requests.

    Raises:
        UsageError: no such problem, or there is nothing to score.
    """
    chosen: dict[str, list[ProblemRow]] = {}
    for row in select(db, read_shown(db, settings), problems or "all"):
        chosen.setdefault(row.problem.dataset, []).append(row)
    arms: dict[int, ArmRow] = {}
    asked = []
    for dataset, rows in chosen.items():
        ids = [row.id for row in rows]
        wanted = ids if problems else evidence.spread(ids)[:PROBLEMS]
        shown = read_shown(db, settings, dataset=dataset)
        for column in shown.choice.columns:
            if column.arm is None or not column.configured or model not in ("", column.name):
                continue
            for problem_id in wanted:
                if (column.arm_id, problem_id) not in shown.tallies:
                    continue
                arms[column.arm_id] = column.arm
                asked.append(
                    requests.ask_for_scores(
                        db, column.name, problem_id, column.arm_id, n, priority=requests.BATCH
                    )
                )
    if not asked:
        raise UsageError(
            "There are no samples to measure a noise floor on",
            "A floor needs completions of a model that is in explorer.toml.",
            "Sample some first.",
        )
    return list(arms.values()), asked


def print_floors(db: sqlite3.Connection, arms: Sequence[ArmRow]) -> None:
    """Print the floors of these arms, measuring those that can be by now."""
    noise.measure_all(db)
    click.echo("Noise floor, each model on its own samples")
    for line in floor_lines(db, arms):
        click.echo(f"  {line}")

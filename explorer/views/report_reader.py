"""From a cache to what is printed of it: which arms, which problems, then the pure views."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.settings.toml_table import suggest
from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmChoice, ArmPick, choose
from explorer.views.filter import ModelName, parse
from explorer.views.problem_list import build_lines
from explorer.views.problem_report import ProblemReport, problem_report
from explorer.views.report_tables import SetReport, set_report
from explorer.views.selection import one_problem, select_problems


@dataclass(frozen=True, slots=True)
class Shown:
    """What a report speaks of: the arms under one set of settings, and all counts."""

    choice: ArmChoice
    tallies: Mapping[tuple[int, int], Tally]


def read_shown(db: sqlite3.Connection, settings: Settings, preset: str = "") -> Shown:
    """The arms that share a preset's settings; without one, what the explorer itself shows.

    Raises:
        UsageError: there is no such preset.
    """
    if preset and preset not in settings.presets:
        raise UsageError(f"There is no preset '{preset}'", "", suggest(preset, settings.presets))
    tallies = queries.tallies(db)
    sizes: dict[int, int] = {}
    for (arm_id, _), tally in tallies.items():
        sizes[arm_id] = sizes.get(arm_id, 0) + tally.completions
    pick = ArmPick(sampling=settings.presets[preset] if preset else None)
    choice = choose(queries.arms(db), queries.models(db), sizes, settings, pick)
    return Shown(choice, tallies)


def select(db: sqlite3.Connection, shown: Shown, text: str, dataset: str = "") -> list[ProblemRow]:
    """Problems by name, pattern, or a filter such as `class:S base<0.05` (see `views.filter`).

    Raises:
        UsageError: nothing is called so, the filter cannot be understood, or no such dataset.
    """
    known = queries.datasets(db)
    if dataset and dataset not in known:
        raise UsageError(f"There is no dataset '{dataset}'", "", suggest(dataset, known))
    rows = queries.problems(db, dataset or None)
    if not any(sign in text for sign in ':<>="'):
        return select_problems(rows, text)
    columns = shown.choice.columns
    chosen = parse(text, [ModelName(column.name, column.role) for column in columns])
    lines = build_lines(rows, shown.tallies, shown.choice)
    found = {line.id for line in chosen.select(lines)}
    if not found:
        raise UsageError("No problem fits this filter", text, "Loosen it, or name problems.")
    return [row for row in rows if row.id in found]


def read_reports(
    settings: Settings,
    dataset: str = "",
    problems: str = "all",
    preset: str = "",
    ks: Sequence[int] = (),
) -> list[SetReport]:
    """One report for each dataset that has problems among those named.

    Raises:
        UsageError: no such dataset, problem or preset.
    """
    with closing(open_reader(settings.workspace.cache)) as db:
        shown = read_shown(db, settings, preset)
        rows = select(db, shown, problems, dataset)
    groups: dict[str, list[ProblemRow]] = {}
    for row in rows:
        groups.setdefault(row.problem.dataset, []).append(row)
    return [
        set_report(name, group, shown.choice.columns, shown.tallies, ks)
        for name, group in groups.items()
    ]


def read_problem(
    settings: Settings, name: str, preset: str = "", ks: Sequence[int] = ()
) -> ProblemReport:
    """The report of one problem.

    Raises:
        UsageError: no such problem or preset.
    """
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db), name)
        shown = read_shown(db, settings, preset)
        answers = {
            column.arm_id: queries.answers(db, column.arm_id, row.id)
            for column in shown.choice.columns
            if column.arm
        }
        verifier = ", ".join(queries.verifier_versions(db, row.id))
    return problem_report(row, shown.choice, shown.tallies, answers, verifier, ks)

"""From a cache to what is printed of it: which arms, which problems, then the pure views."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.settings.toml_table import suggest
from explorer.store import evidence, queries
from explorer.store.connection import open_reader
from explorer.store.rows import ArmRow, ProblemRow, Tally
from explorer.views.arms import ArmChoice, ArmPick, arm_label, choose
from explorer.views.diversity import MOST_ANSWERS, read_diversity, read_set_diversity
from explorer.views.filter import ModelName, parse
from explorer.views.luck import read_problem_luck, read_set_luck
from explorer.views.noise import floor_lines
from explorer.views.parity import PairParity, read_pair, read_pairs
from explorer.views.problem_list import build_lines
from explorer.views.problem_report import ProblemReport, problem_report
from explorer.views.report_tables import SetReport, set_report
from explorer.views.selection import one_problem, select_arms, select_problems
from explorer.views.sureness import read_sureness


@dataclass(frozen=True, slots=True)
class Shown:
    """What a report speaks of: the arms under one set of settings, and all counts."""

    choice: ArmChoice
    tallies: Mapping[tuple[int, int], Tally]


def read_shown(
    db: sqlite3.Connection,
    settings: Settings,
    preset: str = "",
    dataset: str = "",
    unlisted: bool = True,
    extra: Sequence[str] = (),
) -> Shown:
    """The arms that share a preset's settings; without one, those that the explorer shows.

    Models that explorer.toml keeps off the lists are among them if `unlisted`.

    Where a model has several such arms (another prompt per dataset, another engine), the one with
    most completions of the dataset, or of all of them, is taken.

    Args:
        extra: further arms, each with settings of its own, as `find_arms` understands them.

    Raises:
        UsageError: there is no such preset or arm.
    """
    if preset and preset not in settings.presets:
        raise UsageError(f"There is no preset '{preset}'", "", suggest(preset, settings.presets))
    tallies = queries.tallies(db, dataset or None)
    sizes = queries.arm_sizes(db, dataset)
    sampling = settings.presets[preset] if preset else None
    pick = ArmPick(sampling=sampling, unlisted=unlisted)
    arms, models = queries.arms(db), queries.models(db)
    choice = choose(arms, models, sizes, settings, pick)
    if extra:
        found = [arm.id for text in extra for arm in find_arms(choice, text)]
        choice = choose(arms, models, sizes, settings, replace(pick, extra=frozenset(found)))
    return Shown(choice, tallies)


def find_arms(choice: ArmChoice, text: str) -> list[ArmRow]:
    """Arms by the name that they would have beside the others, by model, or by key.

    Raises:
        UsageError: nothing stored of this dataset is called so.
    """
    stored = [arm for arm, _ in choice.stored]
    main = {column.model.name: column.arm for column in choice.columns}
    named = [
        arm
        for arm in stored
        if text == arm_label(arm, choice.sampling, main.get(arm.model.name)) != arm.model.name
    ]
    return named or select_arms(stored, text)


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
    most_answers: int = MOST_ANSWERS,
    unlisted: bool = True,
    extra: Sequence[str] = (),
) -> list[SetReport]:
    """One report for each dataset that has problems among those named.

    Args:
        most_answers: how many answers are read at most for the diversity; 0 = all there are.
        unlisted: with the models that explorer.toml keeps off the lists.
        extra: further arms with settings of their own.

    Raises:
        UsageError: no such dataset, problem or preset.
    """
    with closing(open_reader(settings.workspace.cache)) as db:
        rows = select(db, read_shown(db, settings, preset, dataset), problems, dataset)
        groups: dict[str, list[ProblemRow]] = {}
        for row in rows:
            groups.setdefault(row.problem.dataset, []).append(row)
        reports = []
        for name, group in groups.items():
            shown = read_shown(db, settings, preset, name, unlisted, extra)
            report = set_report(name, group, shown.choice.columns, shown.tallies, ks)
            ids = [row.id for row in group]
            varied = read_set_diversity(db, shown.choice.columns, ids, most_answers)
            report = replace(report, diversity=varied)
            luck = read_set_luck(db, shown.choice.columns, group, shown.tallies, report.ks)
            reports.append(replace(with_parity(db, report, group), luck=luck))
    return reports


def with_parity(db: sqlite3.Connection, report: SetReport, rows: Sequence[ProblemRow]) -> SetReport:
    """The report with the parity of its pairs and the noise floors of its arms."""
    arms = [line.column.arm for line in report.arms if line.column.arm is not None]
    columns = tuple(line.column for line in report.arms)
    pairs = read_pairs(db, columns, [row.id for row in rows])
    return replace(report, parity=pairs, floors=floor_lines(db, arms))


def read_parity(
    settings: Settings,
    models: Sequence[str] = (),
    dataset: str = "",
    problem: str = "",
    preset: str = "",
) -> list[PairParity]:
    """The parity of two arms, or of every model with its base where none is named.

    Args:
        models: two names of models, or beginnings of arm keys; or nothing.
        problem: whose prompts are compared; '' = the first that both have.

    Raises:
        UsageError: no such dataset, model, problem or preset, or nothing to compare.
    """
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db, dataset or None), problem) if problem else None
        known = queries.datasets(db)
        dataset = dataset or (row.problem.dataset if row else next(iter(known), ""))
        if dataset not in known:
            raise UsageError(f"There is no dataset '{dataset}'", "", suggest(dataset, known))
        ids = evidence.problem_ids(db, dataset)
        shown = read_shown(db, settings, preset, dataset)
        at = row.id if row else 0
        if not models:
            pairs = list(read_pairs(db, shown.choice.columns, ids, at))
            if not pairs:
                raise UsageError(
                    "There is nothing to compare yet",
                    f"No model and its base both have completions of {dataset}.",
                    "Sample or import some, or name two arms.",
                )
            return pairs
        base, other = (_one_arm(db, shown, dataset, name) for name in models)
        return [read_pair(db, base, other, ids, at)]


def _one_arm(db: sqlite3.Connection, shown: Shown, dataset: str, name: str) -> ArmRow:
    """The arm that is shown of a model, else the one with most completions of the dataset."""
    arms = select_arms(queries.arms(db), name)
    wanted = {column.arm_id for column in shown.choice.columns}
    sizes = queries.arm_sizes(db, dataset)
    return max(arms, key=lambda arm: (arm.id in wanted, sizes.get(arm.id, 0)))


def read_problem(
    settings: Settings,
    name: str,
    preset: str = "",
    ks: Sequence[int] = (),
    extra: Sequence[str] = (),
) -> ProblemReport:
    """The report of one problem.

    Args:
        extra: further arms with settings of their own.

    Raises:
        UsageError: no such problem, preset or arm.
    """
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db), name)
        shown = read_shown(db, settings, preset, row.problem.dataset, extra=extra)
        answers = {
            column.arm_id: queries.answers(db, column.arm_id, row.id)
            for column in shown.choice.columns
            if column.arm
        }
        verifier = ", ".join(queries.verifier_versions(db, row.id))
        columns = shown.choice.columns
        pairs = read_pairs(db, columns, [row.id], row.id)
        floors = floor_lines(db, [column.arm for column in columns if column.arm is not None])
        sureness = read_sureness(db, shown.choice, row.id)
        varied = read_diversity(db, shown.choice, row.id)
        report = problem_report(row, shown.choice, shown.tallies, answers, verifier, ks)
        cells = queries.problem_tallies(db, row.id)
        luck = read_problem_luck(db, columns, row.id, cells, report.ks)
    return replace(
        report, luck=luck, parity=pairs, floors=floors, sureness=sureness, diversity=varied
    )

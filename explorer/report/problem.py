"""`show`: one problem as text and as JSON."""

from __future__ import annotations

import math
from typing import Any

from rich.text import Text

from explorer.core.completion import Outcome
from explorer.report.console import console, crowded, print_grid
from explorer.report.dataset import numbers
from explorer.report.diversity import as_dict as diversity_dict
from explorer.report.diversity import diversity_grid, remarks
from explorer.report.images import image_dicts, image_lines
from explorer.report.luck import problem_dict, problem_lines
from explorer.report.naming import label
from explorer.report.parity import as_dict as parity_dict
from explorer.report.parity import parity_lines
from explorer.report.sureness import as_dict as sureness_dict
from explorer.report.sureness import sureness_lines
from explorer.views.latex import readable
from explorer.views.noise import gathered
from explorer.views.palette import OUTCOME_MARKS
from explorer.views.problem_report import ArmFacts, ProblemReport
from explorer.views.selection import full_name
from explorer.views.table_layout import Table
from explorer.views.text import lines_of, one_line

ANSWERS_SHOWN = 6
"""Distinct answers listed per arm; the rest are summed up."""


def print_problem(report: ProblemReport) -> None:
    """Print it as aligned text."""
    out = console()
    problem = report.row.problem
    facts = [one_line(full_name(report.row))]
    facts += [one_line(part) for part in (problem.family, problem.note) if part]
    facts += [f"level {one_line(problem.level)}"] if problem.level else []
    out.print(Text(" · ".join(facts), style="bold"))
    for line in lines_of(readable(problem.statement)):
        out.print(Text(line))
    for line in image_lines(problem):
        out.print(Text(line))
    out.print(Text(f"gold  {one_line(problem.gold) or '(decided by tests)'}\n"))
    out.print(Text(report.settings))
    arms = _arms(report)
    varied = diversity_grid(report.diversity) if report.diversity else Table([""], [])
    turned = crowded(out, (arms, varied))
    print_grid(out, arms.turned() if turned else arms)
    out.print(Text("95% credible intervals of a uniform prior; – where k > n\n"))
    out.print(Text("Answers, most frequent first (✓ right, ✗ wrong, ? undecided)"))
    for facts_of_arm in report.arms:
        out.print(Text(f"{label(facts_of_arm.column)}: {_answers(facts_of_arm)}"))
    if report.diversity is not None and report.diversity.arms:
        out.print(Text("\nDiversity"))
        print_grid(out, varied.turned() if turned else varied)
        for remark in remarks(report.diversity):
            out.print(Text(remark))
    if report.verdict:
        out.print(Text(f"\n{one_line(report.verdict.sentence())}"))
    for line in sureness_lines(report.sureness):
        out.print(Text(line))
    for line in problem_lines(report.luck):
        out.print(Text(line))
    for line in parity_lines(report.parity):
        out.print(Text(line))
    for floor in gathered(report.floors) if report.parity else ():
        out.print(Text(f"Noise floor {floor}"))


def as_dict(report: ProblemReport) -> dict[str, Any]:
    """The same facts for programs."""
    problem = report.row.problem
    return {
        "dataset": problem.dataset,
        "problem": problem.name,
        "statement": problem.statement,
        "images": image_dicts(problem),
        "gold": problem.gold,
        "family": problem.family,
        "level": problem.level,
        "settings": report.settings,
        "ks": list(report.ks),
        "arms": [_arm(facts) for facts in report.arms],
        "verdict": report.verdict.sentence() if report.verdict else None,
        "belief": sureness_dict(report.sureness),
        "luck": problem_dict(report.luck),
        "diversity": diversity_dict(report.diversity),
        "parity": [parity_dict(pair) for pair in report.parity],
        "noise_floors": list(report.floors),
    }


def _arms(report: ProblemReport) -> Table:
    arms = report.arms
    headers = ["", *(label(facts.column) for facts in arms)]
    rows = [
        ["correct / n", *(f"{facts.tally.correct}/{facts.tally.n}" for facts in arms)],
        ["undecided", *(f"{facts.tally.undecided}" for facts in arms)],
        ["recorded", *(f"{facts.tally.recorded}" for facts in arms)],
    ]
    if any(facts.tally.disagreed for facts in arms):
        rows.append(["verifiers disagree", *(f"{facts.tally.disagreed}" for facts in arms)])
    if any(facts.tally.overridden for facts in arms):
        rows.append(["overridden", *(f"{facts.tally.overridden}" for facts in arms)])
    if any(facts.tally.ungraded for facts in arms):
        rows.append(["not graded yet", *(f"{facts.tally.ungraded}" for facts in arms)])
    for position, k in enumerate(report.ks):
        rows.append([f"pass@{k}", *(_rate(facts, position) for facts in arms)])
    rows.append(["class", *(str(facts.coverage or "–") for facts in arms)])
    return Table(headers, rows)


def _rate(facts: ArmFacts, position: int) -> str:
    value = facts.values[position]
    if math.isnan(value):
        return "–"
    lower, upper = facts.lower[position], facts.upper[position]
    if value > upper:  # with k near n the estimate is 1 as soon as anything was right
        return f"{100 * value:.1f} [≥ {100 * lower:.1f}]"
    return f"{100 * value:.1f} [{100 * lower:.1f}, {100 * upper:.1f}]"


def _answers(facts: ArmFacts) -> str:
    shown = [
        f"{OUTCOME_MARKS[one.outcome]} {one_line(one.answer, 40) or '(none)'} ×{one.count}"
        for one in facts.answers[:ANSWERS_SHOWN]
    ]
    rest = facts.answers[ANSWERS_SHOWN:]
    if rest:
        right = sum(one.count for one in rest if one.outcome is Outcome.CORRECT)
        also = f", {right} of them right" if right else ""
        shown.append(f"{len(rest)} more ×{sum(one.count for one in rest)}{also}")
    return " · ".join(shown) or "nothing graded"


def _arm(facts: ArmFacts) -> dict[str, Any]:
    tally = facts.tally
    return {
        "model": facts.column.name,
        "role": facts.column.role,
        "arm": facts.column.arm.key if facts.column.arm else None,
        "n": tally.n,
        "correct": tally.correct,
        "wrong": tally.wrong,
        "undecided": tally.undecided,
        "ungraded": tally.ungraded,
        "disagreed": tally.disagreed,
        "overridden": tally.overridden,
        "recorded": tally.recorded,
        "pass": numbers(facts.values),
        "lower": numbers(facts.lower),
        "upper": numbers(facts.upper),
        "class": str(facts.coverage) if facts.coverage else None,
        "answers": [
            {"answer": one.answer, "outcome": one.outcome.value, "count": one.count}
            for one in facts.answers
        ],
    }

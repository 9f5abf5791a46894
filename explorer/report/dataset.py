"""A dataset's report as text, Markdown, CSV or JSON, all from the same `SetReport`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from explorer.report.console import console, crowded, print_grid
from explorer.report.diversity import as_dict as diversity_dict
from explorer.report.diversity import diversity_grid, remarks
from explorer.report.luck import COT_CAVEAT, cot_tables, guess_lines, set_dict
from explorer.report.naming import label
from explorer.report.parity import as_dict as parity_dict
from explorer.report.parity import parity_lines
from explorer.views.noise import gathered
from explorer.views.numbers import plural
from explorer.views.report_tables import ArmLine, Comparison, SetReport
from explorer.views.table_layout import Table
from explorer.views.text import one_line

CAVEAT = (
    "pass@k is the unbiased estimate, its band a 95% bootstrap over problems. A class says what was"
    " observed at these n, under these settings and this verifier, not what a model can do at all."
)


def print_report(report: SetReport) -> None:
    """Print it as aligned text."""
    out = console()
    tables = _tables(report)
    turned = crowded(out, [grid for _, grid, _ in tables])
    out.print(Text(_title(report)))
    for title, grid, notes in tables:
        out.print(Text(f"\n{title}" if title else ""))
        print_grid(out, grid.turned() if turned else grid)
        for note in notes:
            out.print(Text(note))
    for line in (*_luck_lines(report), *_footing(report)):
        out.print(Text(line))
    out.print(Text(f"\n{CAVEAT}"))


def _tables(report: SetReport) -> list[tuple[str, Table, list[str]]]:
    """All of its tables, an arm a column: title, numbers, what is said beneath."""
    tables = [("", pass_table(report), list[str]())]
    if report.comparisons:
        title = "Against the base: what was solved at least once"
        tables.append((title, coverage_table(report), []))
        crossings = [f"Crossing: {pair.crossing.sentence()}" for pair in report.comparisons]
        title = "pass@k minus the base's, in points"
        tables.append((title, difference_table(report), crossings))
    tables += [(title, Table(heads, rows), []) for title, heads, rows in cot_tables(report.luck)]
    if report.diversity is not None and report.diversity.arms:
        problems = plural(report.diversity.problems, "problem")
        title = f"Diversity, means over {problems} that all have"
        tables.append((title, diversity_grid(report.diversity), remarks(report.diversity)))
    return tables


def _luck_lines(report: SetReport) -> list[str]:
    guesses = guess_lines(report.luck)
    caveat = [COT_CAVEAT] if report.luck.cot else []
    return [*caveat, *(["", "Guessing", *guesses] if guesses else [])]


def _footing(report: SetReport) -> list[str]:
    """What the comparisons rest on: parity and noise floors, what is the same said once."""
    if not report.parity:
        return []
    floors = [f"  {line}" for line in gathered(report.floors)]
    return ["", *parity_lines(report.parity), "Noise floor, each model on its own samples", *floors]


def as_markdown(report: SetReport) -> str:
    """It as Markdown tables."""
    parts = [f"## {_title(report)}", _markdown(pass_table(report))]
    if report.comparisons:
        parts += ["### Solved at least once", _markdown(coverage_table(report))]
        parts += ["### pass@k minus the base's, in points", _markdown(difference_table(report))]
        parts += ["\n".join(f"- {pair.crossing.sentence()}" for pair in report.comparisons)]
    for title, headers, rows in cot_tables(report.luck):
        parts += [f"### {title}", _markdown(Table(headers, rows))]
    if report.diversity is not None and report.diversity.arms:
        parts += ["### Diversity", _markdown(diversity_grid(report.diversity))]
        parts += remarks(report.diversity)
    parts += ["\n".join(f"- {line.strip()}" for line in _luck_lines(report) if line)]
    parts += ["\n".join(f"- {line.strip()}" for line in _footing(report) if line)]
    return "\n\n".join(part for part in (*parts, CAVEAT) if part) + "\n"


def as_csv(report: SetReport) -> str:
    """One line per arm and k: the numbers, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("dataset", "model", "arm", "problems", "n_least", "n_most", "k", "pass", "lower", "upper")
    )
    for line in report.arms:
        key = line.column.arm.key if line.column.arm else ""
        for k, *numbers in zip(report.ks, line.values, line.lower, line.upper, strict=True):
            cells = ["" if math.isnan(number) else repr(float(number)) for number in numbers]
            source = (report.dataset, line.column.name, key)
            writer.writerow((*source, line.problems, line.n_least, line.n_most, k, *cells))
    return text.getvalue()


def as_dict(report: SetReport) -> dict[str, Any]:
    """The same facts for programs; an unknown number is null."""
    return {
        "dataset": report.dataset,
        "problems": report.problems,
        "settings": report.settings,
        "ks": list(report.ks),
        "arms": [_arm(line) for line in report.arms],
        "comparisons": [_comparison(pair) for pair in report.comparisons],
        "luck": set_dict(report.luck),
        "diversity": diversity_dict(report.diversity),
        "parity": [parity_dict(pair) for pair in report.parity],
        "noise_floors": list(report.floors),
    }


def pass_table(report: SetReport) -> Table:
    """pass@k in per cent: a column a model, a row a k."""
    headers = ["", *(label(line.column) for line in report.arms)]
    rows = [
        ["problems", *(f"{line.problems:,}" for line in report.arms)],
        ["samples of each", *(_range(line.n_least, line.n_most) for line in report.arms)],
    ]
    for position, k in enumerate(report.ks):
        cells = [
            _with_band(line.values[position], line.lower[position], line.upper[position])
            for line in report.arms
        ]
        rows.append([f"pass@{k}", *cells])
    rows.append(["undecided", *(f"{line.undecided:,}" for line in report.arms)])
    if any(line.disagreed for line in report.arms):
        rows.append(["verifiers disagree", *(f"{line.disagreed:,}" for line in report.arms)])
    if any(line.overridden for line in report.arms):
        rows.append(["overridden", *(f"{line.overridden:,}" for line in report.arms)])
    if any(line.ungraded for line in report.arms):
        rows.append(["not graded yet", *(f"{line.ungraded:,}" for line in report.arms)])
    return Table(headers, rows)


def coverage_table(report: SetReport) -> Table:
    """The 2×2 coverage: a column a pair of models."""
    pairs = report.comparisons
    headers = ["", *(f"{label(pair.other)} / {label(pair.base)}" for pair in pairs)]
    seen = [pair.coverage for pair in pairs]
    rows = [
        ["problems", *(f"{pair.problems:,}" for pair in pairs)],
        ["P both", *(f"{one.preserved:,}" for one in seen)],
        ["E only it", *(f"{one.expanded:,}" for one in seen)],
        ["S only base", *(f"{one.shrunk:,}" for one in seen)],
        ["O neither", *(f"{one.out:,}" for one in seen)],
        ["? open (undecided)", *(f"{one.uncertain:,}" for one in seen)],
        ["kept, P of P+S", *(_percent(one.retention) for one in seen)],
        ["new, E of P+E", *(_percent(one.discovery) for one in seen)],
    ]
    return Table(headers, rows)


def difference_table(report: SetReport) -> Table:
    """Paired differences of pass@k in points, and the paper's Δ_SE: a column a pair of models."""
    pairs = report.comparisons
    headers = ["", *(f"{label(pair.other)} − {label(pair.base)}" for pair in pairs)]
    rows = []
    for position, k in enumerate(report.ks):
        cells = [
            _with_band(
                pair.difference[position], pair.lower[position], pair.upper[position], sign="+"
            )
            for pair in pairs
        ]
        rows.append([f"k={k}", *cells])
    rows.append(["Δ_SE", *(_gap(pair) for pair in pairs)])
    return Table(headers, rows)


def _title(report: SetReport) -> str:
    dataset = one_line(report.dataset)
    return f"{dataset} · {plural(report.problems, 'problem')} · {report.settings}"


def _gap(pair: Comparison) -> str:
    return "–" if math.isnan(pair.gap) else f"{100 * pair.gap:.1f} at k={pair.gap_k}"


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _with_band(value: float, lower: float, upper: float, sign: str = "") -> str:
    if math.isnan(value):
        return "–"
    form = f"{sign}z.1f"  # a mean of next to nothing is +0.0, whichever way it was rounded
    return f"{100 * value:{form}} [{100 * lower:{form}}, {100 * upper:{form}}]"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}%"


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|---|" + "---:|" * (len(table.headers) - 1)
    return "\n".join([line(table.headers), rule, *map(line, table.rows)])


def _arm(line: ArmLine) -> dict[str, Any]:
    return {
        "model": line.column.name,
        "role": line.column.role,
        "arm": line.column.arm.key if line.column.arm else None,
        "problems": line.problems,
        "n_least": line.n_least,
        "n_most": line.n_most,
        "undecided": line.undecided,
        "disagreed": line.disagreed,
        "overridden": line.overridden,
        "ungraded": line.ungraded,
        "pass": numbers(line.values),
        "lower": numbers(line.lower),
        "upper": numbers(line.upper),
    }


def _comparison(pair: Comparison) -> dict[str, Any]:
    seen = pair.coverage
    return {
        "base": pair.base.name,
        "model": pair.other.name,
        "problems": pair.problems,
        "preserved": seen.preserved,
        "expanded": seen.expanded,
        "shrunk": seen.shrunk,
        "out": seen.out,
        "uncertain": seen.uncertain,
        "difference": numbers(pair.difference),
        "lower": numbers(pair.lower),
        "upper": numbers(pair.upper),
        "delta_se": numbers([pair.gap])[0],
        "delta_se_k": pair.gap_k,
        "crossing": {
            "separated": pair.crossing.is_separated,
            "other_above_at": pair.crossing.ahead or None,
            "base_above_at": pair.crossing.overtaken or None,
            "meet_at": pair.crossing.touched or None,
            "largest_k": pair.crossing.largest,
        },
    }


def numbers(values: Sequence[float] | Any) -> list[float | None]:
    """Floats for JSON: NaN is null."""
    return [None if math.isnan(value) else float(value) for value in values]

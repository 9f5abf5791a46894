"""A study as text, Markdown, CSV and JSON, from the same tables that the screen shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from explorer.core.boxes import Box
from explorer.report.console import console, print_grid
from explorer.report.dataset import CAVEAT, numbers, print_report
from explorer.report.dataset import as_dict as report_dict
from explorer.report.dataset import as_markdown as report_markdown
from explorer.views.study import StudyPair
from explorer.views.study_grids import Grid
from explorer.views.study_perplexity import Perplexities
from explorer.views.study_reader import WholeStudy
from explorer.views.study_series import Series
from explorer.views.table_layout import Table, roomiest
from explorer.views.text import one_line


def print_study(found: WholeStudy) -> None:
    """Print the report and the tables that only a study has."""
    print_report(found.report)
    out = console()
    for grid in found.further_grids():
        out.print(Text(f"\n{grid.title}"))
        shown = Table(grid.headers, _texts(grid))
        print_grid(out, roomiest(shown, out.width, cell_len) if grid.heads else shown)
        for note in grid.notes:
            out.print(Text(note))
    for line in cell_lines(found):
        out.print(Text(line))


def as_markdown(found: WholeStudy) -> str:
    """It as Markdown."""
    parts = [report_markdown(found.report).removesuffix(f"\n\n{CAVEAT}\n")]
    for grid in found.further_grids():
        parts += [f"### {grid.title}", _markdown(grid), *grid.notes]
    lines = [f"- {line}" for line in cell_lines(found)]
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else []), CAVEAT]) + "\n"


def as_csv(found: WholeStudy) -> str:
    """Long form, as shown: one line per cell of every table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("dataset", "table", "row", "column", "value", "band"))
    for grid in [*found.grids(), *([answers] if (answers := found.answers()) else [])]:
        for row in grid.rows:
            for header, cell in zip(grid.headers[1:], row[1:], strict=True):
                source = (found.report.dataset, grid.title, row[0].text)
                writer.writerow((*source, header, cell.text, cell.band))
    return text.getvalue()


def as_dict(found: WholeStudy) -> dict[str, Any]:
    """The same facts for programs, unrounded; an unknown number is null."""
    grouping = found.study.grouping
    return report_dict(found.report) | {
        "study": {
            "pairs": [_pair(pair) for pair in found.study.pairs],
            "histograms": [
                {
                    "model": one.column.name,
                    "bins": [each.label for each in one.bins],
                    "problems": [each.problems for each in one.bins],
                }
                for one in found.study.histograms
            ],
            "perplexities": _perplexities(found.perplexities),
            "series": _series(found.series),
            "groups": {
                "by": grouping.by,
                "columns": list(grouping.columns),
                "models": [column.name for column in found.study.drawn],
                "groups": [
                    {
                        "value": group.value,
                        "problems": group.problems,
                        "accuracy": numbers([cell.value for cell in group.cells]),
                        "lower": numbers([cell.lower for cell in group.cells]),
                        "upper": numbers([cell.upper for cell in group.cells]),
                    }
                    for group in grouping.groups
                ],
            },
        }
    }


def cell_lines(found: WholeStudy, most: int = 12) -> list[str]:
    """What each model lost and won, by name; long lists are cut and say so."""
    lines = []
    for pair in found.study.pairs:
        for coverage, members in pair.cells.items():
            if coverage.value not in "SE" or not members:
                continue
            names = [one_line(member.row.problem.name, 40) for member in members[:most]]
            more = f" and {len(members) - most} more" if len(members) > most else ""
            words = "only base solves" if coverage.value == "S" else "only it solves"
            other = one_line(pair.comparison.other.name, 24)
            lines.append(f"{other}, {words}: {', '.join(names)}{more}")
    return lines


def _pair(pair: StudyPair) -> dict[str, Any]:
    one = pair.comparison
    gap = numbers([one.gap, one.gap_lower, one.gap_upper])
    met = one.meeting
    known = bool(met.largest)
    seen = one.coverage
    metrics = numbers([seen.retention, seen.discovery, seen.dynamic, seen.net_change])
    return {
        "base": one.base.name,
        "model": one.other.name,
        "algorithm": one.other.model.algorithm,
        "delta_se": gap[0],
        "delta_se_interval": gap[1:],
        "delta_se_k": one.gap_k,
        "crossing": {
            "k": _finite(met.at) if known else None,
            "interval": [_finite(met.lower), _finite(met.upper)] if known else None,
            "share": met.share if known else None,
            "largest_k": met.largest,
        },
        "cells": {
            coverage.value: [member.row.problem.name for member in members]
            for coverage, members in pair.cells.items()
        },
        **dict(zip(("srr", "ndr", "sds", "nscr"), metrics, strict=True)),
    }


def _finite(value: float) -> float | str:
    """JSON has no infinity: 'beyond' is a crossing that is not there up to the largest k."""
    return "beyond" if value == float("inf") else value


def _perplexities(found: Perplexities) -> dict[str, Any]:
    return {
        "problems": found.problems,
        "left_out": found.left_out,
        "per_problem": found.per_problem,
        "boxes": [
            {
                "reader": line.reader.name,
                "writer": line.writer.name,
                **_box(line.box),
                "typical": _box(line.typical),
            }
            for line in found.lines
        ],
    }


def _box(found: Box) -> dict[str, Any]:
    values = numbers([found.low, found.lower, found.median, found.upper, found.high])
    return {"n": found.n, **dict(zip(("q05", "q25", "q50", "q75", "q95"), values, strict=True))}


def _series(found: Series) -> dict[str, Any]:
    return {
        "field": found.field,
        "fields": list(found.fields),
        "lines": [
            {
                "label": line.label,
                "k": line.k,
                "problems": line.problems,
                "points": [
                    {
                        "x": point.text if found.in_order else point.x,
                        "model": point.arm.model.name,
                        "arm": point.arm.key,
                        "pass_at_1": numbers(point.first),
                        "pass_at_k": numbers(point.last),
                        "pass": {
                            str(k): numbers(one)
                            for k, one in zip(line.ks, point.values, strict=True)
                        },
                        "coverage": numbers(point.coverage),
                        "n": list(point.n),
                    }
                    for point in line.points
                ],
            }
            for line in found.lines
        ],
    }


def _texts(grid: Grid) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in grid.rows]


def _markdown(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|---|" + "---:|" * (len(grid.headers) - 1)
    return "\n".join([line(grid.headers), rule, *map(line, _texts(grid))])

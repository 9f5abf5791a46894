"""The comparison of source labels with our verdicts, as text or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from rich.text import Text

from explorer.core.completion import Outcome
from explorer.report.console import console, table
from explorer.views.labels import LabelReport
from explorer.views.text import one_line

_SAID: Final = {Outcome.CORRECT: "right", Outcome.WRONG: "wrong"}
_ANSWER_WIDTH: Final = 40


def print_labels(report: LabelReport) -> None:
    """Print the counts, then the completions that differ."""
    out = console()
    if not report.lines:
        out.print(Text("No imported completion has a label that can be compared."))
        return
    out.print(table(*_counts(report), text_columns=3))
    if not report.total:
        return
    out.print(Text(f"\n{report.total:,} completions where the source contradicts us:"))
    for one in report.differences:
        said = f"source ({one.label}) {_SAID[one.said]}, we {_SAID[one.ours]}"
        answer, gold = (one_line(text, _ANSWER_WIDTH) for text in (one.answer, one.gold))
        where = (
            f"{one_line(one.dataset)}/{one_line(one.problem)} {one_line(one.model)} #{one.index}"
        )
        found = f"answer {answer or '–'} ({one.method or 'none'}) · gold {gold or '–'}"
        out.print(Text(f"{where}: {said} · {found} · {one_line(one.source)}:{one.line}"))
    if len(report.differences) < report.total:
        rest = report.total - len(report.differences)
        out.print(Text(f"… and {rest:,} more (--all lists them)"))


def labels_as_dict(report: LabelReport) -> dict[str, Any]:
    """The same for programs."""
    return {
        "arms": [asdict(line) | {"differ": line.differ} for line in report.lines],
        "differences": [asdict(one) for one in report.differences],
    }


def _counts(report: LabelReport) -> tuple[list[str], list[list[str]]]:
    headers = [
        *("dataset", "model", "label", "labelled", "source right", "we right", "agree"),
        *("only source right", "only we right", "we undecided", "unclear", "ungraded"),
    ]
    rows = []
    for line in report.lines:
        numbers = (
            line.labelled, line.said_right, line.ours_right, line.agree, line.source_right,
            line.source_wrong, line.undecided_right + line.undecided_wrong, line.unclear,
            line.ungraded,
        )  # fmt: skip
        names = (line.dataset, line.model, line.label)
        rows.append([*map(one_line, names), *(f"{number:,}" for number in numbers)])
    return headers, rows

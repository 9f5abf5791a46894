"""`reviews`: what was found in the reasoning, by whom, and how far they agree; text and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.store.reviews import ReviewedRow
from explorer.views.agreement import Agreement, Pair
from explorer.views.numbers import plural
from explorer.views.text import one_line

Said = dict[str, list[ReviewedRow]]


def print_reviews(found: Agreement) -> None:
    """Print counts, agreement and conflicts, then every review."""
    out = console()
    if not found.rows:
        out.print(Text("Nothing was reviewed here yet; `rlvr-explorer review` begins."))
        return
    counts = _by_reviewer(found.rows)
    headers = ["reviewer", "completions", "sound", "not", "undecided", "blind"]
    out.print(table(headers, [_count_cells(name, rows) for name, rows in counts.items()]))
    if found.pairs:
        out.print(Text("\nAgreement (Cohen's kappa on what both reviewed; – where undefined)"))
        headers = ["pair", "n", "same", "kappa, sound or not", "kappa, findings"]
        out.print(table(headers, [_pair_cells(pair) for pair in found.pairs]))
    if found.conflicts:
        out.print(Text(f"\nConflicts: {plural(len(found.conflicts), 'completion')}"))
        for conflict in found.conflicts:
            words = " · ".join(f"{one_line(name)}: {said}" for name, said in conflict.said)
            out.print(Text(f"  {_place(conflict.row)}  {words}"))
    out.print(Text(""))
    headers = ["problem", "model", "sample", "finding", "by", "blind", "at", "note"]
    rows = [_cells(row) for row in found.rows]
    out.print(table(headers, rows, text_columns=len(headers)))


def as_dict(found: Agreement) -> dict[str, Any]:
    """The same facts for programs; kappa is null where it is undefined."""
    from explorer.core.review import Finding

    return {
        "reviewers": {
            name: {
                "completions": len({row.review.completion_id for row in rows}),
                "votes": len(rows),
                "findings": {
                    finding.value: count
                    for finding in Finding
                    if (count := sum(row.review.finding is finding for row in rows))
                },
            }
            for name, rows in _by_reviewer(found.rows).items()
        },
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "n": pair.shared,
                "same": pair.same,
                "kappa": _number(pair.kappa),
                "kappa_findings": _number(pair.kappa_findings),
            }
            for pair in found.pairs
        ],
        "conflicts": [
            {
                "dataset": conflict.row.dataset,
                "problem": conflict.row.problem,
                "model": conflict.row.model,
                "arm": conflict.row.arm_key,
                "sample": conflict.row.index,
                "said": dict(conflict.said),
            }
            for conflict in found.conflicts
        ],
        "reviews": [_review(row) for row in found.rows],
    }


def _review(row: ReviewedRow) -> dict[str, Any]:
    return {
        "dataset": row.dataset,
        "problem": row.problem,
        "model": row.model,
        "arm": row.arm_key,
        "sample": row.index,
        "answer_is": row.standing or None,
        "reviewer": row.review.reviewer,
        "vote": row.review.vote,
        "finding": row.review.finding.value,
        "blind": row.review.blind,
        "at": _when(row.review.made),
        "note": row.review.note,
        "source": row.review.source,
    }


def _by_reviewer(rows: Sequence[ReviewedRow]) -> Said:
    found: Said = {}
    for row in rows:
        found.setdefault(row.review.reviewer, []).append(row)
    return found


def _count_cells(name: str, rows: Sequence[ReviewedRow]) -> list[str]:
    from explorer.core.review import vote_of

    votes = [vote_of(row.review.finding) for row in rows]
    completions = len({row.review.completion_id for row in rows})
    votes_said = f" × {len(rows) / completions:.3g} votes" if len(rows) > completions else ""
    return [
        one_line(name, 40),
        f"{completions}{votes_said}",
        f"{votes.count(True)}",
        f"{votes.count(False)}",
        f"{votes.count(None)}",
        f"{sum(row.review.blind for row in rows)}",
    ]


def _pair_cells(pair: Pair) -> list[str]:
    names = f"{one_line(pair.first, 30)} / {one_line(pair.second, 30)}"
    return [
        names, f"{pair.shared}", f"{pair.same}", _kappa(pair.kappa), _kappa(pair.kappa_findings)
    ]  # fmt: skip


def _kappa(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _place(row: ReviewedRow) -> str:
    return one_line(f"{row.dataset}/{row.problem} {row.model} #{row.index}")


def _cells(row: ReviewedRow) -> list[str]:
    review = row.review
    vote = f" #{review.vote + 1}" if review.source else ""
    return [
        one_line(f"{row.dataset}/{row.problem}"),
        one_line(row.model),
        f"#{row.index}",
        review.finding.value,
        one_line(review.reviewer, 40) + vote,
        "yes" if review.blind else "no",
        _when(review.made),
        one_line(review.note, 60),
    ]


def _when(made: float) -> str:
    try:
        return datetime.fromtimestamp(made, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):  # a merged file may say anything
        return "?"

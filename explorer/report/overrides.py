"""`override` without arguments: what people said over the verifiers, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.store.rows import OverriddenRow
from explorer.views.text import one_line


def print_overrides(rows: Sequence[OverriddenRow]) -> None:
    """Print them, the latest first."""
    out = console()
    if not rows:
        out.print(Text("Nobody has overridden a verdict here."))
        return
    headers = ["problem", "model", "sample", "said", "verifier", "answer", "by", "at", "note"]
    out.print(table(headers, [_cells(row) for row in rows], text_columns=len(headers)))


def as_dicts(rows: Sequence[OverriddenRow]) -> list[dict[str, Any]]:
    """The same facts for programs; `at` is ISO 8601."""
    return [
        {
            "dataset": row.dataset,
            "problem": row.problem,
            "model": row.model,
            "arm": row.arm_key,
            "sample": row.index,
            "outcome": row.override.outcome.value,
            "verifier_outcome": row.verified or None,
            "answer": row.answer,
            "author": row.override.author,
            "at": _when(row.override.made),
            "note": row.override.note,
        }
        for row in rows
    ]


def _cells(row: OverriddenRow) -> list[str]:
    return [
        one_line(f"{row.dataset}/{row.problem}"),
        one_line(row.model),
        f"#{row.index}",
        row.override.outcome.value,
        row.verified or "ungraded",
        one_line(row.answer, 30),
        one_line(row.override.author, 40),
        _when(row.override.made),
        one_line(row.override.note, 60),
    ]


def _when(made: float) -> str:
    return datetime.fromtimestamp(made, UTC).isoformat(timespec="seconds")

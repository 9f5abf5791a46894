"""Diversity as `show` and `report` print it, and the same for programs."""

from __future__ import annotations

from typing import Any

from explorer.report.naming import label
from explorer.views.diversity import TAUS, Diversity, diversity_remarks, diversity_table
from explorer.views.table_layout import Table


def diversity_grid(found: Diversity) -> Table:
    """Headers and rows: a column an arm."""
    headers = ["", *(label(arm.column) for arm in found.arms)]
    return Table(headers, [[name, *values] for name, values in diversity_table(found)])


def remarks(found: Diversity) -> list[str]:
    """What must be said beneath it."""
    return [*found.matched, *diversity_remarks(found)]


def as_dict(found: Diversity | None) -> dict[str, Any] | None:
    """All numbers, unrounded; None where nothing was read."""
    if found is None:
        return None
    return {
        "problems": found.problems,
        "problems_of_answers": found.looked_into,
        "k": found.k,
        "matched": list(found.matched),
        "arms": [
            {
                "model": arm.column.name,
                "n": arm.n,
                "distinct_answers": arm.distinct,
                "answer_entropy": arm.answer_entropy,
                "token_entropy": arm.token_entropy,
                "tokens": arm.tokens,
                "majority": arm.majority,
                "g_pass_half": arm.steady,
                "g_pass_all": arm.perfect,
                "mean_g_pass": arm.mean_steady,
                "cover": {f"{tau:g}": share for tau, share in zip(TAUS, arm.cover, strict=False)},
            }
            for arm in found.arms
        ],
    }

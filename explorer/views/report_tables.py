"""A dataset in numbers: pass@k of every arm, and what the base solves that the others do not.

Invariants: a pass@k mean is over all problems that the arm has graded samples of, at a k that each
of them reaches (else NaN); a comparison is over the problems that both arms have, and says how
many. Bands are 95 % percentile bootstraps over problems, paired where two arms are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.coverage import DELTA_SE_K, CoverageCounts, classify, count_classes, delta_se
from explorer.core.intervals import bootstrap_mean
from explorer.core.passk import common_ks, mean_curve, table
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmColumn

Floats = NDArray[np.float64]

DEFAULT_KS: Final = (1, 4, 16, 64, 256, 1024)
"""The ks of a table, as far as the samples reach."""


@dataclass(frozen=True, slots=True)
class ArmLine:
    """One arm over a dataset.

    Attributes:
        problems: how many have graded samples.
        n_least, n_most: fewest and most graded samples of these problems.
        values, lower, upper: [K] mean pass@k and its band.
    """

    column: ArmColumn
    problems: int
    n_least: int
    n_most: int
    undecided: int
    ungraded: int
    values: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against its base, over the problems that both have graded samples of.

    Attributes:
        difference, lower, upper: [K] mean of (other − base) pass@k and its paired band.
        gap, gap_k: Δ_SE of the paper, base pass@k − other pass@1, at the largest k ≤ 256 that all
            problems reach; NaN without problems.
    """

    base: ArmColumn
    other: ArmColumn
    problems: int
    coverage: CoverageCounts
    difference: Floats
    lower: Floats
    upper: Floats
    gap: float
    gap_k: int


@dataclass(frozen=True, slots=True)
class SetReport:
    """All of it, for one dataset and one set of sampling settings."""

    dataset: str
    problems: int
    settings: str
    ks: tuple[int, ...]
    arms: tuple[ArmLine, ...]
    comparisons: tuple[Comparison, ...]


def set_report(
    dataset: str,
    rows: Sequence[ProblemRow],
    columns: Sequence[ArmColumn],
    tallies: Mapping[tuple[int, int], Tally],
    ks: Sequence[int] = (),
) -> SetReport:
    """Everything that is printed of a dataset; `ks` default to `DEFAULT_KS` up to the largest n."""
    cells = {
        column.name: {
            row.id: tally for row in rows if (tally := tallies.get((column.arm_id, row.id)))
        }
        for column in columns
    }
    most = max((tally.n for cell in cells.values() for tally in cell.values()), default=0)
    shown = tuple(ks) or tuple(k for k in DEFAULT_KS if k <= max(most, 1))
    by_name = {column.name: column for column in columns}
    pairs = [
        (by_name[column.model.base], column)
        for column in columns
        if column.role != "base" and column.model.base in by_name
    ]
    return SetReport(
        dataset=dataset,
        problems=len(rows),
        settings=columns[0].sampling.label() if columns else "",
        ks=shown,
        arms=tuple(_arm_line(column, cells[column.name], shown) for column in columns),
        comparisons=tuple(
            _comparison(base, other, cells[base.name], cells[other.name], shown)
            for base, other in pairs
        ),
    )


def _arm_line(column: ArmColumn, cell: Mapping[int, Tally], ks: Sequence[int]) -> ArmLine:
    graded = [tally for tally in cell.values() if tally.n]
    correct, samples = _counts(graded)
    band = bootstrap_mean(table(correct, samples, ks))
    return ArmLine(
        column=column,
        problems=len(graded),
        n_least=min(samples, default=0),
        n_most=max(samples, default=0),
        undecided=sum(tally.undecided for tally in graded),
        ungraded=sum(tally.ungraded for tally in cell.values()),
        values=mean_curve(correct, samples, ks),
        lower=band.lower,
        upper=band.upper,
    )


def _comparison(
    base: ArmColumn,
    other: ArmColumn,
    base_cell: Mapping[int, Tally],
    other_cell: Mapping[int, Tally],
    ks: Sequence[int],
) -> Comparison:
    shared = [
        problem
        for problem, tally in base_cell.items()
        if tally.n and problem in other_cell and other_cell[problem].n
    ]
    ours = [base_cell[problem] for problem in shared]
    theirs = [other_cell[problem] for problem in shared]
    base_c, base_n = _counts(ours)
    other_c, other_n = _counts(theirs)
    differences = table(other_c, other_n, ks) - table(base_c, base_n, ks)
    band = bootstrap_mean(differences)
    reached = [k for k in common_ks(base_n) if k <= DELTA_SE_K]
    gap_k = reached[-1] if reached else 0
    return Comparison(
        base=base,
        other=other,
        problems=len(shared),
        coverage=count_classes(map(classify, ours, theirs)),
        difference=differences.mean(axis=0) if shared else np.full(len(ks), np.nan),
        lower=band.lower,
        upper=band.upper,
        gap=delta_se(base_c, base_n, other_c, other_n, gap_k) if shared else np.nan,
        gap_k=gap_k,
    )


def _counts(tallies: Sequence[Tally]) -> tuple[list[int], list[int]]:
    return [tally.correct for tally in tallies], [tally.n for tally in tallies]

"""A dataset in numbers: pass@k of every arm, and what the base solves that the others do not.

Invariants: a pass@k mean is over all problems that the arm has graded samples of, at a k that each
of them reaches (else NaN); a comparison is over the problems that both arms have, and says how
many. Bands are 95 % percentile bootstraps over problems, paired where two arms are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.core.coverage import DELTA_SE_K, CoverageCounts, classify, count_classes, delta_se
from explorer.core.intervals import (
    Interval,
    bootstrap_mean,
    percentile_interval,
    resampled_means,
)
from explorer.core.meeting import NOWHERE, Meeting, meeting_of
from explorer.core.passk import common_ks, mean_curve, standard_ks, table
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmColumn
from explorer.views.crossing import Crossing, crossing
from explorer.views.diversity import Diversity
from explorer.views.luck import NO_SET_LUCK, SetLuck
from explorer.views.parity import PairParity
from explorer.views.text import one_line

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
    disagreed: int
    overridden: int
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
        crossing: where the base's curve overtakes the other's, if it separably does.
        gap_lower, gap_upper: 95 % paired bootstrap of Δ_SE over problems.
        meeting: the k at which the mean curves cross, with its interval.
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
    crossing: Crossing
    gap_lower: float = np.nan
    gap_upper: float = np.nan
    meeting: Meeting = NOWHERE


@dataclass(frozen=True, slots=True)
class SetReport:
    """All of it, for one dataset and one set of sampling settings.

    Attributes:
        luck: what was reviewed and guessed.
        parity, floors: how the arms of each pair differ, and their noise floors in words, where
            somebody has read them.
    """

    dataset: str
    problems: int
    settings: str
    ks: tuple[int, ...]
    arms: tuple[ArmLine, ...]
    comparisons: tuple[Comparison, ...]
    parity: tuple[PairParity, ...] = ()
    floors: tuple[str, ...] = ()
    diversity: Diversity | None = None
    luck: SetLuck = NO_SET_LUCK
    problem_ids: tuple[int, ...] = ()


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
        problem_ids=tuple(row.id for row in rows),
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
        disagreed=sum(tally.disagreed for tally in graded),
        overridden=sum(tally.overridden for tally in graded),
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
    reached = [k for k in common_ks(base_n) if k <= DELTA_SE_K]
    gap_k = reached[-1] if reached else 0
    all_ks = standard_ks(min([*base_n, *other_n], default=0))
    differences = table(other_c, other_n, ks) - table(base_c, base_n, ks)
    gaps = table(base_c, base_n, [gap_k or 1]) - table(other_c, other_n, [1])
    leads = table(base_c, base_n, all_ks) - table(other_c, other_n, all_ks)
    bands = _paired_bands(differences, gaps, leads, all_ks)
    return Comparison(
        base=base,
        other=other,
        problems=len(shared),
        coverage=count_classes(map(classify, ours, theirs)),
        difference=differences.mean(axis=0) if shared else np.full(len(ks), np.nan),
        lower=bands.difference.lower,
        upper=bands.difference.upper,
        gap=delta_se(base_c, base_n, other_c, other_n, gap_k) if shared else np.nan,
        gap_k=gap_k,
        crossing=crossing(
            one_line(base.name), one_line(other.name), list(zip(ours, theirs, strict=True))
        ),
        gap_lower=float(bands.gap.lower[0]),
        gap_upper=float(bands.gap.upper[0]),
        meeting=bands.meeting,
    )


class _Bands(NamedTuple):
    """Intervals of a pair, all of the same resampled problems."""

    difference: Interval
    gap: Interval
    meeting: Meeting


def _paired_bands(
    differences: Floats, gaps: Floats, leads: Floats, all_ks: Sequence[int]
) -> _Bands:
    """Bands of [P, K] differences, [P, 1] gaps and [P, all K] leads: one resampling serves all."""
    if not len(differences):
        empty = bootstrap_mean(differences)
        return _Bands(empty, bootstrap_mean(gaps), NOWHERE)
    drawn = resampled_means(np.concatenate([differences, gaps, leads], axis=1))
    place = differences.shape[1]
    return _Bands(
        percentile_interval(drawn[:, :place]),
        percentile_interval(drawn[:, place : place + 1]),
        meeting_of(leads.mean(axis=0), drawn[:, place + 1 :], all_ks),
    )


def _counts(tallies: Sequence[Tally]) -> tuple[list[int], list[int]]:
    return [tally.correct for tally in tallies], [tally.n for tally in tallies]

"""One problem in numbers and words: what `show` prints, as the Problem screen has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.core.coverage import CoverageClass, classify
from explorer.core.intervals import posterior_interval
from explorer.core.passk import curve
from explorer.store.rows import AnswerCount, ProblemRow, Tally
from explorer.views.arms import ArmChoice, ArmColumn
from explorer.views.diversity import Diversity
from explorer.views.luck import NO_LUCK, ProblemLuck
from explorer.views.parity import PairParity
from explorer.views.report_tables import DEFAULT_KS
from explorer.views.sureness import Sureness
from explorer.views.verdict import Verdict, verdict


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """One arm on the problem.

    Attributes:
        values, lower, upper: pass@k and its 95 % credible interval at the report's ks; NaN where
            k > n.
        coverage: its class against its base; None for a base or while it cannot be told.
        answers: its distinct answers, most frequent first.
    """

    column: ArmColumn
    tally: Tally
    values: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    coverage: CoverageClass | None
    answers: tuple[AnswerCount, ...]


@dataclass(frozen=True, slots=True)
class ProblemReport:
    """All of it; `verdict` is None while no base and RL model are there to compare.

    Attributes:
        luck: what was reviewed and guessed on it.
        parity, floors: as in `SetReport`, the parity on this problem's completions.
        sureness, diversity: what is believed of each arm's p, and how varied its answers are,
            where somebody has read it.
    """

    row: ProblemRow
    settings: str
    ks: tuple[int, ...]
    arms: tuple[ArmFacts, ...]
    verdict: Verdict | None
    parity: tuple[PairParity, ...] = ()
    floors: tuple[str, ...] = ()
    luck: ProblemLuck = NO_LUCK
    sureness: Sureness | None = None
    diversity: Diversity | None = None


def problem_report(
    row: ProblemRow,
    choice: ArmChoice,
    tallies: Mapping[tuple[int, int], Tally],
    answers: Mapping[int, Sequence[AnswerCount]],
    verifier: str,
    ks: Sequence[int] = (),
) -> ProblemReport:
    """Everything that is printed of a problem; `answers` are by arm id."""
    cells = [tallies.get((column.arm_id, row.id), Tally()) for column in choice.columns]
    most = max((cell.n for cell in cells), default=0)
    shown = tuple(ks) or tuple(k for k in DEFAULT_KS if k <= max(most, 1))
    by_name = {column.name: cell for column, cell in zip(choice.columns, cells, strict=True)}
    arms = tuple(
        _facts(column, cell, by_name, answers.get(column.arm_id, ()), shown)
        for column, cell in zip(choice.columns, cells, strict=True)
    )
    return ProblemReport(
        row, choice.sampling.label(), shown, arms, verdict(choice, cells, verifier)
    )


def _facts(
    column: ArmColumn,
    tally: Tally,
    by_name: Mapping[str, Tally],
    answers: Sequence[AnswerCount],
    ks: Sequence[int],
) -> ArmFacts:
    values = curve(tally.correct, tally.n, ks)
    band = posterior_interval(tally.correct, tally.n, ks)
    known = [k <= tally.n for k in ks]
    base = by_name.get(column.model.base) if column.role != "base" else None
    return ArmFacts(
        column=column,
        tally=tally,
        values=tuple(values.tolist()),
        lower=_where(known, band.lower.tolist()),
        upper=_where(known, band.upper.tolist()),
        coverage=classify(base, tally) if base else None,
        answers=tuple(answers),
    )


def _where(known: Sequence[bool], values: Sequence[float]) -> tuple[float, ...]:
    return tuple(value if keep else float("nan") for keep, value in zip(known, values, strict=True))

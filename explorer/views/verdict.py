"""The verdict sentence: what was observed, at which n, settings and verifier, and no more.

It never says that a model cannot, or that RL adds nothing: 0 of n is a bound on p, and is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.core.coverage import CoverageClass, classify
from explorer.core.intervals import zero_bound
from explorer.store.rows import Tally
from explorer.views.arms import ArmChoice, ArmColumn
from explorer.views.numbers import percent
from explorer.views.palette import CLASS_WORDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence in parts, so that a screen can colour them.

    Attributes:
        conditions: `observed at n = 64 vs 64, T 1, verifier math-1`.
        counts: `base 12/64, rl 0/64`.
        coverage: the class, None while it cannot be told.
        bounds: one per arm without a correct sample: `rl: 0 of 64 ⇒ p ≤ 4.6% (95%)`.
        remarks: what could still change it.
    """

    conditions: str
    counts: str
    coverage: CoverageClass | None
    bounds: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """`S shrunk`, or what is missing."""
        if self.coverage is None:
            return "not sampled enough to say"
        return f"{self.coverage} {CLASS_WORDS[self.coverage.coverage.value]}"

    def sentence(self) -> str:
        """All of it on one line."""
        text = f"{self.conditions}: {self.counts} → {self.outcome}"
        return "; ".join([text, *self.bounds, *self.remarks])


def verdict(choice: ArmChoice, cells: Sequence[Tally], verifier: str) -> Verdict | None:
    """The verdict on a problem; None when no base and RL model are shown together.

    Args:
        choice, cells: the columns and their tallies.
        verifier: the version of the verifier that decided, such as `math-1`.
    """
    pair = choice.pair()
    if pair is None:
        return None
    named = [(choice.columns[position], cells[position]) for position in pair]
    (_, base), (_, other) = named
    settings = choice.sampling.label()
    conditions = f"observed at n = {base.n} vs {other.n}, {settings}, verifier {verifier or '–'}"
    counts = ", ".join(f"{column.name} {cell.correct}/{cell.n}" for column, cell in named)
    return Verdict(
        conditions,
        counts,
        classify(base, other),
        bounds=tuple(_bound(column, cell) for column, cell in named if cell.n and not cell.correct),
        remarks=_remarks(named),
    )


def _bound(column: ArmColumn, cell: Tally) -> str:
    return f"{column.name}: 0 of {cell.n} ⇒ p ≤ {percent(zero_bound(cell.n))} (95%)"


def _remarks(named: Sequence[tuple[ArmColumn, Tally]]) -> tuple[str, ...]:
    remarks = []
    for column, cell in named:
        if cell.undecided:
            could = " and could change this" if cell.correct == 0 else ""
            are = "is" if cell.undecided == 1 else "are"
            remarks.append(f"{cell.undecided} of {column.name} {are} undecided{could}")
        if cell.disagreed:
            remarks.append(f"on {cell.disagreed} of {column.name} a second verifier disagrees")
        if cell.overridden:
            remarks.append(f"{cell.overridden} of {column.name} decided by a person")
        if cell.ungraded:
            remarks.append(f"{cell.ungraded} of {column.name} not yet graded")
    if len({cell.n for _, cell in named}) > 1 and all(cell.n for _, cell in named):
        remarks.append("the two were not sampled equally often")
    return tuple(remarks)

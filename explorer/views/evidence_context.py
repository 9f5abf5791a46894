"""Likelihood in context: where a trace lies among what the base itself says, and what RL pruned.

Every number carries its n. Invariants: values are raw (temperature 1) and over response tokens
only; where the models cut the text into other tokens, bits per byte stand in for perplexity
everywhere, and it is said; undecided completions are neither right nor wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from explorer.core.completion import Outcome
from explorer.core.likelihood import Placement, placement
from explorer.store.likelihood import LikelihoodRow, Mean
from explorer.store.rows import ArmRow, CompletionHead
from explorer.views.numbers import count

PRUNED_SHOWN: Final = 200
"""Right answers of the base listed at most, the least likely under RL first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm's completions of the problem and its part in the comparison.

    Attributes:
        kind: 'base', 'rl' or 'distilled': which set of the scatter it is.
    """

    kind: str
    arm: ArmRow
    rows: tuple[LikelihoodRow, ...]

    @property
    def model(self) -> str:
        return self.arm.model.name


@dataclass(frozen=True, slots=True)
class Spread:
    """A part of the base's own completions, and where the trace lies in it.

    Attributes:
        label: 'all', 'right', 'wrong', or a third by length with its range of tokens.
        middle: median value; NaN where there is none.
        place: the share of them with a lower value than the trace's, and n.
        mine: the trace is of this length.
    """

    label: str
    middle: float
    place: Placement
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Pruned:
    """A right answer of the base and what RL thinks of it (values in the context's unit)."""

    head: CompletionHead
    under_rl: float
    under_base: float

    @property
    def ratio(self) -> float:
        """How many times as large as under base: above 1, RL likes it less."""
        return self.under_rl / self.under_base if self.under_base > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Point:
    """A completion in the plane of mean log-probabilities; minus bits per byte where tokens differ.

    Attributes:
        kind: 'base', 'rl' or 'distilled'; outcome: what counts, None = not graded.
        x, y: under base, under the other model.
        here: it is the trace itself.
    """

    kind: str
    outcome: Outcome | None
    x: float
    y: float
    here: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """All that is said of a trace's likelihood.

    Attributes:
        base, other: names of the models that are compared.
        per_byte: values are bits per byte, else perplexities.
        under_base, under_own: the trace's values; NaN where unknown.
        own: the model that drew the trace.
        settings: of the base's completions that it is compared with.
        alike: they were drawn with the trace's own settings.
        spreads: the base's own values, whole and in parts.
        pruned: the base's right answers under `other`, the least likely first.
        right: how many right answers the base has here; 0 of them may be scored.
        points: the scatter; `unplaced` by set: completions that lack one of the two scores.
    """

    base: str
    other: str
    own: str
    per_byte: bool
    under_base: float
    under_own: float
    settings: str
    alike: bool
    spreads: tuple[Spread, ...] = ()
    pruned: tuple[Pruned, ...] = ()
    pruned_n: int = 0
    right: int = 0
    points: tuple[Point, ...] = ()
    unplaced: dict[str, int] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return "bits/byte" if self.per_byte else "PPL"


def context(
    base: Cell | None,
    others: Sequence[Cell],
    trace: tuple[Cell, LikelihoodRow],
    base_model: str,
    other_model: str,
    per_byte: bool,
) -> Context:
    """Put a trace among the completions of its problem.

    Args:
        base: the base's own completions, None if it has none.
        others: the cells of the scatter beside it.
        trace: the trace's row and the cell that it belongs to.
        other_model: whose opinion is the second axis.
        per_byte: the models' tokens differ; rows then carry their bytes.
    """
    cell, row = trace
    is_base = cell.model == base_model
    value = _value(row.by(base_model, is_base), row, per_byte)
    spreads: tuple[Spread, ...] = ()
    if base is not None:
        rest = [one for one in base.rows if one.head.id != row.head.id]
        spreads = _spreads(rest, value, row.head.n_tokens, per_byte, base_model)
    pruned, right = _pruned(base, other_model, per_byte)
    cells = ([base] if base is not None else []) + list(others)
    points, unplaced = _points(cells, base_model, other_model, row.head.id, per_byte)
    settings = base.arm.spec.sampling if base is not None else None
    return Context(
        base=base_model,
        other=other_model,
        own=cell.model,
        per_byte=per_byte,
        under_base=value,
        under_own=_value(row.by(cell.model, True), row, per_byte),
        settings=settings.label() if settings is not None else "",
        alike=settings == cell.arm.spec.sampling,
        spreads=spreads,
        pruned=tuple(pruned[:PRUNED_SHOWN]),
        pruned_n=len(pruned),
        right=right,
        points=tuple(points),
        unplaced=unplaced,
    )


def other_cuts(cells: Sequence[Cell]) -> bool:
    """Whether some completion was scored over other tokens than it was drawn in."""
    return any(
        row.head.n_tokens is not None and mean.tokens != row.head.n_tokens
        for cell in cells
        for row in cell.rows
        for mean in row.under.values()
    )


def _value(mean: Mean | None, row: LikelihoodRow, per_byte: bool) -> float:
    """Perplexity, or bits per byte; NaN where unknown."""
    if mean is None:
        return math.nan
    if per_byte:
        if not row.n_bytes:
            return math.nan
        return -mean.logprob * mean.tokens / math.log(2) / row.n_bytes
    return math.exp(min(-mean.logprob, 700.0))


def _spreads(
    rows: Sequence[LikelihoodRow], value: float, length: int | None, per_byte: bool, model: str
) -> tuple[Spread, ...]:
    known = [(row.head, _value(row.by(model, True), row, per_byte)) for row in rows]
    known = [(head, one) for head, one in known if not math.isnan(one)]

    def spread(label: str, part: Sequence[tuple[CompletionHead, float]], mine: bool) -> Spread:
        values = [one for _, one in part]
        middle = median(values) if values else math.nan
        return Spread(label, middle, placement(value, values), mine)

    parts = [
        spread("all", known, False),
        spread("right", [one for one in known if one[0].outcome is Outcome.CORRECT], False),
        spread("wrong", [one for one in known if one[0].outcome is Outcome.WRONG], False),
    ]
    for label, part, low, high in _thirds(known):
        mine = length is not None and low < length <= high
        parts.append(spread(label, part, mine))
    return tuple(parts)


Third = tuple[str, list[tuple[CompletionHead, float]], float, float]


def _thirds(known: Sequence[tuple[CompletionHead, float]]) -> list[Third]:
    """Short, middle and long: (label, part, over how many tokens, up to how many) of each."""
    sized = sorted(
        (one for one in known if one[0].n_tokens is not None), key=lambda one: one[0].n_tokens or 0
    )
    if len(sized) < 3 or sized[0][0].n_tokens == sized[-1][0].n_tokens:
        return []
    first, second = (sized[round(len(sized) * part / 3) - 1][0].n_tokens or 0 for part in (1, 2))
    bounds = (("short", -math.inf, first), ("middle", first, second), ("long", second, math.inf))
    found: list[Third] = []
    for name, low, high in bounds:
        part = [one for one in sized if low < (one[0].n_tokens or 0) <= high]
        if part:
            lengths = [one[0].n_tokens or 0 for one in part]
            label = f"{name}, {count(min(lengths))}–{count(max(lengths))} tok"
            found.append((label, part, low, high))
    return found


def _pruned(base: Cell | None, other: str, per_byte: bool) -> tuple[list[Pruned], int]:
    if base is None:
        return [], 0
    right = [row for row in base.rows if row.head.outcome is Outcome.CORRECT]
    found = [
        Pruned(
            row.head,
            _value(row.under.get(other), row, per_byte),
            _value(row.by(base.model, True), row, per_byte),
        )
        for row in right
    ]
    scored = [one for one in found if not math.isnan(one.under_rl)]
    return sorted(scored, key=lambda one: -one.under_rl), len(right)


def _points(
    cells: Sequence[Cell], base: str, other: str, here: int, per_byte: bool
) -> tuple[list[Point], dict[str, int]]:
    points, unplaced = [], {}
    for cell in cells:
        missing = 0
        for row in cell.rows:
            x = _coordinate(row.by(base, cell.model == base), row, per_byte)
            y = _coordinate(row.by(other, cell.model == other), row, per_byte)
            if math.isnan(x) or math.isnan(y):
                missing += 1
                continue
            points.append(Point(cell.kind, row.head.outcome, x, y, row.head.id == here))
        if missing:
            unplaced[cell.kind] = missing
    return points, unplaced


def _coordinate(mean: Mean | None, row: LikelihoodRow, per_byte: bool) -> float:
    """The more likely the larger: mean log-probability, or minus bits per byte."""
    if mean is None:
        return math.nan
    return -_value(mean, row, True) if per_byte else mean.logprob

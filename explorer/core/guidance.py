"""Where the next samples of a whole set change its answer most, per token.

The answer is how the arms' mean pass@k differ, as a curve over k. What one cell (an arm on a
problem) adds to its uncertainty is Var[(1-p)^k] under the cell's posterior Beta(a, b), with
a = prior + c and b = prior + n - c, because cells are independent given the priors:

    Var[mean pass@k of one arm minus that of another] = sum over their cells of Var[(1-p)^k] / P²

A batch of m more samples is expected to lower a cell's part by the preposterior variance

    gain_k = Var over j of E[(1-p)^k | j of m correct],   j ~ BetaBinomial(m, a, b)
    E[(1-p)^k | Beta(a, b)] = B(a, b + k) / B(a, b)

(law of total variance; Raiffa and Schlaifer 1961, 'Applied Statistical Decision Theory', ch. 5).
Each k counts alike: gains are taken relative to all cells' variance at that k, and averaged. Only
ks up to the mean number of samples count: beyond, pass@k is an extrapolation that no sample of
this round would settle. A cell's gain is weighted by how many comparisons its arm is in and divided
by the tokens that the batch costs: one-step 'knowledge gradient' allocation (Frazier, Powell and
Dayanik 2008). It is large where c = 0 after few samples, and where bands are wide.

Invariant: a round depends on the counts alone, never on how they came about. While cells have
unequal n, which cells have more depends on what was drawn, so a mean of c/n over guided counts is
slightly biased, and pass@1 gains nothing; at n of everything nothing is left of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.core.belief import Prior
from explorer.core.passk import standard_ks

Floats = NDArray[np.float64]

FLOOR: Final = 16
"""Every cell gets so many before any is given more: below it little is known of what helps."""

SHARE_KEPT: Final = 0.8
"""No cell falls below this share of the mean; what is above it goes where it says most."""

BATCH: Final = 16
"""Fewest samples drawn of a cell at a time, unless fewer are missing."""

LARGEST_BATCH: Final = 128
"""Most samples drawn of a cell at a time: what one job of an engine takes."""

MOST_DRAWS: Final = 256
"""Cells of one round; between rounds it is decided anew."""

SMALLEST_ROUND: Final = 8 * BATCH
"""Samples of a round, at least: so many are decided on at once that engines never wait."""


class Cell(NamedTuple):
    """An arm on a problem.

    Attributes:
        arm: the arm's position in the goal.
        problem: any number that is the problem's own.
        c, n: graded samples that were correct, and all that were graded.
        completions: samples stored, graded or not.
    """

    arm: int
    problem: int
    c: float
    n: float
    completions: int


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted.

    Attributes:
        n: completions that every cell shall have in the end.
        ks: where on the curve the difference matters, equally.
        pairs: arms that are compared, by position.
        tokens: [arm] tokens that a completion takes on average; any unit will do.
    """

    n: int
    ks: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    tokens: tuple[float, ...]

    def weight(self, arm: int) -> int:
        """In how many comparisons an arm is; one that is in none stands for itself."""
        return max(1, sum(arm in pair for pair in self.pairs))

    @property
    def floor(self) -> int:
        return min(FLOOR, self.n)


@dataclass(frozen=True, slots=True)
class Room:
    """What may still be spent; None is no limit. `seconds_each` is per sample, by arm."""

    samples: int | None = None
    tokens: float | None = None
    seconds: float | None = None
    seconds_each: tuple[float | None, ...] = ()


class Draw(NamedTuple):
    """A cell that shall have `target` completions; `gain` is 0 where it only reaches the floor."""

    cell: Cell
    target: int
    gain: float

    @property
    def samples(self) -> int:
        return self.target - self.cell.completions


def default_ks(n: int) -> tuple[int, ...]:
    """1, 4, 16, 64, … up to n: even steps on the curve's logarithmic axis."""
    return tuple(k for k in standard_ks(n) if k.bit_length() % 2 == 1 and k & (k - 1) == 0) or (1,)


def next_round(
    goal: Goal,
    cells: Sequence[Cell],
    room: Room,
    priors: Sequence[Prior],
    skip: Collection[tuple[int, int]] = (),
) -> list[Draw]:
    """What to draw next, most useful first; empty when nothing is missing or may be spent.

    First every cell up to the floor, problem by problem (`floor_now`). Then one batch each of the
    cells that gain most per token, until the round holds a quarter of what there is:
    larger rounds the more is known, so that models are switched seldom.

    Args:
        priors: [arm] what was believed of p before, fitted to all problems of the arm.
        skip: cells, as (arm, problem), that shall not be drawn now.
    """
    left = [
        cell for cell in cells if cell.completions < goal.n and (cell.arm, cell.problem) not in skip
    ]
    for floor in (goal.floor, floor_now(goal, cells)):
        below = [cell for cell in left if cell.completions < floor]
        if below:
            up_to = [min(floor, cell.completions + LARGEST_BATCH) for cell in below]
            draws = [Draw(cell, target, 0.0) for cell, target in zip(below, up_to, strict=True)]
            return _within(goal, draws, room)
    targets = [min(goal.n, cell.completions + batch_of(cell)) for cell in left]
    draws = [
        Draw(cell, target, gain)
        for cell, target, gain in zip(
            left, targets, gains(goal, cells, left, targets, priors), strict=True
        )
    ]
    draws.sort(key=lambda draw: (-_density(goal, draw), draw.cell.problem, draw.cell.arm))
    size = max(SMALLEST_ROUND, sum(cell.completions for cell in cells) // 4)
    return _within(goal, _first(draws, size), room)


def floor_now(goal: Goal, cells: Sequence[Cell]) -> int:
    """What every cell gets before any is given more: at first `FLOOR`, then most of the mean.

    A cell that looked certain by luck alone would be left with its luck, and the mean of many such
    cells would be biased; measured on the bundled family that outweighs what is gained at k = 1.
    It also lets the curve of the whole set grow longer as samples come.
    """
    mean = sum(cell.completions for cell in cells) / max(1, len(cells))
    return min(goal.n, max(FLOOR, int(SHARE_KEPT * mean) // BATCH * BATCH))


def batch_of(cell: Cell) -> int:
    """Half of what a cell has: a smaller batch would hardly move what is believed of it."""
    half = cell.completions // 2 // BATCH * BATCH
    return max(BATCH, min(LARGEST_BATCH, half))


def gains(
    goal: Goal,
    cells: Sequence[Cell],
    chosen: Sequence[Cell],
    targets: Sequence[int],
    priors: Sequence[Prior],
) -> Floats:
    """[chosen] the share of the squared uncertainty that reaching its target is expected to remove.

    Averaged over the ks that count now; cells with the same belief and batch are computed once.
    """
    ks = ks_now(goal, cells)
    totals = variances(goal, cells, priors, ks).sum(axis=0)
    alpha, beta = _beliefs(chosen, priors)
    batch = [target - cell.completions for cell, target in zip(chosen, targets, strict=True)]
    rows = np.stack([alpha, beta, np.array(batch, float)], axis=1)
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    values = np.zeros(len(distinct))
    for size in np.unique(distinct[:, 2]):
        here = distinct[:, 2] == size
        falls = expected_falls(distinct[here, 0], distinct[here, 1], int(size), ks)
        values[here] = (falls / np.maximum(totals, 1e-300)).mean(axis=-1)
    result: Floats = values[which.reshape(-1)] * _weights(goal, chosen)
    return result


def expected_falls(alpha: ArrayLike, beta: ArrayLike, batch: int, ks: Sequence[int]) -> Floats:
    """[..., K] by how much `batch` samples are expected to lower Var[(1-p)^k]; exact."""
    a, b = (np.asarray(value, dtype=np.float64)[..., None] for value in (alpha, beta))
    hits = np.arange(batch + 1, dtype=np.float64)
    ways = log_gamma(batch + 1.0) - log_gamma(hits + 1) - log_gamma(batch - hits + 1)
    chance = np.exp(ways + _log_beta(a + hits, b + batch - hits) - _log_beta(a, b))
    chance /= chance.sum(axis=-1, keepdims=True)
    falls = np.zeros((*a.shape[:-1], len(ks)))
    for place, k in enumerate(ks):
        later = _unsolved(a + hits, b + batch - hits, k)
        mean = (chance * later).sum(axis=-1, keepdims=True)
        falls[..., place] = (chance * (later - mean) ** 2).sum(axis=-1)
    return falls


def variances(
    goal: Goal, cells: Sequence[Cell], priors: Sequence[Prior], ks: Sequence[int]
) -> Floats:
    """[cell, K] Var[(1-p)^k], times the number of comparisons that the cell is part of."""
    alpha, beta = _beliefs(cells, priors)
    columns = [_unsolved(alpha, beta, 2 * k) - _unsolved(alpha, beta, k) ** 2 for k in ks]
    result: Floats = np.maximum(0, np.stack(columns, axis=1)) * _weights(goal, cells)[:, None]
    return result


def ks_now(goal: Goal, cells: Sequence[Cell]) -> tuple[int, ...]:
    """The ks of the goal that the samples reach on average; the smallest one at least."""
    mean = sum(cell.completions for cell in cells) / max(1, len(cells))
    return tuple(k for k in goal.ks if k <= max(mean, goal.floor)) or goal.ks[:1]


def doubt(goal: Goal, cells: Sequence[Cell], priors: Sequence[Prior], ks: Sequence[int]) -> float:
    """Standard deviation of what is believed of a mean difference: root mean square over ks, pairs.

    It is about these problems; which problems a set holds is another uncertainty. Without a pair
    it is that of the arms' own means.
    """
    problems = len({cell.problem for cell in cells})
    comparisons = len(goal.pairs) or len(goal.tokens)
    if not problems:
        return 0.0
    total = float(variances(goal, cells, priors, ks).sum()) / len(ks) / comparisons
    return float(np.sqrt(total)) / problems


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected to be drawn.

    Attributes:
        samples: [arm] how many.
        ks: those that count now; `before` and `after` are about them.
        before, after: `doubt` now, and where it is expected to be then.
        complete: everything reaches n; else a limit is reached first.
    """

    samples: tuple[int, ...]
    ks: tuple[int, ...]
    before: float
    after: float
    complete: bool


def forecast(goal: Goal, cells: Sequence[Cell], room: Room, priors: Sequence[Prior]) -> Forecast:
    """What the rounds would draw if each cell went on as is believed of it."""
    ks = ks_now(goal, cells)
    now, drawn = list(cells), [0] * len(goal.tokens)
    place = {(cell.arm, cell.problem): at for at, cell in enumerate(now)}
    while draws := next_round(goal, now, room, priors):
        for draw in draws:
            cell, more = draw.cell, draw.samples
            drawn[cell.arm] += more
            prior = priors[cell.arm]
            mean = (prior.alpha + cell.c) / (prior.alpha + prior.beta + cell.n)
            now[place[cell.arm, cell.problem]] = cell._replace(
                c=cell.c + more * mean, n=cell.n + more, completions=draw.target
            )
        room = _spent(goal, draws, room)
    return Forecast(
        samples=tuple(drawn),
        ks=ks,
        before=doubt(goal, cells, priors, ks),
        after=doubt(goal, now, priors, ks),
        complete=all(cell.completions >= goal.n for cell in now),
    )


def log_gamma(x: ArrayLike) -> Floats:
    """ln Γ(x) for x > 0 by Stirling's series at x + 8; good to about 1e-11."""
    value = np.asarray(x, dtype=np.float64)
    z = value + 8
    inverse = 1 / z
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    result = (z - 0.5) * np.log(z) - z + 0.5 * np.log(2 * np.pi) + series
    for step in range(8):
        result = result - np.log(value + step)
    return np.asarray(result, dtype=np.float64)


def _log_beta(a: Floats, b: Floats) -> Floats:
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b)


def _unsolved(a: Floats, b: Floats, k: int) -> Floats:
    """E[(1-p)^k] of Beta(a, b)."""
    size = a + b
    result: Floats = np.exp(log_gamma(b + k) - log_gamma(b) + log_gamma(size) - log_gamma(size + k))
    return result


def _beliefs(cells: Sequence[Cell], priors: Sequence[Prior]) -> tuple[Floats, Floats]:
    table = np.array([(*priors[cell.arm], cell.c, cell.n) for cell in cells], float).reshape(-1, 4)
    return table[:, 0] + table[:, 2], table[:, 1] + table[:, 3] - table[:, 2]


def _weights(goal: Goal, cells: Sequence[Cell]) -> Floats:
    each = [float(goal.weight(arm)) for arm in range(len(goal.tokens))]
    return np.array([each[cell.arm] for cell in cells], dtype=np.float64)


def _density(goal: Goal, draw: Draw) -> float:
    return draw.gain / (draw.samples * max(goal.tokens[draw.cell.arm], 1e-9))


def _first(draws: Sequence[Draw], size: int) -> list[Draw]:
    chosen: list[Draw] = []
    for draw in draws:
        if size <= 0:
            break
        chosen.append(draw)
        size -= draw.samples
    return chosen


def _within(goal: Goal, draws: Sequence[Draw], room: Room) -> list[Draw]:
    """As much of a round as may be spent: samples exactly, tokens and seconds as is expected."""
    chosen: list[Draw] = []
    for draw in draws[:MOST_DRAWS]:
        most = _affordable(goal, draw, room)
        if most <= 0:
            break
        draw = draw._replace(target=min(draw.target, draw.cell.completions + most))
        chosen.append(draw)
        room = _spent(goal, [draw], room)
    return chosen


def _affordable(goal: Goal, draw: Draw, room: Room) -> int:
    """Samples of a draw that the room has; at least one while any tokens or time are left."""
    most = draw.samples
    if room.samples is not None:
        most = min(most, room.samples)
    each = room.seconds_each[draw.cell.arm] if room.seconds_each else None
    for left, cost in ((room.tokens, goal.tokens[draw.cell.arm]), (room.seconds, each)):
        if left is not None and left <= 0:
            return 0
        if left is not None and cost:
            most = min(most, max(1, int(left / cost)))
    return most


def _spent(goal: Goal, draws: Sequence[Draw], room: Room) -> Room:
    """The room that draws leave."""
    samples = sum(draw.samples for draw in draws)
    tokens = sum(draw.samples * goal.tokens[draw.cell.arm] for draw in draws)
    seconds = sum(
        draw.samples * (room.seconds_each[draw.cell.arm] or 0.0 if room.seconds_each else 0.0)
        for draw in draws
    )
    return Room(
        samples=None if room.samples is None else room.samples - samples,
        tokens=None if room.tokens is None else room.tokens - tokens,
        seconds=None if room.seconds is None else room.seconds - seconds,
        seconds_each=room.seconds_each,
    )

"""How sure one can be of a problem's class: what is believed of each arm's p, and of their order.

Invariant: every number names its prior, and an order is stated with its probability; whether it
is settled is the rule that the sampler stops by (`core.sequential`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from explorer.core.belief import SETTLED, Belief, believe, is_settled, samples_to_settle
from explorer.core.sequential import DEFAULT_CAP
from explorer.settings import Settings
from explorer.store import beliefs, queries, settling
from explorer.store.beliefs import FittedPrior
from explorer.store.revisions import Topic
from explorer.store.rows import Tally
from explorer.store.settling import SettlingRow
from explorer.views.arms import ArmChoice, ArmColumn, ArmPick, choose
from explorer.views.numbers import percent, span
from explorer.views.text import one_line

EXTRAPOLATED_K = 1024
"""The k at which pass@k is also given, however few samples there are: as an extrapolation."""


@dataclass(frozen=True, slots=True)
class ArmBelief:
    """What is believed of one arm's p.

    Attributes:
        mean, lower, upper: of p, the interval 95 %.
        reach: (mean, lower, upper) of 1 - (1 - p)^k at `EXTRAPOLATED_K`.
    """

    column: ArmColumn
    c: int
    n: int
    mean: float
    lower: float
    upper: float
    reach: tuple[float, float, float]
    prior: FittedPrior

    def sentence(self) -> str:
        """`base 31/64: p 48% [36–61%], prior fitted to 39 other problems`."""
        name = one_line(self.column.name, limit=24)
        return (
            f"{name} {self.c}/{self.n}: p {percent(self.mean)} [{span(self.lower, self.upper)}],"
            f" prior {self.prior.label()}"
        )


@dataclass(frozen=True, slots=True)
class Order:
    """Which of two arms' p is larger.

    Attributes:
        above: probability that the base's p exceeds the other's.
        more: about how many more samples of each would settle it; 0 if it is, None if not even
            4,096 would.
        wish: the latest wish to settle it under these settings, None if there was none.
    """

    base: ArmColumn
    other: ArmColumn
    above: float
    settled: bool
    more: int | None
    wish: SettlingRow | None

    @property
    def leading(self) -> tuple[str, str, float]:
        """The name of the likelier better one, of the other, and how likely."""
        base, other = (one_line(one.name, limit=24) for one in (self.base, self.other))
        return (base, other, self.above) if self.above >= 0.5 else (other, base, 1 - self.above)

    def sentence(self) -> str:
        """`base above rl: 99.8%, at every k alike`."""
        first, second, chance = self.leading
        return f"{first} above {second}: {surely(chance)}, the same at every k"

    def outlook(self) -> str:
        """Whether it is settled, and what would settle it."""
        if self.settled:
            return f"settled (at {percent(SETTLED)})"
        if self.more is None:
            return "not settled, and 4,096 more samples of each would hardly settle it"
        return f"not settled; about {self.more:,} more samples of each would settle it"

    def progress(self) -> str:
        """What became of the wish to settle it; '' if nobody wished."""
        if self.wish is None:
            return ""
        if self.wish.state == "open":
            return f"drawing until it is settled, at most {self.wish.cap:,} of each"
        return one_line(self.wish.reason, limit=300)


@dataclass(frozen=True, slots=True)
class Sureness:
    """All of it, for one problem.

    Attributes:
        orders: each model against its base, the pair of the verdict first.
    """

    problem_id: int
    arms: tuple[ArmBelief, ...]
    orders: tuple[Order, ...]


@dataclass(frozen=True)
class SurenessSubject:
    """Watch how sure a problem's class is."""

    settings: Settings
    problem_id: int
    pick: ArmPick

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.COUNTS.value, Topic.REQUESTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        row = queries.problem_by_id(db, self.problem_id)
        if row is not None:
            sizes = queries.arm_sizes(db, row.problem.dataset)
            choice = choose(queries.arms(db), queries.models(db), sizes, self.settings, self.pick)
            yield read_sureness(db, choice, self.problem_id)


def read_sureness(db: sqlite3.Connection, choice: ArmChoice, problem_id: int) -> Sureness:
    """What is believed of a problem; arms without graded samples are left out."""
    tallies = queries.problem_tallies(db, problem_id)
    wishes = settling.of_problem(db, problem_id)
    found: dict[str, tuple[ArmBelief, Belief]] = {}
    for column in choice.columns:
        cell = tallies.get(column.arm_id, Tally())
        if column.arm is None or not cell.n:
            continue
        prior = beliefs.prior_of(db, column.arm_id, problem_id)
        belief = believe(cell.correct, cell.n, prior.prior)
        found[column.name] = (_arm(column, cell, belief, prior), belief)
    orders = []
    for base, other in _pairs(choice):
        if base.name in found and other.name in found:
            first, second = found[base.name][1], found[other.name][1]
            orders.append(_order(base, other, first, second, wishes))
    return Sureness(problem_id, tuple(arm for arm, _ in found.values()), tuple(orders))


def surely(chance: float) -> str:
    """A probability that is never rounded up to certainty: `99.8%`, `>99.9%`."""
    if chance >= 0.9995:
        return ">99.9%"
    return f"{100 * chance:.1f}%" if chance >= 0.9 else percent(chance)


def _arm(column: ArmColumn, cell: Tally, belief: Belief, prior: FittedPrior) -> ArmBelief:
    lower, upper = belief.interval()
    reach = belief.pass_at(EXTRAPOLATED_K)
    return ArmBelief(column, cell.correct, cell.n, belief.mean(), lower, upper, reach, prior)


def _order(
    base: ArmColumn,
    other: ArmColumn,
    first: Belief,
    second: Belief,
    wishes: Sequence[SettlingRow],
) -> Order:
    wish = next(
        (
            one
            for one in wishes
            if (one.base, one.other, one.sampling) == (base.name, other.name, base.sampling)
        ),
        None,
    )
    settled = is_settled(first, second)
    more = 0 if settled else samples_to_settle(first, second, cap=4 * DEFAULT_CAP)
    return Order(base, other, first.exceeds(second), settled, more, wish)


def _pairs(choice: ArmChoice) -> list[tuple[ArmColumn, ArmColumn]]:
    """Each model beside its base, the pair that the verdict compares first."""
    by_name = {column.name: column for column in choice.columns}
    bases = [column for column in choice.columns if column.role == "base"]
    pairs = []
    for column in choice.columns:
        if column.role == "base":
            continue
        base = by_name.get(column.model.base) or next(iter(bases), None)
        if base is not None and base.role == "base":
            pairs.append((base, column))
    first = choice.pair()
    if first is not None:
        wanted = (choice.columns[first[0]], choice.columns[first[1]])
        pairs.sort(key=lambda pair: pair != wanted)
    return pairs

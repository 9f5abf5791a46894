"""How varied an arm is: its answers on a problem, and over a set how steadily it is right.

Invariant: token entropy comes only from a model's scores of its own samples (the full
distribution along what it drew); where there are none it is unknown, never guessed.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.core.completion import Outcome
from explorer.core.diversity import (
    Answers,
    answer_entropy,
    cover_at,
    g_pass_at_k,
    majority_at_k,
    mean_g_pass_at_k,
)
from explorer.settings import Settings
from explorer.store import diversity, matched, queries
from explorer.store.diversity import OwnEntropy
from explorer.store.evidence import spread
from explorer.store.revisions import Topic
from explorer.store.rows import AnswerCount, Tally
from explorer.views.arms import ArmChoice, ArmColumn, ArmPick, choose
from explorer.views.numbers import percent, plural
from explorer.views.text import one_line

MOST_K: Final = 16
"""The k of majority and G-Pass, where every arm has twice as many samples; else less."""

MOST_ANSWERS: Final = 500_000
"""Answers lie with the completions. Of a set with more, evenly spread problems are looked into."""

FEWEST_LOOKED_INTO: Final = 8
"""Below this many problems a mean says nothing, however often each of them was sampled."""

TAUS: Final = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""The accuracies at which Cover@tau is given."""


@dataclass(frozen=True, slots=True)
class ArmDiversity:
    """One arm on one problem, or the mean over the problems of a set.

    Attributes:
        n: graded samples (of a set: the fewest of any problem).
        distinct: different answers given.
        answer_entropy: in nats; no answer is a class of its own.
        token_entropy: mean entropy of the model's own next-token distribution, None if unknown.
        tokens: how many tokens that rests on.
        majority: chance that most of k samples' answers is the right one.
        steady, perfect, mean_steady: G-Pass@k at tau = 1/2, at tau = 1, and mG-Pass@k.
        cover: share of the problems solved in at least each of `TAUS` of the samples; () for one.
    """

    column: ArmColumn
    n: int
    distinct: float
    answer_entropy: float
    token_entropy: float | None
    tokens: int
    majority: float
    steady: float
    perfect: float
    mean_steady: float
    cover: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Diversity:
    """All arms side by side.

    Attributes:
        k: of majority@k and G-Pass@k, the same for every arm; 0 where nothing is sampled.
        problems: how many problems the means are over (1 for a single one).
        looked_into: how many of them the rows on answers are over; fewer in very large sets.
        answers: how many answers there are in all of them.
        matched: what `rlvr-explorer entropy` found for these models, in sentences.
    """

    arms: tuple[ArmDiversity, ...]
    k: int
    problems: int
    matched: tuple[str, ...] = ()
    looked_into: int = 0
    answers: int = 0


def read_diversity(db: sqlite3.Connection, choice: ArmChoice, problem_id: int) -> Diversity:
    """The diversity of every arm that has graded samples of a problem."""
    tallies = queries.problem_tallies(db, problem_id)
    columns = [column for column in choice.columns if tallies.get(column.arm_id, Tally()).n]
    k = common_k([tallies[column.arm_id].n for column in columns])
    arms = []
    for column in columns:
        entropy = diversity.own_entropy(db, column.arm_id, [problem_id])
        given = answers_of(queries.answers(db, column.arm_id, problem_id))
        arms.append(_on_set(column, [tallies[column.arm_id]], [given], entropy, k))
    return Diversity(tuple(arms), k, 1, _matched(db, choice.columns), looked_into=1)


def read_set_diversity(
    db: sqlite3.Connection,
    columns: Sequence[ArmColumn],
    problem_ids: Sequence[int],
    most: int = MOST_ANSWERS,
) -> Diversity:
    """The same as means over the problems that every arm with samples has samples of.

    Args:
        most: how many answers are read at most, of whole problems; 0 = all there are.
    """
    drawn: list[tuple[ArmColumn, dict[int, Tally]]] = []
    for column in columns:
        cells = diversity.tallies_of(db, column.arm_id, problem_ids) if column.arm else {}
        if cells:
            drawn.append((column, cells))
    if not drawn:
        return Diversity((), 0, 0)
    shared = [one for one in problem_ids if all(one in cells for _, cells in drawn)]
    counts = [cells[one].n for _, cells in drawn for one in shared]
    k, total = common_k(counts), sum(counts)
    looked = shared
    if most and total > most:
        looked = spread(shared, most=max(FEWEST_LOOKED_INTO, most * len(shared) // total))
    arms = []
    for column, cells in drawn:
        given = [answers_of(queries.answers(db, column.arm_id, one)) for one in looked]
        entropy = diversity.own_entropy(db, column.arm_id, shared)
        arms.append(_on_set(column, [cells[one] for one in shared], given, entropy, k))
    found = tuple(arms) if shared else ()
    return Diversity(found, k, len(shared), _matched(db, columns), len(looked), total)


def _matched(db: sqlite3.Connection, columns: Sequence[ArmColumn]) -> tuple[str, ...]:
    names = {column.model.name for column in columns}
    return tuple(
        f"entropy-matched: {one_line(found.sentence(), limit=200)}"
        for found in matched.suggestions(db)
        if {found.model, found.reference} <= names
    )


def common_k(counts: Sequence[int]) -> int:
    """The largest power of two up to `MOST_K` that is at most half of every n; 1 at least."""
    if not counts:
        return 0
    k = MOST_K
    while k > 1 and 2 * k > min(counts):
        k //= 2
    return k


def answers_of(counts: Sequence[AnswerCount]) -> Answers:
    """Distinct answers with their counts; an answer that was undecided is not correct."""
    given: dict[str, int] = {}
    for one in counts:
        given[one.answer] = given.get(one.answer, 0) + one.count
    right = {one.answer for one in counts if one.outcome is Outcome.CORRECT and one.answer}
    return Answers(given, frozenset(right))


def _on_set(
    column: ArmColumn,
    cells: Sequence[Tally],
    given: Sequence[Answers],
    entropy: OwnEntropy | None,
    k: int,
) -> ArmDiversity:
    """Means over problems: of their counts, and of the answers to those that were looked into."""
    counts = [(cell.correct, cell.n) for cell in cells]
    cover = cover_at([c for c, _ in counts], [n for _, n in counts], TAUS)
    return ArmDiversity(
        column=column,
        n=min((n for _, n in counts), default=0),
        distinct=_mean([one.distinct for one in given]),
        answer_entropy=_mean([answer_entropy(one.counts) for one in given]),
        token_entropy=entropy.mean if entropy else None,
        tokens=entropy.tokens if entropy else 0,
        majority=_mean([majority_at_k(one, k) for one in given]),
        steady=_mean([g_pass_at_k(c, n, k, 0.5) for c, n in counts]),
        perfect=_mean([g_pass_at_k(c, n, k, 1.0) for c, n in counts]),
        mean_steady=_mean([mean_g_pass_at_k(c, n, k) for c, n in counts]),
        cover=tuple(cover.tolist()) if len(cells) > 1 else (),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class DiversitySubject:
    """Watch the diversity of one problem, or of several as a set.

    Attributes:
        dataset: of the problems; '' with a single one.
        problem_ids: of the set, or the one problem.
    """

    settings: Settings
    dataset: str
    problem_ids: tuple[int, ...]
    pick: ArmPick

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.COUNTS.value, Topic.SCORES.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        row = queries.problem_by_id(db, self.problem_ids[0]) if self.problem_ids else None
        if row is None:
            return
        sizes = queries.arm_sizes(db, row.problem.dataset)
        choice = choose(queries.arms(db), queries.models(db), sizes, self.settings, self.pick)
        if self.dataset:
            yield read_set_diversity(db, choice.columns, self.problem_ids)
        else:
            yield read_diversity(db, choice, row.id)


Row = tuple[str, tuple[str, ...]]
"""What it is, and one value an arm."""


def diversity_table(found: Diversity) -> list[Row]:
    """The rows of the panel and of what is printed: label and one text an arm."""
    k, whole = found.k, found.problems != 1

    def row(label: str, read: Sequence[str]) -> Row:
        return label, tuple(read)

    arms = found.arms
    rows = [
        row("samples", [f"{arm.n:,}" for arm in arms]),
        row(
            "distinct answers",
            [f"{arm.distinct:.1f}" if whole else f"{arm.distinct:.0f}" for arm in arms],
        ),
        row("answer entropy, nats", [f"{arm.answer_entropy:.2f}" for arm in arms]),
        row("token entropy, nats", [_entropy(arm) for arm in arms]),
        row(f"majority@{k}", [percent(arm.majority) for arm in arms]),
        row(f"G-Pass@{k}, half right", [percent(arm.steady) for arm in arms]),
        row(f"G-Pass@{k}, all right", [percent(arm.perfect) for arm in arms]),
        row(f"mG-Pass@{k}", [percent(arm.mean_steady) for arm in arms]),
    ]
    if whole:
        rows += [
            row(f"right in ≥ {percent(tau)}", [percent(arm.cover[place]) for arm in arms])
            for place, tau in enumerate(TAUS)
        ]
    return rows


def _entropy(arm: ArmDiversity) -> str:
    return "unknown" if arm.token_entropy is None else f"{arm.token_entropy:.2f}"


def entropy_remark(found: Diversity) -> str:
    """Why a token entropy is unknown and how to come by it; '' where all are known."""
    missing = [arm.column.name for arm in found.arms if arm.token_entropy is None]
    if not missing:
        return ""
    model = missing[0]
    return (
        f"token entropy is unknown where a model has not scored its own samples:"
        f" rlvr-explorer score -m {model} --of {model} -p all"
    )


def looked_into_remark(found: Diversity) -> str:
    """What the rows on answers are over, where that is not all; '' where it is."""
    if found.looked_into == found.problems:
        return ""
    return (
        f"distinct answers, answer entropy and majority@{found.k} are over"
        f" {plural(found.looked_into, 'problem')}, evenly spread, because there are"
        f" {found.answers:,} answers; all of them: rlvr-explorer report --all-answers"
    )


def diversity_remarks(found: Diversity) -> list[str]:
    """What must be said beneath the table."""
    return [one for one in (looked_into_remark(found), entropy_remark(found)) if one]

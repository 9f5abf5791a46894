"""What the Problem screen reads: one problem under the arms that are shown, and what runs on it.

Two subjects, because they change at different rates: the page (counts, curves, answers) with every
stored batch, the running streams several times a second.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from explorer.core.completion import FinishReason, Outcome
from explorer.core.intervals import posterior_interval
from explorer.core.passk import pass_at_k, standard_ks
from explorer.settings import Settings
from explorer.store import queries, requests, status
from explorer.store.revisions import Topic
from explorer.store.rows import LiveRow, ProblemRow, RequestRow, SamplerRow, Tally
from explorer.views.arms import ArmChoice, ArmColumn, ArmPick, choose
from explorer.views.curves import CurveSet, problem_curves
from explorer.views.luck import NO_LUCK, ProblemLuck, read_problem_luck
from explorer.views.problem_list import EMPTY
from explorer.views.text import one_line
from explorer.views.verdict import Verdict, verdict

ANSWERS_SHOWN = 7
"""Distinct answers that get a row of their own."""


@dataclass(frozen=True, slots=True)
class PageArm:
    """One row of the table of arms.

    Attributes:
        trusted_k: the largest power of two that is at most n/2; 0 when n < 2.
        value, lower, upper: pass@trusted_k and its 95 % interval.
        cut: completions that ran into max_tokens.
        perplexity: median over completions of exp(−mean logprob) under the arm's own model.
    """

    column: ArmColumn
    tally: Tally
    trusted_k: int
    value: float
    lower: float
    upper: float
    cut: int
    perplexity: float | None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer and how often each arm gave it.

    Attributes:
        answer: safe text; '' = no answer was found.
        outcome: 'correct', 'wrong' or 'undecided'; '' for the rest taken together.
        others: how many answers this row stands for, 0 for one of its own.
    """

    answer: str
    outcome: str
    counts: tuple[int, ...]
    others: int = 0


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """The page, but for what is running."""

    row: ProblemRow
    choice: ArmChoice
    arms: tuple[PageArm, ...]
    curves: CurveSet
    answers: tuple[AnswerRow, ...]
    verdict: Verdict | None
    verifier: str
    luck: ProblemLuck = NO_LUCK


@dataclass(frozen=True, slots=True)
class Live:
    """What runs, waits or failed on a problem."""

    streams: tuple[LiveRow, ...]
    open: tuple[RequestRow, ...]
    failed: tuple[RequestRow, ...]
    sampler: SamplerRow | None
    completions: Mapping[int, int]


@dataclass(frozen=True)
class PageSubject:
    """Watch a problem's page."""

    settings: Settings
    problem_id: int
    pick: ArmPick

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.PROBLEMS.value, Topic.COUNTS.value, Topic.REVIEWS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        row = queries.problem_by_id(db, self.problem_id)
        if row is not None:
            yield read_page(db, row, self.settings, self.pick)


@dataclass(frozen=True)
class LiveSubject:
    """Watch what runs on a problem."""

    problem_id: int

    @property
    def topics(self) -> frozenset[str]:
        topics = (Topic.LIVE, Topic.REQUESTS, Topic.SAMPLER, Topic.COUNTS)
        return frozenset(topic.value for topic in topics)

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        asked = requests.select(db, "problem_id = ? AND kind = 'sample'", (self.problem_id,))
        tallies = queries.problem_tallies(db, self.problem_id)
        yield Live(
            streams=tuple(status.live_streams(db, self.problem_id)),
            open=tuple(one for one in asked if one.state in ("queued", "running")),
            failed=tuple(one for one in asked if one.state == "failed"),
            sampler=status.sampler(db),
            completions={arm: tally.completions for arm, tally in tallies.items()},
        )


def read_page(
    db: sqlite3.Connection, row: ProblemRow, settings: Settings, pick: ArmPick
) -> ProblemPage:
    """Read one problem's page."""
    sizes = queries.arm_sizes(db, row.problem.dataset)
    choice = choose(queries.arms(db), queries.models(db), sizes, settings, pick)
    tallies = queries.problem_tallies(db, row.id)
    cells = [tallies.get(column.arm_id, EMPTY) for column in choice.columns]
    arms = tuple(
        _arm(db, column, cell, row.id) for column, cell in zip(choice.columns, cells, strict=True)
    )
    verifier = ", ".join(queries.verifier_versions(db, row.id))
    return ProblemPage(
        row,
        choice,
        arms,
        problem_curves(choice.columns, cells),
        tuple(_answers(db, choice, row.id)),
        verdict(choice, cells, verifier),
        verifier,
        read_problem_luck(db, choice.columns, row.id, tallies, _luck_ks(cells)),
    )


def _luck_ks(cells: Sequence[Tally]) -> tuple[int, ...]:
    """pass@1 and the largest power of 4 that all arms reach."""
    least = min((cell.n for cell in cells if cell.n), default=0)
    reached = [k for k in (4, 16, 64, 256, 1024) if k <= least]
    return (1, *reached[-1:])


def next_target(have: Sequence[int], asked: Sequence[int], first: int) -> int:
    """What `s` asks for: the next power of two above what is there or asked for already.

    Args:
        have: completions of each arm.
        asked: targets of open requests.
        first: where to begin.
    """
    reached = max([min(have, default=0), *asked])
    if reached < first and not asked:
        return first
    target = 1
    while target <= reached:
        target *= 2
    return target


def _arm(db: sqlite3.Connection, column: ArmColumn, tally: Tally, problem_id: int) -> PageArm:
    trusted = [k for k in standard_ks(tally.n) if k <= tally.n / 2]
    k = max(trusted, default=0)
    value = lower = upper = float("nan")
    if k:
        value = pass_at_k(tally.correct, tally.n, k)
        band = posterior_interval(tally.correct, tally.n, [k])
        lower, upper = float(band.lower[0]), float(band.upper[0])
    heads = queries.heads(db, column.arm_id, problem_id) if column.arm else []
    means = [head.mean_logprob for head in heads if head.mean_logprob is not None]
    return PageArm(
        column,
        tally,
        k,
        value,
        lower,
        upper,
        cut=sum(head.finish is FinishReason.LENGTH for head in heads),
        perplexity=_perplexity(median(means)) if means else None,
    )


def _perplexity(mean_logprob: float) -> float:
    from explorer.core.likelihood import perplexity

    return perplexity([mean_logprob])


def _answers(db: sqlite3.Connection, choice: ArmChoice, problem_id: int) -> Iterator[AnswerRow]:
    """Right answers first, then by how often they were given; the rest and 'none' at the end."""
    table: dict[tuple[str, str], list[int]] = {}
    for position, column in enumerate(choice.columns):
        if column.arm is None:
            continue
        for one in queries.answers(db, column.arm_id, problem_id):
            counts = table.setdefault((one.answer, one.outcome.value), [0] * len(choice.columns))
            counts[position] += one.count
    none = [(key, counts) for key, counts in table.items() if not key[0]]
    given = [(key, counts) for key, counts in table.items() if key[0]]
    right = Outcome.CORRECT.value
    given.sort(key=lambda item: (item[0][1] != right, -sum(item[1]), item[0][0]))
    for (answer, outcome), counts in given[:ANSWERS_SHOWN]:
        yield AnswerRow(one_line(answer, limit=120), outcome, tuple(counts))
    rest = given[ANSWERS_SHOWN:]
    if rest:
        totals = [sum(column) for column in zip(*(counts for _, counts in rest), strict=True)]
        yield AnswerRow("", "", tuple(totals), others=len(rest))
    if none:
        totals = [sum(column) for column in zip(*(counts for _, counts in none), strict=True)]
        yield AnswerRow("", Outcome.UNDECIDED.value, tuple(totals))

"""Traces for a page: a right and a wrong sample of every arm, cut into coloured units.

Invariant: units are those of the Traces screen under the same overlay, and their text has every
control character replaced; escaping for the page's own language is the page's job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from explorer.core.completion import Outcome
from explorer.store import queries
from explorer.store.rows import CompletionHead, ProblemRow
from explorer.views.arms import ArmColumn
from explorer.views.overlay import Overlay, colour
from explorer.views.trace import TraceText
from explorer.views.trace_likelihoods import base_name, read_likelihoods


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of text with its level 0..4 and what is known of its first token, in words."""

    text: str
    level: int
    said: str


@dataclass(frozen=True, slots=True)
class PageTrace:
    """One sample; `missing` says why nothing is coloured."""

    column: ArmColumn
    head: CompletionHead
    units: tuple[Unit, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class ProblemTraces:
    """A problem and the samples shown of it."""

    row: ProblemRow
    base: str
    traces: tuple[PageTrace, ...]


def read_traces(
    db: sqlite3.Connection, columns: Sequence[ArmColumn], row: ProblemRow
) -> ProblemTraces:
    """The first right and the first wrong sample of each arm, such as base has scored first."""
    traces, base = [], ""
    for column in columns:
        if column.arm is None:
            continue
        base = base or base_name(column.arm)
        for head in _chosen(db, column, row.id):
            traces.append(_trace(db, column, head))
    return ProblemTraces(row, base, tuple(traces))


def _chosen(db: sqlite3.Connection, column: ArmColumn, problem_id: int) -> list[CompletionHead]:
    assert column.arm is not None
    heads = queries.heads(db, column.arm_id, problem_id)
    known = queries.mean_logprobs(db, column.arm_id, problem_id)
    base = base_name(column.arm)
    heads.sort(key=lambda head: (base not in known.get(head.id, {}), head.index))
    right = [head for head in heads if head.outcome is Outcome.CORRECT]
    wrong = [head for head in heads if head.outcome is Outcome.WRONG]
    return [*right[:1], *wrong[:1]] or heads[:1]


def _trace(db: sqlite3.Connection, column: ArmColumn, head: CompletionHead) -> PageTrace:
    trace = queries.trace(db, head.id)
    assert trace is not None
    assert column.arm is not None
    text = TraceText(trace.text, trace.tokens)
    likelihoods = read_likelihoods(trace, column.arm)
    coloured = colour(Overlay.SURPRISAL, text, likelihoods)
    logprobs, ranks = likelihoods.base.logprobs, likelihoods.base.ranks
    ends = [*text.starts[: text.n_units], len(text.display)]
    units = [Unit(text.display[: ends[0]], 0, "")] if ends[0] else []
    for unit, (start, end) in enumerate(pairwise(ends)):
        token = int(text.first_token[unit])
        said = ""
        if logprobs is not None:
            said = f"p {np.exp(float(logprobs[token])):.3g} under {likelihoods.base.model}"
            said += f", rank {int(ranks[token])}" if ranks is not None else ""
        units.append(Unit(text.display[start:end], int(coloured.levels[unit]), said))
    return PageTrace(column, head, tuple(units), coloured.missing)

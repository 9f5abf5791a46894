"""The completions that a trace is compared with, and how each of them is like it.

Invariant: a trace is never compared with itself, and token prefixes only where both arms use the
same tokenizer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.core.guessing import is_ordinary
from explorer.core.nearest import Likeness, Order, Sample, compare, most_promising, ranked
from explorer.store import queries
from explorer.store.cell_texts import cell_texts
from explorer.store.rows import ArmRow, CompletionHead, ProblemRow, TraceRow
from explorer.views.side_by_side import same_tokens
from explorer.views.step_book import StepBook
from explorer.views.trace_likelihoods import base_name

AT_ONCE: Final = 32
"""Completions compared between two reports of progress: about 0.03 s of 2,000-token traces."""

_BOOK: Final = StepBook()
"""The steps found so far in this process: the next trace is held against the same samples."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A completion that the trace is compared with."""

    arm: ArmRow
    head: CompletionHead
    sample: Sample


@dataclass(frozen=True, slots=True)
class Field:
    """A trace and everything that it is compared with.

    Attributes:
        arms: the arms of the peers, in this order.
        others: further arms with completions of this problem, to choose from.
        same_tokens: whether token prefixes mean anything; False with another tokenizer, or
            where tokens are not recorded.
    """

    problem: ProblemRow
    arm: ArmRow
    trace: TraceRow
    arms: tuple[ArmRow, ...]
    others: tuple[ArmRow, ...]
    peers: tuple[Peer, ...]
    same_tokens: bool


@dataclass(frozen=True, slots=True)
class NearLine:
    """A row of the table: what a peer is, and how alike."""

    peer: Peer
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class NearestSubject:
    """Read a trace and its peers once; nothing in them changes.

    Attributes:
        arm_ids: whose completions; empty = those of the trace's base, sampled alike if they are.
    """

    completion_id: int
    arm_ids: tuple[int, ...] = ()

    @property
    def topics(self) -> frozenset[str]:
        return frozenset()

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterable[Field | None]:
        yield read_field(db, self.completion_id, self.arm_ids)


def read_field(
    db: sqlite3.Connection, completion_id: int, arm_ids: Sequence[int] = ()
) -> Field | None:
    """A trace and the completions of these arms, or of its base; None if there is no such trace."""
    trace = queries.trace(db, completion_id)
    problem = queries.problem_by_id(db, trace.problem_id) if trace else None
    if trace is None or problem is None:
        return None
    known = {arm.id: arm for arm in queries.arms(db)}
    sampled = queries.problem_tallies(db, trace.problem_id)
    arm = known[trace.arm_id]
    filled = [one for one in known.values() if one.id in sampled and sampled[one.id].completions]
    chosen = [known[arm_id] for arm_id in arm_ids if arm_id in known] or base_arms(filled, arm)
    peers = [peer for one in chosen for peer in _peers(db, one, trace, arm)]
    return Field(
        problem=problem,
        arm=arm,
        trace=trace,
        arms=tuple(chosen),
        others=tuple(one for one in filled if one not in chosen),
        peers=tuple(peers),
        same_tokens=any(peer.sample.ids is not None for peer in peers),
    )


def base_arms(arms: Sequence[ArmRow], arm: ArmRow) -> list[ArmRow]:
    """The base's arms among these, only those sampled like `arm` if there are any."""
    of_base = [one for one in arms if one.model.name == base_name(arm) and is_ordinary(one.spec)]
    alike = [one for one in of_base if one.spec.sampling == arm.spec.sampling]
    return alike or of_base


def compared(field: Field) -> Iterator[list[NearLine]]:
    """The likeness of every peer, a few at a time, the most promising first."""
    trace = field.trace
    ids = trace.tokens.ids if trace.tokens is not None and trace.tokens.exact else None
    one = Sample(trace.head.id, trace.text, trace.head.answer, ids)
    order = most_promising(one, [peer.sample for peer in field.peers])
    for start in range(0, len(order), AT_ONCE):
        part = [field.peers[place] for place in order[start : start + AT_ONCE]]
        found = compare(one, [peer.sample for peer in part], _BOOK.of)
        yield [NearLine(*pair) for pair in zip(part, found, strict=True)]


def in_order(lines: Iterable[NearLine], order: Order) -> list[NearLine]:
    """Most alike first; those with the same answer before all others."""
    by_id = {line.likeness.id: line for line in lines}
    return [by_id[one.id] for one in ranked((line.likeness for line in by_id.values()), order)]


def as_dict(line: NearLine) -> dict[str, object]:
    """A row for programs."""
    head, like = line.peer.head, line.likeness
    return {
        "model": line.peer.arm.model.name,
        "arm": line.peer.arm.key,
        "sample": head.index,
        "outcome": head.outcome,
        "answer": head.answer,
        "same_answer": like.same_answer,
        "prefix": like.prefix,
        "shared_steps": like.shared_steps,
        "steps": like.steps,
        "text": round(like.text, 6),
    }


def _peers(db: sqlite3.Connection, one: ArmRow, trace: TraceRow, arm: ArmRow) -> list[Peer]:
    heads = {head.id: head for head in queries.heads(db, one.id, trace.problem_id)}
    first = next((head.id for head in heads.values() if head.id != trace.head.id), None)
    example = queries.trace(db, first) if first is not None else None
    same = example is not None and same_tokens(trace, arm, example, one)
    found = []
    for completion_id, text, ids in cell_texts(db, one.id, trace.problem_id):
        head = heads.get(completion_id)
        if head is not None and completion_id != trace.head.id:
            kept = ids if same else None
            found.append(Peer(one, head, Sample(completion_id, text, head.answer, kept)))
    return found

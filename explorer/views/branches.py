"""A completion's branches: how often a model that is handed its first tokens solves the problem.

Invariant: a rate stands with its interval and its n, and what is drawn so far with what was asked
for; a prefix of another trace that is the same token by token shares its completions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from explorer.core.belief import believe
from explorer.store import branches, queries
from explorer.store.branches import BranchRow
from explorer.store.revisions import Topic
from explorer.store.rows import Tally
from explorer.views.branch_line import BranchLine
from explorer.views.text import one_line
from explorer.views.value_curve import ValueCurve, value_curves


@dataclass(frozen=True, slots=True)
class Branches:
    """All branches of a completion, from its beginning to its end.

    Attributes:
        n_tokens: of the completion, 0 where they are not known.
        curves: the value curves that the branches make up.
    """

    completion_id: int
    problem_id: int
    lines: tuple[BranchLine, ...]
    n_tokens: int
    curves: tuple[ValueCurve, ...]

    def at(self, token: int) -> list[BranchLine]:
        """Branches that keep the tokens before this one: what its choice is measured by."""
        return [line for line in self.lines if line.branch.position == token]

    def sentences(self) -> list[str]:
        """What each curve says, and where it falls most."""
        said = []
        for curve in self.curves:
            if sentence := curve.sentence():
                said.append(sentence)
            if curve.drop is not None:
                said.append(f"{curve.label} {curve.drop.sentence()}")
        return said


@dataclass(frozen=True)
class BranchesSubject:
    """Watch the branches of a completion."""

    completion_id: int

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.COUNTS.value, Topic.REQUESTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        found = read_branches(db, self.completion_id)
        if found is not None:
            yield found


def read_branches(db: sqlite3.Connection, completion_id: int) -> Branches | None:
    """The branches of a completion; None if it is not stored."""
    trace = queries.trace_alone(db, completion_id)
    if trace is None:
        return None
    tallies = queries.problem_tallies(db, trace.problem_id)
    data = trace.text.encode()
    ends: Sequence[int] = trace.tokens.ends.tolist() if trace.tokens is not None else []
    roles = {model.name: model.role for model in queries.models(db)}

    def written(start: int, end: int) -> str:
        first = ends[start - 1] if 0 < start <= len(ends) else 0
        last = ends[end - 1] if 0 < end <= len(ends) else 0
        return data[first:last].decode(errors="ignore")

    lines = []
    for branch in branches.of_completion(db, completion_id):
        end = ends[branch.position - 1] if 0 < branch.position <= len(ends) else 0
        after = data[max(0, end - 120) : end].decode(errors="ignore") + branch.swapped_text
        tally = tallies.get(branch.arm_id, Tally()) if branch.arm_id else Tally()
        lines.append(_line(branch, tally, one_line(after, limit=200)))
    curves = value_curves(lines, roles, written)
    return Branches(completion_id, trace.problem_id, tuple(lines), len(ends), curves)


def _line(branch: BranchRow, tally: Tally, after: str) -> BranchLine:
    if not tally.n:
        return BranchLine(branch, tally, after, float("nan"), float("nan"))
    lower, upper = believe(tally.correct, tally.n).interval()
    return BranchLine(branch, tally, after, lower, upper)

"""How far reviewers agree: Cohen's kappa of each pair, and the completions they disagree on.

Invariant: only what both have reviewed is compared, and every kappa comes with that number; a
judge counts by the majority of its votes, and only on 'sound or not'.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from explorer.core.review import JUDGE_PREFIX, Finding, Rule, is_sound, kappa, vote_of
from explorer.store.reviews import ReviewedRow, everything


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers.

    Attributes:
        shared: completions that both reviewed; same: those with the same finding.
        kappa: on sound or not; kappa_findings: on the findings, NaN with a judge. NaN also where
            nothing is shared or chance alone would always agree.
    """

    first: str
    second: str
    shared: int
    same: int
    kappa: float
    kappa_findings: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """A completion that one calls sound and another not; `said` is (reviewer, what they said)."""

    row: ReviewedRow
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """All of it."""

    rows: tuple[ReviewedRow, ...]
    pairs: tuple[Pair, ...]
    conflicts: tuple[Conflict, ...]


def read_agreement(db: sqlite3.Connection, dataset: str = "") -> Agreement:
    """Every review, of one dataset or all, and how far they agree."""
    return agreement(everything(db, dataset))


def agreement(rows: Sequence[ReviewedRow]) -> Agreement:
    """As `read_agreement`, of reviews that were read already."""
    votes: dict[str, dict[int, list[ReviewedRow]]] = {}
    for row in rows:
        of_reviewer = votes.setdefault(row.review.reviewer, {})
        of_reviewer.setdefault(row.review.completion_id, []).append(row)
    sound = {name: _sound(cast) for name, cast in votes.items()}
    exact = {
        name: {one: cast[0].review.finding for one, cast in found.items()}
        for name, found in votes.items()
        if not name.startswith(JUDGE_PREFIX)
    }
    names = sorted(votes, key=lambda name: (name.startswith(JUDGE_PREFIX), name))
    pairs = tuple(_pair(a, b, sound, exact) for a, b in combinations(names, 2))
    return Agreement(tuple(rows), pairs, tuple(_conflicts(rows, names, sound, votes)))


def _sound(cast: Mapping[int, Sequence[ReviewedRow]]) -> dict[int, bool]:
    """Sound or not, by the majority; what has no readable vote, or a tie, is left out."""
    found = {}
    for one, rows in cast.items():
        said = [vote for row in rows if (vote := vote_of(row.review.finding)) is not None]
        verdict = is_sound(said, Rule.MAJORITY)
        if verdict is not None:
            found[one] = verdict
    return found


def _pair(
    first: str,
    second: str,
    sound: Mapping[str, Mapping[int, bool]],
    exact: Mapping[str, Mapping[int, Finding]],
) -> Pair:
    ours, theirs = (
        {
            one: Finding.SOUND if is_sound else Finding.FLAWED
            for one, is_sound in sound[name].items()
        }
        for name in (first, second)
    )
    value, shared = kappa(ours, theirs)
    same = sum(ours[one] == theirs[one] for one in set(ours) & set(theirs))
    findings = float("nan")
    if first in exact and second in exact:
        findings, _ = kappa(exact[first], exact[second])
        same = sum(
            exact[first][one] == exact[second][one]
            for one in set(exact[first]) & set(exact[second])
        )
    return Pair(first, second, shared, same, value, findings)


def _conflicts(
    rows: Sequence[ReviewedRow],
    names: Sequence[str],
    sound: Mapping[str, Mapping[int, bool]],
    votes: Mapping[str, Mapping[int, Sequence[ReviewedRow]]],
) -> list[Conflict]:
    found = []
    for one, row in {row.review.completion_id: row for row in rows}.items():
        if len({sound[name][one] for name in names if one in sound[name]}) > 1:
            said = [(name, _words(name, votes[name][one])) for name in names if one in sound[name]]
            found.append(Conflict(row, tuple(said)))
    return found


def _words(name: str, rows: Sequence[ReviewedRow]) -> str:
    if not name.startswith(JUDGE_PREFIX):
        return rows[0].review.finding.value
    said = [vote for row in rows if (vote := vote_of(row.review.finding)) is not None]
    return f"{sum(said)} of {len(rows)} votes sound"

"""What a search found, in words: counts and shares per arm, and a line for every hit.

Invariant: a share is of all completions of the arm in scope, and the number of them is said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from explorer.core.guessing import is_ordinary
from explorer.core.phrases import Phrase, parse
from explorer.store import queries
from explorer.store.rows import ArmRow, ProblemRow
from explorer.store.search import Found, Hit, Progress, Scope, search
from explorer.views.links import link_to
from explorer.views.numbers import count, percent, plural


@dataclass(frozen=True, slots=True)
class ArmShare:
    """How many of an arm's completions hold the phrase."""

    arm: ArmRow
    hits: int
    completions: int

    @property
    def share(self) -> float:
        return self.hits / self.completions if self.completions else 0.0

    def words(self) -> str:
        """`3% of 6,400`."""
        return f"{percent(self.share)} of {count(self.completions)}"


@dataclass(frozen=True, slots=True)
class SearchReport:
    """A search and what it found.

    Attributes:
        where: the scope in words.
        arms: those with completions in scope, bases first.
        note: what is to be known of how it was searched, '' if nothing.
    """

    phrase: Phrase
    where: str
    arms: tuple[ArmShare, ...]
    hits: tuple[Hit, ...]
    problems: Mapping[int, ProblemRow]
    total: int
    whole: bool
    note: str

    @property
    def arm_of(self) -> dict[int, ArmRow]:
        return {share.arm.id: share.arm for share in self.arms}

    def sentence(self) -> str:
        """`"let me check" in twins: base 3% of 6,400 · rl 41% of 6,400`."""
        shares = [f"{one.arm.model.name} {one.words()}" for one in self.arms]
        said = " · ".join(shares) or "no completions"
        star = "*" if self.phrase.open_end else ""
        return f'"{self.phrase.text}{star}" in {self.where}: {said}'


def run(
    db: sqlite3.Connection,
    text: str,
    scope: Scope,
    where: str,
    progress: Progress = lambda _done, _all: True,
    most: int = 500,
    note: str = "",
) -> SearchReport:
    """Search and say what was found: branches and guesses are no samples of a problem.

    Args:
        where: the scope in words.
        note: what went wrong with the index before, if anything did.
    """
    phrase = parse(text)
    arms = [arm for arm in queries.arms(db) if is_ordinary(arm.spec)]
    scope = replace(scope, arm_ids=tuple(arm.id for arm in arms))
    found = search(db, phrase, scope, progress, most)
    shares = [
        ArmShare(arm, found.counts.get(arm.id, 0), found.totals[arm.id])
        for arm in arms
        if found.totals.get(arm.id)
    ]
    ids = {hit.problem_id for hit in found.hits}
    problems = {row.id: row for one in ids if (row := queries.problem_by_id(db, one)) is not None}
    return SearchReport(
        phrase, where, tuple(shares), tuple(found.hits), problems, found.count, found.whole,
        note or _note(phrase, found),
    )  # fmt: skip


def as_dict(report: SearchReport) -> dict[str, Any]:
    """The same for programs."""
    return {
        "text": report.phrase.text,
        "where": report.where,
        "whole": report.whole,
        "note": report.note,
        "arms": [
            {
                "model": one.arm.model.name,
                "arm": one.arm.key,
                "hits": one.hits,
                "completions": one.completions,
                "share": one.share,
            }
            for one in report.arms
        ],
        "hits": [
            {
                "link": link_of(report, hit),
                "outcome": hit.outcome or None,
                "start": hit.start,
                "end": hit.end,
                "times": hit.times,
                "before": hit.before,
                "match": hit.match,
                "after": hit.after,
            }
            for hit in report.hits
        ],
    }


def link_of(report: SearchReport, hit: Hit) -> str:
    """The link to a hit's completion."""
    problem = report.problems[hit.problem_id].problem
    key = report.arm_of[hit.arm_id].key
    return link_to(problem.dataset, problem.name, key, hit.index, None)


def _note(phrase: Phrase, found: Found) -> str:
    if not phrase.text:
        return ""
    if not found.whole:
        return "ended early: these are not all"
    if found.scanned and not phrase.has_words:
        return f"no words to look up: {plural(found.scanned, 'completion')} read one by one"
    return f"{plural(found.scanned, 'completion')} read one by one" if found.scanned else ""


WITHOUT_INDEX = "this SQLite has no FTS5: every completion was read"

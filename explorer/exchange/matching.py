"""Which problem of this cache a record of somebody else's file is about.

Tried in turn: an id that names the problem wherever it occurs; the same statement, white space
and the usual instructions apart, in the dataset of that name, then in any of the workspace's;
else the problem is made, in a dataset named after the source. Invariant: a stored problem is never
changed, and two statements, or two golds that imports gave one statement, are never one problem.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from explorer.core.problem import Problem
from explorer.exchange.sources import registry
from explorer.exchange.sources.base import ProblemReference
from explorer.store import catalog, queries
from explorer.verifiers import registry as verifiers

_INSTRUCTIONS: Final = re.compile(
    r"(?:please\s+)?(?:let'?s\s+think\s+step\s+by\s+step|think\s+step\s+by\s+step|"
    r"reason\s+step\s+by\s+step)\b[^.\n]*(?:\\boxed\s*\{\s*\}[^.\n]*|####[^.\n]*)?\.?|"
    r"(?:please\s+)?put\s+your\s+final\s+answer\s+(?:with)?in\s+\\boxed\s*\{\s*\}\.?|"
    r"remember\s+to\s+put\s+your\s+(?:final\s+)?answer[^\n]*|"
    r"output\s+the\s+final\s+answer\s+(?:after|within)[^\n]*",
    re.IGNORECASE,
)
_SIMPLE: Final = re.compile(r"[^a-z0-9]+")

_SAME_NAMES: Final = {
    "humanevalplus": "humaneval",
    "aime2024": "aime24",
    "aime2025": "aime25",
    "amc2023": "amc23",
    "olympiad": "olympiadbench",
    "minervamath": "minerva",
    "math": "math500",
    "mathoai": "math500",
}


_HINTS: Final = ("boxed", "step by step", "final answer")
"""Words without which no instruction need be looked for."""


class Known(NamedTuple):
    """A problem of the cache; `made` by an import, with that gold."""

    id: int
    dataset: str
    name: str
    gold: str
    made: bool


class Matcher:
    """Finds problems, or makes them; `made` counts those."""

    def __init__(self, db: sqlite3.Connection, source: str) -> None:
        self.db = db
        self.source = source
        self.made = 0
        self._sources = frozenset(registry.names())
        self._places: dict[str, int] = {}
        self._by_statement: dict[str, list[Known]] = {}
        self._by_name: dict[str, list[Known]] = {}
        self._found: dict[ProblemReference, Known] = {}
        for row in queries.problems(db):
            self._learn(row.problem, row.id)

    def match(self, wanted: ProblemReference) -> Known:
        """The problem that the reference means, made if no dataset has it.

        Raises:
            StoreError: the cache cannot be written.
        """
        found = self._found.get(wanted)
        if found is None:
            found = self._look_up(wanted) or self._make(wanted)
            self._found[wanted] = found
        return found

    def _look_up(self, wanted: ProblemReference) -> Known | None:
        if wanted.unique_id and wanted.id:
            found = _best(self._by_name.get(wanted.id, ()), wanted)
            if found is not None:
                return found
        if wanted.statement.strip():
            return _best(self._by_statement.get(normalised(wanted.statement), ()), wanted)
        name = self._dataset(wanted)
        mine = (one for one in self._by_name.get(wanted.id, ()) if one.dataset == name)
        return next(mine, None) if wanted.id else None

    def _make(self, wanted: ProblemReference) -> Known:
        """A new problem; its name is the source's if that is free, else tells statements apart."""
        name, dataset = wanted.id or _digest(wanted), self._dataset(wanted)
        if any(one.dataset == dataset for one in self._by_name.get(name, ())):
            name = f"{name}~{_digest(wanted)}"
        problem = Problem(
            dataset=dataset,
            name=name,
            statement=wanted.statement or f"{name} (the file does not hold its statement)",
            gold=wanted.gold,
            family=wanted.family,
            level=wanted.level,
            verifier=_verifier(wanted),
            extra={"choices": list(wanted.choices)} if wanted.choices else {},
            tests=wanted.tests.pack() if wanted.tests else None,
        )
        if dataset not in self._places:
            self._places[dataset] = catalog.next_position(self.db, dataset)
        problem_id, stored = catalog.add_problem(self.db, problem, self._places[dataset])
        self._places[dataset] += 1
        self.made += 1
        return self._learn(stored, problem_id)

    def _learn(self, problem: Problem, problem_id: int) -> Known:
        made = problem.dataset.partition(":")[0] in self._sources
        known = Known(problem_id, problem.dataset, problem.name, problem.gold, made)
        self._by_name.setdefault(problem.name, []).append(known)
        self._by_statement.setdefault(normalised(problem.statement), []).append(known)
        return known

    def _dataset(self, wanted: ProblemReference) -> str:
        """Never the name of a real dataset: explorer.toml may give that to a file later."""
        hint = _simple(wanted.dataset) and wanted.dataset
        return f"{self.source}:{hint}" if hint else self.source


def normalised(statement: str) -> str:
    """What two copies of a statement have in common, whoever formatted them."""
    bare = statement
    if any(hint in statement for hint in _HINTS):
        bare = _INSTRUCTIONS.sub("", statement) or statement
    return "".join(bare.split())


def decides_by_plus(known: Known) -> bool:
    """Whether the problem has EvalPlus's extended tests."""
    dataset = known.dataset.rpartition(":")[2]
    return "plus" in _simple(dataset.replace("+", "plus"))


def _best(candidates: Sequence[Known], wanted: ProblemReference) -> Known | None:
    """Of several, one in the dataset of that name, else the first of the workspace's own.

    What another import made is taken only under the same name (or where the source has none), and
    only with the same gold, because files exist that ask one thing and expect several.
    """
    dataset = _canonical(wanted.dataset)
    own = [one for one in candidates if not one.made]
    made = [one for one in candidates if one.made and _agree(one.gold, wanted.gold)]
    for one in (*own, *made):
        if _canonical(one.dataset.partition(":")[2] if one.made else one.dataset) == dataset:
            return one
    if own:
        return own[0]
    return made[0] if made and (not dataset or wanted.unique_id) else None


def _agree(gold: str, other: str) -> bool:
    return not gold or not other or "".join(gold.split()) == "".join(other.split())


def _canonical(dataset: str) -> str:
    simple = _simple(dataset)
    return _SAME_NAMES.get(simple, simple)


def _simple(name: str) -> str:
    return _SIMPLE.sub("", name.lower())


def _digest(wanted: ProblemReference) -> str:
    text = f"{wanted.statement}\0{wanted.gold}"
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _verifier(wanted: ProblemReference) -> str:
    """Who decides it here; without a gold nobody can, and it is left to what the source said."""
    if wanted.verifier in verifiers.names():
        return wanted.verifier
    return "exact" if wanted.verifier == "choice" else (wanted.verifier or "none")

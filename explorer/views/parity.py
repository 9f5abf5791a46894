"""What the parity linter says of the arms that are shown, with the prompts it compared.

Invariant: the evidence is read from a bounded, stated part of the completions (`store.evidence`),
the same problems for both arms of a pair.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from explorer.core.parity import compare
from explorer.core.parity_evidence import ArmEvidence, Finding, Severity
from explorer.core.parity_prompt import DiffLine, prompt_diff
from explorer.settings import Settings
from explorer.store import evidence, facts, queries
from explorer.store.revisions import Topic
from explorer.store.rows import ArmRow
from explorer.views.arms import ArmColumn, ArmPick, choose
from explorer.views.noise import floor_lines
from explorer.views.numbers import plural
from explorer.views.text import one_line


@dataclass(frozen=True, slots=True)
class PairParity:
    """Two arms and how they differ.

    Attributes:
        base, other: names of the models, safe to print.
        arms: both arms.
        problem: whose prompts were compared, '' if none is stored for both.
        diff: the two prompts line by line where they differ, '-' the base's; else empty.
        looked_at: completions of each arm that were looked at.
        floors: the noise floor of each arm in words.
    """

    base: str
    other: str
    arms: tuple[ArmRow, ArmRow]
    problem: str
    findings: tuple[Finding, ...]
    diff: tuple[DiffLine, ...]
    looked_at: tuple[int, int]
    floors: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Parity:
    """Every pair that is shown: a model and its base."""

    pairs: tuple[PairParity, ...]

    @property
    def mark(self) -> str:
        """`2 parity doubts`, `1 parity block, 2 doubts`; '' where nothing matters."""
        return mark([finding for pair in self.pairs for finding in pair.findings])


def mark(findings: Sequence[Finding]) -> str:
    """Findings that matter in a few words; '' if none does."""
    counts = Counter(finding.severity for finding in findings)
    blocks, doubts = counts[Severity.BLOCKS], counts[Severity.DOUBT]
    if blocks and doubts:
        return f"{plural(blocks, 'parity block')}, {plural(doubts, 'doubt')}"
    if blocks:
        return plural(blocks, "parity block")
    return plural(doubts, "parity doubt") if doubts else ""


def topics(pair: PairParity) -> str:
    """What the findings that matter are about: `prompt, dtype`."""
    grave = [finding for finding in pair.findings if finding.severity is not Severity.NOTE]
    return ", ".join(dict.fromkeys(finding.topic for finding in grave))


@dataclass(frozen=True)
class ParitySubject:
    """Watch the parity of the arms shown of a dataset.

    Attributes:
        problem_id: whose prompts are compared; 0 = the first problem that both arms have.
    """

    settings: Settings
    dataset: str
    pick: ArmPick = field(default_factory=ArmPick)
    problem_id: int = 0

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.PROBLEMS.value, Topic.COUNTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        sizes = queries.arm_sizes(db, self.dataset)
        choice = choose(queries.arms(db), queries.models(db), sizes, self.settings, self.pick)
        ids = evidence.problem_ids(db, self.dataset)
        yield Parity(read_pairs(db, choice.columns, ids, self.problem_id))


def read_pairs(
    db: sqlite3.Connection,
    columns: Sequence[ArmColumn],
    problem_ids: Sequence[int],
    problem_id: int = 0,
) -> tuple[PairParity, ...]:
    """The parity of every model shown with its base, where both have an arm."""
    named = {column.name: column for column in columns}
    found = []
    for column in columns:
        base = named.get(column.model.base) if column.role != "base" else None
        if base is not None and base.arm is not None and column.arm is not None:
            pair = read_pair(db, base.arm, column.arm, problem_ids, problem_id)
            found.append(replace(pair, other=one_line(column.name)))
    return tuple(found)


def read_pair(
    db: sqlite3.Connection,
    base: ArmRow,
    other: ArmRow,
    problem_ids: Sequence[int],
    problem_id: int = 0,
) -> PairParity:
    """The parity of two arms over these problems."""
    looked_at = evidence.spread(problem_ids, problem_id)
    sample = _sample_problem(db, base, other, looked_at, problem_id)
    words = sorted({*base.spec.sampling.stop, *other.spec.sampling.stop})
    ours = _evidence(db, base, looked_at, sample, words)
    theirs = _evidence(db, other, looked_at, sample, words)
    diff: tuple[DiffLine, ...] = ()
    if ours.prompt is not None and theirs.prompt is not None and ours.prompt != theirs.prompt:
        diff = prompt_diff(ours.prompt, theirs.prompt)
    row = queries.problem_by_id(db, sample)
    return PairParity(
        base=ours.name,
        other=theirs.name,
        arms=(base, other),
        problem=one_line(f"{row.problem.dataset}/{row.problem.name}") if row else "",
        findings=compare(ours, theirs, _in_statements(db, looked_at, words)),
        diff=diff,
        looked_at=(ours.completions, theirs.completions),
        floors=floor_lines(db, (base, other)),
    )


def _sample_problem(
    db: sqlite3.Connection, base: ArmRow, other: ArmRow, ids: Sequence[int], wanted: int
) -> int:
    """The problem whose prompts are compared: one that both arms have a prompt of."""
    order = [wanted, *ids] if wanted else list(ids)
    for problem_id in order:
        if queries.prompt(db, base.id, problem_id) and queries.prompt(db, other.id, problem_id):
            return problem_id
    return 0


def _evidence(
    db: sqlite3.Connection, arm: ArmRow, ids: Sequence[int], sample: int, words: Sequence[str]
) -> ArmEvidence:
    seen = evidence.look(db, arm.id, ids)
    known = facts.read_facts(db, arm.id)
    prompt = queries.prompt(db, arm.id, sample) if sample else None
    ends = {token for value in known.get("eos", ()) for token in json.loads(value)}
    stops = bool(arm.spec.sampling.stop)
    return ArmEvidence(
        name=one_line(arm.model.name),
        spec=arm.spec,
        facts=known,
        prompt=prompt.text if prompt else None,
        prompt_ids=prompt.ids if prompt else None,
        longest_prompt=seen.longest_prompt,
        completions=seen.completions,
        finishes=seen.finishes,
        words={word: evidence.holding(db, arm.id, ids, word) for word in words},
        cut_by_words=evidence.cut_by_words(db, arm.id, ids, frozenset(ends)) if stops else 0,
        verifiers=seen.verifiers,
        n_least=min(seen.samples, default=0),
        n_most=max(seen.samples, default=0),
    )


def _in_statements(
    db: sqlite3.Connection, ids: Sequence[int], words: Sequence[str]
) -> dict[str, int]:
    if not words:
        return {}
    rows = [row for one in ids if (row := queries.problem_by_id(db, one)) is not None]
    return {word: sum(word in row.problem.statement for row in rows) for word in words}

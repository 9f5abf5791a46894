"""Reading: one function per question. Opening a large cache reads tallies, never completions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from explorer.core.arm import ArmSpec
from explorer.core.code_tests import PackedTests
from explorer.core.completion import FinishReason, Origin, Outcome, Tokens, TokenScores
from explorer.core.prompts import PromptImage
from explorer.store.alternatives import StoredAlternatives
from explorer.store.blobs import unpack_floats, unpack_ints
from explorer.store.catalog import PROBLEM_COLUMNS, problem_from_columns
from explorer.store.labels import recorded_row
from explorer.store.reviews import of_completion
from explorer.store.rows import (
    AnswerCount,
    ArmRow,
    CompletionHead,
    ModelRow,
    OverrideRow,
    ProblemRow,
    PromptRow,
    ScorerRow,
    SecondRow,
    Tally,
    TraceRow,
)
from explorer.store.standing import COLUMNS, OUTCOME, TABLES


def datasets(db: sqlite3.Connection) -> list[str]:
    """Names of the datasets that have problems, in order of arrival."""
    rows = db.execute("SELECT dataset FROM problem GROUP BY dataset ORDER BY MIN(id)")
    return [row[0] for row in rows]


def problems(db: sqlite3.Connection, dataset: str | None = None) -> list[ProblemRow]:
    """Problems in file order, of one dataset or all."""
    where, values = ("", ()) if dataset is None else (" WHERE dataset = ?", (dataset,))
    rows = db.execute(
        f"SELECT id, {PROBLEM_COLUMNS} FROM problem{where} ORDER BY dataset, position, id", values
    )
    return [ProblemRow(row[0], problem_from_columns(row[1:])) for row in rows]


def problem(db: sqlite3.Connection, dataset: str, name: str) -> ProblemRow | None:
    """One problem by its dataset and name."""
    row = db.execute(
        f"SELECT id, {PROBLEM_COLUMNS} FROM problem WHERE dataset = ? AND name = ?",
        (dataset, name),
    ).fetchone()
    return ProblemRow(row[0], problem_from_columns(row[1:])) if row else None


def problem_by_id(db: sqlite3.Connection, problem_id: int) -> ProblemRow | None:
    """One problem by its row id."""
    row = db.execute(
        f"SELECT id, {PROBLEM_COLUMNS} FROM problem WHERE id = ?", (problem_id,)
    ).fetchone()
    return ProblemRow(row[0], problem_from_columns(row[1:])) if row else None


def tested_problem(db: sqlite3.Connection, problem_id: int) -> ProblemRow | None:
    """One problem with its tests, as a verifier needs it."""
    row = problem_by_id(db, problem_id)
    if row is None:
        return None
    return ProblemRow(row.id, replace(row.problem, tests=code_tests(db, problem_id)))


def code_tests(db: sqlite3.Connection, problem_id: int) -> PackedTests | None:
    """The tests of a code problem, None for any other."""
    row = db.execute(
        "SELECT digest, tests FROM problem_tests WHERE problem_id = ?", (problem_id,)
    ).fetchone()
    return PackedTests(*row) if row else None


def models(db: sqlite3.Connection) -> list[ModelRow]:
    """Every model ever named in this cache."""
    return [
        ModelRow(*row)
        for row in db.execute("SELECT name, role, base, algorithm FROM model ORDER BY rowid")
    ]


def arms(db: sqlite3.Connection) -> list[ArmRow]:
    """All arms: base models first, then rl, then distilled; then in order of arrival."""
    rows = db.execute(
        "SELECT a.id, a.key, a.spec, a.model, COALESCE(m.role, ''), COALESCE(m.base, ''),"
        " COALESCE(m.algorithm, '') FROM arm a LEFT JOIN model m ON m.name = a.model"
        " ORDER BY CASE m.role WHEN 'base' THEN 0 WHEN 'rl' THEN 1 WHEN 'distilled' THEN 2"
        " ELSE 3 END, a.id"
    )
    return [
        ArmRow(row[0], row[1], ArmSpec.from_json(json.loads(row[2])), ModelRow(*row[3:]))
        for row in rows
    ]


def tallies(db: sqlite3.Connection, dataset: str | None = None) -> dict[tuple[int, int], Tally]:
    """Counts by (arm id, problem id)."""
    where, values = ("", ()) if dataset is None else (" WHERE p.dataset = ?", (dataset,))
    rows = db.execute(
        f"SELECT t.arm_id, t.problem_id, {', '.join(f't.{column}' for column in COLUMNS)}"
        f" FROM tally t JOIN problem p ON p.id = t.problem_id{where}",
        values,
    )
    return {(row[0], row[1]): Tally(*row[2:]) for row in rows}


def problem_tallies(db: sqlite3.Connection, problem_id: int) -> dict[int, Tally]:
    """Counts of one problem by arm id."""
    rows = db.execute(
        f"SELECT arm_id, {', '.join(COLUMNS)} FROM tally WHERE problem_id = ?",
        (problem_id,),
    )
    return {row[0]: Tally(*row[1:]) for row in rows}


def arm_sizes(db: sqlite3.Connection, dataset: str = "") -> dict[int, int]:
    """Completions by arm id, over the problems of one dataset or all."""
    if not dataset:
        return dict(db.execute("SELECT arm_id, SUM(completions) FROM tally GROUP BY arm_id"))
    rows = db.execute(
        "SELECT t.arm_id, SUM(t.completions) FROM problem p"
        " JOIN tally t ON t.problem_id = p.id WHERE p.dataset = ? GROUP BY t.arm_id",
        (dataset,),
    )
    return dict(rows)


def answers(db: sqlite3.Connection, arm_id: int, problem_id: int) -> list[AnswerCount]:
    """Distinct answers of a cell, most frequent first."""
    rows = db.execute(
        f"SELECT COALESCE(v.answer, '') AS given, {OUTCOME} AS standing, COUNT(*) FROM {TABLES}"
        " WHERE c.arm_id = ? AND c.problem_id = ? AND standing IS NOT NULL"
        " GROUP BY given, standing ORDER BY COUNT(*) DESC, given",
        (arm_id, problem_id),
    )
    return [AnswerCount(answer, Outcome(outcome), count) for answer, outcome, count in rows]


def prompt(db: sqlite3.Connection, arm_id: int, problem_id: int) -> PromptRow | None:
    """The exact prompt of a cell, once it was sampled or imported with one."""
    row = db.execute(
        "SELECT text, ids, images FROM prompt WHERE arm_id = ? AND problem_id = ?",
        (arm_id, problem_id),
    ).fetchone()
    if row is None:
        return None
    images = tuple(PromptImage(path, digest) for path, digest in json.loads(row[2]))
    return PromptRow(row[0], tuple(unpack_ints(row[1]).tolist()), images)


def heads(db: sqlite3.Connection, arm_id: int, problem_id: int) -> list[CompletionHead]:
    """The completions of a cell by sample index, without text."""
    rows = db.execute(
        f"SELECT {_HEAD_COLUMNS} FROM {TABLES}"
        " WHERE c.arm_id = ? AND c.problem_id = ? ORDER BY c.sample_index",
        (arm_id, problem_id),
    )
    return [_head(row) for row in rows]


def trace(db: sqlite3.Connection, completion_id: int, *, unplaced: bool = False) -> TraceRow | None:
    """A completion with its tokens and every model's scores of it.

    Args:
        unplaced: give token ids too of which it is not known what part of the text they cover.
    """
    found = trace_alone(db, completion_id, unplaced=unplaced)
    return None if found is None else replace(found, scores=_scores(db, completion_id))


def trace_alone(
    db: sqlite3.Connection, completion_id: int, *, unplaced: bool = False
) -> TraceRow | None:
    """As `trace`, but without scores: most of what a long trace takes to read."""
    row = db.execute(
        f"SELECT {_HEAD_COLUMNS}, c.arm_id, c.problem_id, c.seed, c.source, c.text,"
        " COALESCE(v.detail, ''), t.ids, t.ends, t.logprobs, t.exact, s.verifier, s.version,"
        f" s.outcome, s.detail, o.outcome, o.note, o.author, o.made FROM {TABLES}"
        " LEFT JOIN token_data t ON t.completion_id = c.id WHERE c.id = ?",
        (completion_id,),
    ).fetchone()
    if row is None:
        return None
    arm_id, problem_id, seed, source, text, detail, ids, ends, logprobs, exact = row[12:22]
    second, override = row[22:26], row[26:30]
    tokens = None
    if ids is not None:
        raw = None if logprobs is None else unpack_floats(logprobs)
        tokens = Tokens(unpack_ints(ids), unpack_ints(ends), raw, bool(exact))
        if not unplaced and text and not tokens.are_placed:
            tokens = None
    return TraceRow(
        head=_head(row[:12]),
        arm_id=arm_id,
        problem_id=problem_id,
        seed=seed,
        source=source,
        text=text,
        tokens=tokens,
        detail=detail,
        scores={},
        second=SecondRow(second[0], second[1], Outcome(second[2]), second[3])
        if second[0]
        else None,
        override=OverrideRow(Outcome(override[0]), *override[1:]) if override[0] else None,
        recorded=recorded_row(db, completion_id),
        reviews=tuple(of_completion(db, completion_id)),
    )


def unscored(db: sqlite3.Connection, scorer_id: int, completion_ids: Iterable[int]) -> list[int]:
    """Which of these completions the scorer has not scored yet."""
    query = "SELECT 1 FROM score WHERE completion_id = ? AND scorer_id = ?"
    return [
        completion_id
        for completion_id in completion_ids
        if db.execute(query, (completion_id, scorer_id)).fetchone() is None
    ]


def mean_logprobs(
    db: sqlite3.Connection, arm_id: int, problem_id: int
) -> dict[int, dict[str, float]]:
    """Mean token logprob of each completion: id -> {'own': …, '<scorer model>': …}."""
    means: dict[int, dict[str, float]] = {}
    own = db.execute(
        "SELECT id, mean_logprob FROM completion WHERE arm_id = ? AND problem_id = ?"
        " AND mean_logprob IS NOT NULL",
        (arm_id, problem_id),
    )
    for completion_id, mean in own:
        means.setdefault(completion_id, {})["own"] = mean
    scored = db.execute(
        "SELECT c.id, s.model, score.mean_logprob FROM completion c"
        " JOIN score ON score.completion_id = c.id JOIN scorer s ON s.id = score.scorer_id"
        " WHERE c.arm_id = ? AND c.problem_id = ? AND score.mean_logprob IS NOT NULL",
        (arm_id, problem_id),
    )
    for completion_id, model, mean in scored:
        means.setdefault(completion_id, {})[model] = mean
    return means


def verifier_versions(db: sqlite3.Connection, problem_id: int) -> list[str]:
    """Versions of the problem's own verifier that its verdicts come from; normally one."""
    rows = db.execute(
        "SELECT DISTINCT v.version FROM tally t CROSS JOIN completion c"
        " ON c.arm_id = t.arm_id AND c.problem_id = t.problem_id"
        " JOIN problem p ON p.id = t.problem_id"
        " JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
        " WHERE t.problem_id = ? ORDER BY v.version",
        (problem_id,),
    )
    return [row[0] for row in rows]


_HEAD_COLUMNS = (
    f"c.id, c.sample_index, c.n_tokens, c.mean_logprob, c.finish, c.origin, {OUTCOME},"
    " COALESCE(v.answer, ''), COALESCE(v.method, ''), v.outcome, s.outcome, o.outcome"
)


def _head(row: tuple[object, ...]) -> CompletionHead:
    completion_id, index, n_tokens, mean, finish, origin, outcome, answer, method = row[:9]
    verified, second, override = row[9:]
    return CompletionHead(
        id=completion_id,  # type: ignore[arg-type]
        index=index,  # type: ignore[arg-type]
        n_tokens=n_tokens,  # type: ignore[arg-type]
        mean_logprob=mean,  # type: ignore[arg-type]
        finish=FinishReason(str(finish)),
        origin=Origin(str(origin)),
        outcome=_outcome(outcome),
        answer=str(answer),
        method=str(method),
        verified=_outcome(verified),
        second=_outcome(second),
        overridden=override is not None,
    )


def _outcome(value: object) -> Outcome | None:
    return None if value is None else Outcome(str(value))


def _scores(db: sqlite3.Connection, completion_id: int) -> dict[ScorerRow, TokenScores]:
    rows = db.execute(
        "SELECT s.id, s.model, s.checkpoint, s.tokenizer, s.engine, s.dtype, score.logprobs,"
        " score.ranks, score.entropies, score.top, score.top_ids, score.top_logprobs,"
        " score.top_texts FROM score JOIN scorer s ON s.id = score.scorer_id"
        " WHERE score.completion_id = ? ORDER BY score.created",
        (completion_id,),
    )
    found: dict[ScorerRow, TokenScores] = {}
    for row in rows:
        logprobs, ranks, entropies, top, top_ids, top_logprobs, top_texts = row[6:]
        found[ScorerRow(*row[:6])] = TokenScores(
            logprobs=unpack_floats(logprobs),
            ranks=unpack_ints(ranks),
            entropies=unpack_floats(entropies),
            top_ids=unpack_ints(top_ids).reshape(-1, top) if top else unpack_ints(top_ids),
            top_logprobs=(
                unpack_floats(top_logprobs).reshape(-1, top) if top else unpack_floats(top_logprobs)
            ),
            top_texts=StoredAlternatives(top_texts),
        )
    return found

"""The data behind a screen, as JSON lines with where every number comes from.

The first line says what was looked at, when, and by which version; then come one line per trace
(arm, verifier, n, tokens, scores) and whatever else the screen shows. Invariant: everything needed
to redo the picture's numbers is in the file: arm keys and specs, verifier versions, counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from explorer import __version__
from explorer.store import queries
from explorer.store.rows import TraceRow


@dataclass(frozen=True, slots=True)
class SavedView:
    """What a screen says of itself.

    Attributes:
        name: what it is, for the file's name.
        problem_id: the problem that it is about, None if none.
        traces: completion ids whose tokens and scores belong to it.
        about: how it was looked at: overlay, order, search text, link.
        rows: further data of the screen, one line each.
    """

    name: str
    problem_id: int | None = None
    traces: tuple[int, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()


def saved_lines(db: sqlite3.Connection, view: SavedView, made: float) -> Iterator[str]:
    """The lines of the file, the provenance first.

    Args:
        made: seconds since 1970.
    """
    head: dict[str, Any] = {
        "type": "rlvr-explorer-view",
        "version": 1,
        "made_by": f"rlvr-explorer {__version__}",
        "made": made,
        "screen": view.name,
        **view.about,
    }
    if view.problem_id is not None:
        head |= _problem(db, view.problem_id)
    yield _dump(head)
    for completion_id in view.traces:
        trace = queries.trace(db, completion_id)
        if trace is not None:
            yield _dump(_trace(db, trace))
    for row in view.rows:
        yield _dump(row)


def _problem(db: sqlite3.Connection, problem_id: int) -> dict[str, Any]:
    row = queries.problem_by_id(db, problem_id)
    if row is None:
        return {}
    arms = {arm.id: arm for arm in queries.arms(db)}
    tallies = queries.problem_tallies(db, problem_id)
    return {
        "problem": f"{row.problem.dataset}/{row.problem.name}",
        "statement": row.problem.statement,
        "gold": row.problem.gold,
        "verifier": row.problem.verifier,
        "verifier_versions": queries.verifier_versions(db, problem_id),
        "arms": [
            {
                "model": arms[arm_id].model.name,
                "key": arms[arm_id].key,
                "spec": arms[arm_id].spec.to_json(),
                "n": tally.n,
                **asdict(tally),
            }
            for arm_id, tally in tallies.items()
            if arm_id in arms
        ],
    }


def _trace(db: sqlite3.Connection, trace: TraceRow) -> dict[str, Any]:
    arm = next(arm for arm in queries.arms(db) if arm.id == trace.arm_id)
    line: dict[str, Any] = {
        "type": "trace",
        "model": arm.model.name,
        "role": arm.model.role,
        "arm": arm.key,
        "sample": trace.head.index,
        "seed": trace.seed,
        "origin": str(trace.head.origin),
        "source": trace.source,
        "finish": str(trace.head.finish),
        "outcome": trace.head.outcome,
        "overridden": trace.head.overridden,
        "answer": trace.head.answer,
        "text": trace.text,
    }
    if trace.tokens is not None:
        own = trace.tokens.logprobs
        line["tokens"] = {
            "exact": trace.tokens.exact,
            "ids": trace.tokens.ids.tolist(),
            "ends": trace.tokens.ends.tolist(),
            "logprobs": None if own is None else _numbers(own.tolist()),
        }
    line["scores"] = [
        {
            **asdict(scorer),
            "logprobs": _numbers(scores.logprobs.tolist()),
            "ranks": scores.ranks.tolist(),
            "entropies": _numbers(scores.entropies.tolist()),
        }
        for scorer, scores in trace.scores.items()
    ]
    return line


def _numbers(values: list[float]) -> list[float | None]:
    """Six significant digits; what is not a finite number is null, as JSON has no other word."""
    return [float(f"{one:.6g}") if abs(one) < float("inf") else None for one in values]


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

"""Links to a place in a trace: `dataset/problem/arm#sample@token`.

`arm` is a model's name or the first letters of an arm's key; `sample` is its index from 0 and
`token` counts from 1, as on the screen. Invariant: a link that was made here leads to the same
token of the same completion wherever the cache holds it.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Final

from explorer.core.guessing import is_ordinary
from explorer.errors import UsageError
from explorer.store import queries
from explorer.store.rows import ArmRow
from explorer.views.selection import full_name, one_problem, select_arms
from explorer.views.trace_likelihoods import base_name

COLUMNS: Final = 3
KEY_LETTERS: Final = 10

_LINK: Final = re.compile(r"(?P<problem>.+)/(?P<arm>[^/]+)#(?P<sample>\d+)(?:@(?P<token>\d+))?")


@dataclass(frozen=True, slots=True)
class TraceLink:
    """A link to a trace, taken apart; `token` is 0-based."""

    problem: str
    arm: str
    sample: int
    token: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go.

    Attributes:
        arm_ids: the columns to show, the trace's own among them.
        token: 0-based token; `character` of the text where only that is known.
    """

    problem_id: int
    arm_ids: tuple[int, ...]
    arm_id: int
    completion_id: int
    token: int | None = None
    character: int | None = None


def split_link(link: str) -> tuple[str, TraceLink | None]:
    """The problem that a link names, and the trace if it names one."""
    match = _LINK.fullmatch(link.strip())
    if match is None:
        return link, None
    token = int(match["token"]) - 1 if match["token"] and int(match["token"]) else None
    return match["problem"], TraceLink(match["problem"], match["arm"], int(match["sample"]), token)


def link_to(dataset: str, problem: str, arm_key: str, sample: int, token: int | None) -> str:
    """The link to a token of a completion."""
    arm = arm_key.removeprefix("a1:")[:KEY_LETTERS]
    at = "" if token is None else f"@{token + 1}"
    return f"{dataset}/{problem}/{arm}#{sample}{at}"


def find_place(db: sqlite3.Connection, link: TraceLink) -> Place:
    """Where a link leads in this cache.

    Raises:
        UsageError: there is no such problem, model or sample, or several arms have it.
    """
    problem = one_problem(queries.problems(db), link.problem)
    arms = queries.arms(db)
    found, most = [], 0
    for arm in select_arms(arms, link.arm):
        heads = queries.heads(db, arm.id, problem.id)
        most = max(most, len(heads))
        found += [(arm, head.id) for head in heads if head.index == link.sample]
    if not found:
        raise UsageError(
            f"{link.arm} has no sample #{link.sample} of {full_name(problem)}",
            f"Stored are {most}, by index from 0.",
        )
    if len(found) > 1:
        keys = ", ".join(
            f"{arm.key.removeprefix('a1:')[:KEY_LETTERS]} ({arm.spec.sampling.label()})"
            for arm, _ in found
        )
        raise UsageError(
            f"Several arms of {link.arm} have a sample #{link.sample}",
            keys,
            "Give the first letters of the arm's key instead of the model's name.",
        )
    arm, completion_id = found[0]
    columns = columns_beside(db, arms, arm, problem.id)
    return Place(problem.id, columns, arm.id, completion_id, link.token)


def place_of(
    db: sqlite3.Connection, completion_id: int, token: int | None, character: int | None = None
) -> Place | None:
    """The place of a completion, None if it is not stored."""
    row = db.execute(
        "SELECT arm_id, problem_id FROM completion WHERE id = ?", (completion_id,)
    ).fetchone()
    if row is None:
        return None
    arms = queries.arms(db)
    arm = next(one for one in arms if one.id == row[0])
    columns = columns_beside(db, arms, arm, row[1])
    return Place(row[1], columns, arm.id, completion_id, token, character)


def columns_beside(
    db: sqlite3.Connection, arms: list[ArmRow], arm: ArmRow, problem_id: int
) -> tuple[int, ...]:
    """The arms to show with one: of its family, sampled alike, with completions of the problem."""
    filled = queries.problem_tallies(db, problem_id)
    family = [
        one
        for one in arms
        if one.id in filled
        and one.spec.sampling == arm.spec.sampling
        and base_name(one) == base_name(arm)
        and one.id != arm.id
        and is_ordinary(one.spec)
    ]
    chosen = {one.id for one in family[: COLUMNS - 1]} | {arm.id}
    return tuple(one.id for one in arms if one.id in chosen)

"""Branches: prefixes of stored completions from which a model was made to go on.

Invariant: a branch names its prefix by completion, position and swapped token, and its arm by the
digest of the prefix's token ids, so that equal prefixes of two completions share completions.
With an empty prefix that arm is the model's ordinary one: 'handed nothing' is what it samples.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any, Final

from explorer.core.arm import Sampling, canonical_json, prefix_digest
from explorer.errors import UsageError
from explorer.store import requests
from explorer.store.blobs import unpack_ints
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump


@dataclass(frozen=True, slots=True)
class BranchRow:
    """A branch.

    Attributes:
        position: how many of the completion's tokens are kept.
        swapped_id, swapped_text: the token that stands for the next one instead; None, '' if
            none was swapped.
        arm_id: whose completions it has, None until the sampler has begun.
        asked: how many were asked for.
        state: of the request, as `RequestRow.state`.
        error: title of what went wrong, '' if nothing did.
    """

    id: int
    completion_id: int
    position: int
    swapped_id: int | None
    swapped_text: str
    model: str
    sampling: Sampling
    arm_id: int | None
    asked: int
    state: str
    error: str


def ask_for_branch(
    db: sqlite3.Connection,
    completion_id: int,
    position: int,
    model: str,
    sampling: Sampling,
    n: int,
    swapped: tuple[int, str] | None = None,
    priority: int = requests.INTERACTIVE,
) -> int:
    """Ask that `model` shall have gone on `n` times from a prefix; returns the branch's id.

    Args:
        position: how many of the completion's tokens are kept.
        swapped: id and text of a token that follows them instead of the completion's own.

    Raises:
        UsageError: there is no such token, or the settings are not known.
    """
    problem_id = _problem_of(db, completion_id, position, is_swapped=swapped is not None)
    if not sampling.is_known:
        raise UsageError("Nothing can be sampled with settings that are not known", "", "")
    settings = canonical_json(sampling.to_json())
    swapped_id, swapped_text = swapped or (None, "")
    key = canonical_json([completion_id, position, swapped_id, model, settings])
    with transaction(db):
        (branch_id,) = db.execute(
            "INSERT INTO branch (key, completion_id, position, swapped_id, swapped_text, model,"
            " sampling, made) VALUES (?,?,?,?,?,?,?,?)"
            " ON CONFLICT (key) DO UPDATE SET made = made RETURNING id",
            (
                *(key, completion_id, position, swapped_id, swapped_text, model),
                *(settings, time.time()),
            ),
        ).fetchone()
        request_id = requests.ask_for_branch(
            db, model, problem_id, completion_id, key, sampling, n, priority
        )
        db.execute("UPDATE branch SET request_id = ? WHERE id = ?", (request_id, branch_id))
    return int(branch_id)


def _problem_of(
    db: sqlite3.Connection, completion_id: int, position: int, *, is_swapped: bool
) -> int:
    """The problem of a completion that can be gone on from there.

    Raises:
        UsageError: it is not stored, its tokens are not known, or it has not so many.
    """
    row = db.execute(
        "SELECT c.problem_id, COALESCE(length(t.ids) / 4, -1) FROM completion c"
        " LEFT JOIN token_data t ON t.completion_id = c.id WHERE c.id = ?",
        (completion_id,),
    ).fetchone()
    if row is None:
        raise UsageError("This completion is not stored", f"Row {completion_id}.", "")
    problem_id, tokens = row
    if tokens < 0:
        raise UsageError(
            "The tokens of this completion are not known",
            "It was imported as text, so there is no token to go on from.",
            "Score it once: that cuts it into tokens.",
        )
    if not 0 <= position <= tokens or (is_swapped and position == tokens):
        raise UsageError(f"There is no token {position}", f"The completion has {tokens}.", "")
    return int(problem_id)


def know_arm(db: sqlite3.Connection, request_id: int, arm_id: int) -> None:
    """Keep which arm a branch's completions belong to."""
    with transaction(db):
        changed = db.execute(
            "UPDATE branch SET arm_id = ? WHERE request_id = ? AND arm_id IS NOT ?",
            (arm_id, request_id, arm_id),
        )
        if changed.rowcount:
            bump(db, Topic.REQUESTS)


def of_request(db: sqlite3.Connection, request_id: int) -> BranchRow | None:
    """The branch that a request is about."""
    return next(iter(_select(db, "b.request_id = ?", request_id)), None)


def of_completion(db: sqlite3.Connection, completion_id: int) -> list[BranchRow]:
    """A completion's branches, from its beginning to its end."""
    return _select(db, "b.completion_id = ?", completion_id)


def by_id(db: sqlite3.Connection, branch_id: int) -> BranchRow | None:
    """One branch."""
    return next(iter(_select(db, "b.id = ?", branch_id)), None)


def request_ids(db: sqlite3.Connection, branch_ids: list[int]) -> list[int]:
    """The requests under which branches are drawn."""
    marks = ",".join("?" * len(branch_ids))
    rows = db.execute(f"SELECT request_id FROM branch WHERE id IN ({marks})", branch_ids)
    return [row[0] for row in rows]


def digest(db: sqlite3.Connection, branch: BranchRow) -> str:
    """Identity of a branch's prefix; '' where it is empty."""
    row = db.execute(
        "SELECT ids FROM token_data WHERE completion_id = ?", (branch.completion_id,)
    ).fetchone()
    ids = unpack_ints(row[0]).tolist()[: branch.position] if row else []
    return prefix_digest([*ids, *([] if branch.swapped_id is None else [branch.swapped_id])])


_QUERY: Final = (
    "SELECT b.id, b.completion_id, b.position, b.swapped_id, b.swapped_text, b.model, b.sampling,"
    " b.arm_id, COALESCE(r.n, 0), COALESCE(r.state, ''), COALESCE(r.error, '{}') FROM branch b"
    " LEFT JOIN request r ON r.id = b.request_id"
)


def _select(db: sqlite3.Connection, where: str, value: int) -> list[BranchRow]:
    rows = db.execute(
        f"{_QUERY} WHERE {where} ORDER BY b.position, b.swapped_id IS NOT NULL, b.model, b.id",
        (value,),
    )
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> BranchRow:
    return BranchRow(
        id=row[0],
        completion_id=row[1],
        position=row[2],
        swapped_id=row[3],
        swapped_text=row[4],
        model=row[5],
        sampling=Sampling.from_json(json.loads(row[6])),
        arm_id=row[7],
        asked=row[8],
        state=row[9],
        error=str(json.loads(row[10]).get("title", "")),
    )

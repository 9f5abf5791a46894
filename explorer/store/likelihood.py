"""How likely every model held every completion of a cell: means only, never the token data.

Invariant: a mean is never taken without the number of tokens that it is over, so that means over
other cuttings of the same text can be told apart and compared per byte.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from explorer.store import queries
from explorer.store.rows import CompletionHead


class Mean(NamedTuple):
    """Mean log-probability per token in nats (raw, temperature 1), and over how many tokens."""

    logprob: float
    tokens: int


@dataclass(frozen=True, slots=True)
class LikelihoodRow:
    """A completion and what models think of it.

    Attributes:
        own: as it was drawn, None where that was not recorded.
        under: by name of the scoring model, the latest scoring of each.
        n_bytes: length of its text in UTF-8; 0 where nobody asked.
    """

    head: CompletionHead
    own: Mean | None
    under: Mapping[str, Mean]
    n_bytes: int = 0

    def by(self, model: str, drew_it: bool) -> Mean | None:
        """The sampled values where the model drew it itself, else its scoring."""
        return self.own if drew_it and self.own is not None else self.under.get(model)


def likelihoods(
    db: sqlite3.Connection, arm_id: int, problem_id: int, with_bytes: bool = False
) -> list[LikelihoodRow]:
    """Every completion of a cell by sample index."""
    under: dict[int, dict[str, Mean]] = {}
    rows = db.execute(
        "SELECT c.id, s.model, score.mean_logprob, length(score.logprobs) / 4 FROM completion c"
        " JOIN score ON score.completion_id = c.id JOIN scorer s ON s.id = score.scorer_id"
        " WHERE c.arm_id = ? AND c.problem_id = ? AND score.mean_logprob IS NOT NULL"
        " ORDER BY score.created",
        (arm_id, problem_id),
    )
    for completion_id, model, mean, tokens in rows:
        under.setdefault(completion_id, {})[model] = Mean(mean, tokens)
    sizes: dict[int, int] = {}
    if with_bytes:
        sizes = dict(
            db.execute(
                "SELECT id, length(CAST(text AS BLOB)) FROM completion"
                " WHERE arm_id = ? AND problem_id = ?",
                (arm_id, problem_id),
            )
        )
    return [
        LikelihoodRow(head, _own(head), under.get(head.id, {}), sizes.get(head.id, 0))
        for head in queries.heads(db, arm_id, problem_id)
    ]


def _own(head: CompletionHead) -> Mean | None:
    if head.mean_logprob is None or not head.n_tokens:
        return None
    return Mean(head.mean_logprob, head.n_tokens)

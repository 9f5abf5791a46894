"""Temperatures at which one model's samples are as varied as another's: suggestions for presets."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from explorer.core.arm import Sampling, canonical_json
from explorer.store.connection import transaction
from explorer.store.revisions import Topic, bump


@dataclass(frozen=True, slots=True)
class Matched:
    """What was found.

    Attributes:
        reference_sampling: what the reference model was sampled with.
        sampling: what `model` is as varied with.
        target, target_error: the reference's token entropy in nats, and its standard error.
        entropy, error: that of `model` with `sampling`.
        tokens, problems: what the model's rests on.
        made: in seconds since 1970.
    """

    model: str
    reference: str
    reference_sampling: Sampling
    sampling: Sampling
    target: float
    target_error: float
    entropy: float
    error: float
    tokens: int
    problems: int
    made: float

    @property
    def preset(self) -> str:
        """The name that is suggested."""
        return f"{self.model}-as-{self.reference}"

    def sentence(self) -> str:
        """Both entropies, and the settings that they belong to."""
        return (
            f"{self.model} at T {self.sampling.temperature:g} has {self.entropy:.3f} ± "
            f"{self.error:.3f} nats a token, {self.reference} at T "
            f"{self.reference_sampling.temperature:g} has {self.target:.3f} ± "
            f"{self.target_error:.3f}"
        )


def keep(db: sqlite3.Connection, found: Matched) -> None:
    """Keep a suggestion instead of an earlier one for the same pair and settings."""
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO matched_entropy VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(found.model, found.reference),
                canonical_json(found.reference_sampling.to_json()),
                canonical_json(found.sampling.to_json()),
                *(found.target, found.target_error, found.entropy, found.error),
                *(found.tokens, found.problems, found.made),
            ),
        )
        bump(db, Topic.SCORES)


def suggestions(db: sqlite3.Connection) -> list[Matched]:
    """Every suggestion, the latest first."""
    rows = db.execute(
        "SELECT model, reference, reference_sampling, sampling, target, target_error, entropy,"
        " error, tokens, problems, made FROM matched_entropy ORDER BY made DESC"
    )
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> Matched:
    model, reference, reference_sampling, sampling, *numbers = row
    samplings = [Sampling.from_json(json.loads(one)) for one in (reference_sampling, sampling)]
    return Matched(model, reference, samplings[0], samplings[1], *numbers)

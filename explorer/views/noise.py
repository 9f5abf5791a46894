"""Noise floors in words, and which of them a comparison is held against.

Invariant: where several floors apply the largest is taken, so that nothing within any of them is
shown as evidence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from explorer.core.likelihood import NOISE
from explorer.core.noise import NoiseFloor
from explorer.store import noise, queries
from explorer.store.noise import FloorRow
from explorer.store.rows import ArmRow
from explorer.views.numbers import count
from explorer.views.text import one_line
from explorer.views.trace_likelihoods import base_name

UNMEASURED = "noise floor not measured"

_NOT_MEASURED = ": not measured"


@dataclass(frozen=True, slots=True)
class NoiseNote:
    """The floor that a comparison is held against, and whose it is."""

    model: str
    floor: NoiseFloor

    @property
    def threshold(self) -> float:
        """Nats below which a difference is no evidence."""
        return self.floor.threshold

    @property
    def long(self) -> str:
        """`noise floor 0.003 nat (99%, n = 1,234 tokens)`."""
        tokens = count(self.floor.tokens)
        return f"noise floor {nats(self.floor.q99)} nat (99%, n = {tokens} tokens)"

    @property
    def short(self) -> str:
        """`floor 0.003`."""
        return f"floor {nats(self.floor.q99)}"


def threshold_of(note: NoiseNote | None) -> float:
    """The threshold of a note; `NOISE` where nothing was measured."""
    return note.threshold if note else NOISE


def notes(db: sqlite3.Connection, arms: Iterable[ArmRow]) -> dict[int, NoiseNote]:
    """Arm id -> the largest floor of the arm itself and of its base model's arms."""
    kept = noise.floors(db)
    if not kept:
        return {}
    names = {arm.id: arm.model.name for arm in queries.arms(db)}
    found = {}
    for arm in arms:
        models = {arm.model.name, base_name(arm)}
        own = [row for row in kept if row.arm_id == arm.id]
        others = [row for row in kept if names.get(row.arm_id) in models - {arm.model.name}]
        largest = max([*own, *others], key=lambda row: row.floor.q99, default=None)
        if largest is not None:
            found[arm.id] = NoiseNote(names[largest.arm_id], largest.floor)
    return found


def floor_lines(db: sqlite3.Connection, arms: Iterable[ArmRow]) -> tuple[str, ...]:
    """One line per floor of these arms, and per arm that has none, safe to print."""
    kept, scorers = noise.floors(db), noise.scorers(db)
    lines = []
    for arm in arms:
        own = [row for row in kept if row.arm_id == arm.id]
        name = one_line(arm.model.name)
        named = [scorer for scorer in scorers if scorer.model == arm.model.name]
        why = ""
        if named and not any(noise.is_own(arm, scorer) for scorer in named):
            why = "; the model of this name has other weights than drew these samples"
        lines += [f"{name}: {describe(row)}" for row in own] or [f"{name}{_NOT_MEASURED}{why}"]
    return tuple(lines)


def gathered(lines: Iterable[str]) -> list[str]:
    """The lines of `floor_lines`, those of several arms without a floor put into one."""
    measured: list[str] = []
    others: dict[str, list[str]] = {}
    for line in lines:
        name, found, why = line.rpartition(_NOT_MEASURED)
        if found:
            others.setdefault(why, []).append(name)
        else:
            measured.append(line)
    return measured + [
        f"{names[0]}{_NOT_MEASURED}{why}"
        if len(names) == 1
        else f"not measured{why}: {', '.join(names)}"
        for why, names in others.items()
    ]


def describe(row: FloorRow) -> str:
    """A floor with everything that it rests on."""
    floor = row.floor
    return (
        f"99% of tokens within {nats(floor.q99)} nat (median {nats(floor.median)}, 95%"
        f" {nats(floor.q95)}, most {nats(floor.most)}) · PPL {floor.perplexity_difference:+.1g}"
        f" · n = {count(floor.tokens)} tokens of {count(floor.completions)} completions"
        f" · scored by {one_line(row.scorer.engine)} {one_line(row.scorer.dtype)}"
    )


def nats(value: float) -> str:
    """`0.003`, `0.12`, `5e-6`, `0`."""
    if value == 0:
        return "0"
    if value < 0.0005:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"

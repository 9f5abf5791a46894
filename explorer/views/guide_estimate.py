"""What a guide is expected to cost before it starts, and what it is expected to bring.

Invariant: whatever an estimate rests on is said; a time is told only where the speed of every arm
was measured on this machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from explorer.core.guidance import Forecast, forecast
from explorer.store import guides
from explorer.store.guides import NOTHING_SPENT, Spent, Wish
from explorer.views.guides import Pace, have_of, read_standing
from explorer.views.numbers import count, duration, plural
from explorer.views.text import one_line


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What a model is expected to cost; `seconds` is None where its speed is not known."""

    model: str
    have: int
    wanted: int
    samples: int
    tokens: float
    seconds: float | None
    pace: Pace


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a wish is expected to cost, and what it is expected to bring."""

    wish: Wish
    arms: tuple[ArmEstimate, ...]
    forecast: Forecast

    @property
    def samples(self) -> int:
        return sum(arm.samples for arm in self.arms)

    @property
    def tokens(self) -> float:
        return sum(arm.tokens for arm in self.arms)

    @property
    def seconds(self) -> float | None:
        """How long it takes without loading models; None if that is not known of all."""
        known = [arm.seconds for arm in self.arms if arm.samples]
        return None if None in known else sum(one or 0.0 for one in known)

    def table(self) -> list[tuple[str, str, str, str, str]]:
        """Model, what is there of what is wanted, samples, tokens, time: one row per model."""
        return [
            (
                one_line(arm.model, 24),
                f"{count(arm.have)}/{count(arm.wanted)}",
                f"+{count(arm.samples)}",
                f"{arm.tokens:,.0f}",
                _time(arm),
            )
            for arm in self.arms
        ]

    def bases(self) -> list[str]:
        """What each model's tokens and time rest on."""
        return [f"{one_line(arm.model, 24)}: {arm.pace.basis()}" for arm in self.arms]

    def sentences(self) -> list[str]:
        """What holds for all arms together."""
        lines = [self._total()]
        found = self.forecast
        ks = ", ".join(str(k) for k in found.ks)
        if self.wish.pairs and self.samples:
            lines.append(
                f"Difference in mean pass@k (k = {ks}): standard error"
                f" {100 * found.before:.1f} points now, about {100 * found.after:.1f} then."
            )
        if not found.complete:
            left = sum(max(0, arm.wanted - arm.have) for arm in self.arms) - self.samples
            end = f"{plural(left, 'sample')} short of {count(self.wish.n)} of everything"
            lines.append(f"A limit comes first, about {end}.")
        return lines

    def _total(self) -> str:
        if not self.samples:
            complete = self.forecast.complete
            return "Nothing is missing." if complete else "These limits are spent already."
        about = "at most" if any(not a.pace.looked_at for a in self.arms if a.samples) else "about"
        seconds = self.seconds
        time = "time unknown until the first batch"
        if seconds is not None:
            time = f"{duration(seconds)} without loading models"
        return f"{plural(self.samples, 'sample')}, {about} {_short(self.tokens)} tokens; {time}."


HEADINGS: Final = ("model", "there", "samples", "tokens", "time")
"""Of the columns of `Estimate.table`."""


@dataclass(frozen=True)
class EstimateSubject:
    """Read an estimate, once."""

    wish: Wish

    @property
    def topics(self) -> frozenset[str]:
        return frozenset()

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        yield read_estimate(db, self.wish)


def read_estimate(db: sqlite3.Connection, wish: Wish) -> Estimate:
    """What a wish would cost from now on."""
    standing = read_standing(db, wish)
    spent = _spent_already(db, wish)
    found = forecast(standing.goal, standing.cells, standing.room(spent), standing.priors())
    arms = []
    for place, model in enumerate(wish.models):
        pace, samples = standing.paces[place], found.samples[place]
        arms.append(
            ArmEstimate(
                model=model,
                have=have_of(standing, place),
                wanted=wish.n * len(wish.problem_ids),
                samples=samples,
                tokens=samples * pace.tokens,
                seconds=None if pace.seconds is None else samples * pace.seconds,
                pace=pace,
            )
        )
    return Estimate(wish, tuple(arms), found)


def _spent_already(db: sqlite3.Connection, wish: Wish) -> Spent:
    """What counts against the limits if it is asked for again while it is under way."""
    for guide in guides.all_guides(db):
        other = guide.wish
        same = (other.models, other.problem_ids) == (wish.models, wish.problem_ids)
        if same and other.sampling == wish.sampling and guide.state not in guides.ENDED:
            return guide.spent
    return NOTHING_SPENT


def _time(arm: ArmEstimate) -> str:
    if not arm.samples:
        return "0 s"
    return "unknown" if arm.seconds is None else duration(arm.seconds)


def _short(tokens: float) -> str:
    """`791,686`, `3.1 million`."""
    return f"{tokens:,.0f}" if tokens < 1e6 else f"{tokens / 1e6:,.1f} million"

"""Problems that can be guessed: answered right without reasoning, seldom but not never.

Invariant: what is said of guessing comes from the model's own arm without reasoning, of the same
checkpoint, and says its n; 0 of n is a bound, never 'cannot be guessed'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.core.guessing import GUESSABLE_BELOW, guess_pass, is_guess, is_guessable
from explorer.core.intervals import posterior_interval
from explorer.core.passk import mean_curve
from explorer.store.rows import ArmRow, ProblemRow, Tally
from explorer.views.arms import ArmColumn
from explorer.views.numbers import percent, plural, span


@dataclass(frozen=True, slots=True)
class Guess:
    """How often a model answers a problem right without reasoning.

    Attributes:
        lower, upper: 95 % credible interval of the chance, uniform prior.
        values: pass@k from guessing alone at each of `ks`, 1 − (1 − c/n)^k.
        guessable: 0 < c/n < 5 %.
    """

    model: str
    arm_key: str
    correct: int
    n: int
    lower: float
    upper: float
    ks: tuple[int, ...]
    values: tuple[float, ...]
    guessable: bool

    def sentence(self) -> str:
        """`base without reasoning: 1/64 = 1.6% [0.4–8%], guessable; guessing alone: …`."""
        rate = percent(self.correct / self.n)
        said = f"{self.model} without reasoning: {self.correct}/{self.n} = {rate}"
        said += f" (95% {span(self.lower, self.upper)})"
        if self.guessable:
            said += f", guessable (0 < p < {percent(GUESSABLE_BELOW)})"
        if self.correct:
            alone = [
                f"pass@{k} {percent(value)}" for k, value in zip(self.ks, self.values, strict=True)
            ]
            said += "; guessing alone gives " + ", ".join(alone)
        return said


@dataclass(frozen=True, slots=True)
class GuessEffect:
    """What guessable problems do to a model's pass@k on a dataset.

    Attributes:
        asked: problems of the report with guesses; n_least, n_most: guesses of each.
        guessable: names of those with 0 < p < 5 %; direct: how many are answered directly more
            often; never: how many never.
        problems: problems with graded samples of the model, kept: those left without the guessable.
        everything, without: mean pass@k with them and without.
        alone: mean pass@k that guessing alone reaches on the guessable ones.
    """

    model: str
    asked: int
    n_least: int
    n_most: int
    guessable: tuple[str, ...]
    direct: int
    never: int
    problems: int
    kept: int
    everything: tuple[float, ...]
    without: tuple[float, ...]
    alone: tuple[float, ...]


def guess_arm(column: ArmColumn, arms: Sequence[ArmRow], sizes: Mapping[int, int]) -> ArmRow | None:
    """The arm without reasoning of a column's model and checkpoint that has most samples."""
    found = [
        arm
        for arm in arms
        if arm.model.name == column.name
        and is_guess(arm.spec.template)
        and (column.arm is None or arm.spec.checkpoint == column.arm.spec.checkpoint)
        and sizes.get(arm.id)
    ]
    return max(found, key=lambda arm: (sizes[arm.id], -arm.id), default=None)


def guess_of(arm: ArmRow, tally: Tally, ks: Sequence[int]) -> Guess | None:
    """An arm's guesses on one problem; None without any graded."""
    if not tally.n:
        return None
    band = posterior_interval(tally.correct, tally.n, [1])
    return Guess(
        model=arm.model.name,
        arm_key=arm.key,
        correct=tally.correct,
        n=tally.n,
        lower=float(band.lower[0]),
        upper=float(band.upper[0]),
        ks=tuple(ks),
        values=tuple(guess_pass(tally.correct / tally.n, ks)),
        guessable=is_guessable(tally.correct, tally.n),
    )


def guess_effect(
    column: ArmColumn,
    arm: ArmRow,
    rows: Sequence[ProblemRow],
    tallies: Mapping[tuple[int, int], Tally],
    ks: Sequence[int],
) -> GuessEffect | None:
    """The effect over a report's problems; None where none of them was guessed at."""
    guesses = {row.id: tallies.get((arm.id, row.id), Tally()) for row in rows}
    asked = {one: tally for one, tally in guesses.items() if tally.n}
    if not asked:
        return None
    flagged = {one for one, tally in asked.items() if is_guessable(tally.correct, tally.n)}
    own = {row.id: tallies.get((column.arm_id, row.id), Tally()) for row in rows}
    graded = {one: tally for one, tally in own.items() if tally.n}
    kept = {one: tally for one, tally in graded.items() if one not in flagged}
    alone = np.array([guess_pass(asked[one].correct / asked[one].n, ks) for one in flagged])
    return GuessEffect(
        model=column.name,
        asked=len(asked),
        n_least=min(tally.n for tally in asked.values()),
        n_most=max(tally.n for tally in asked.values()),
        guessable=tuple(row.problem.name for row in rows if row.id in flagged),
        direct=sum(tally.correct / tally.n >= GUESSABLE_BELOW for tally in asked.values()),
        never=sum(not tally.correct for tally in asked.values()),
        problems=len(graded),
        kept=len(kept),
        everything=_means(graded, ks),
        without=_means(kept, ks),
        alone=tuple(alone.mean(axis=0).tolist()) if flagged else (math.nan,) * len(ks),
    )


def effect_sentence(effect: GuessEffect) -> str:
    """`base, without reasoning, on 100 problems (64 each): 3 guessable …`."""
    n = (
        f"{effect.n_least}"
        if effect.n_least == effect.n_most
        else (f"{effect.n_least}–{effect.n_most}")
    )
    least = f" (fewer than {math.ceil(1 / GUESSABLE_BELOW) + 1} cannot flag one)"
    short = least if effect.n_most <= 1 / GUESSABLE_BELOW else ""
    return (
        f"{effect.model} without reasoning, {plural(effect.asked, 'problem')} × {n}{short}:"
        f" {len(effect.guessable)} guessable (0 < p < {percent(GUESSABLE_BELOW)}),"
        f" {effect.direct} answered directly, {effect.never} never"
    )


def _means(tallies: Mapping[int, Tally], ks: Sequence[int]) -> tuple[float, ...]:
    correct = [tally.correct for tally in tallies.values()]
    samples = [tally.n for tally in tallies.values()]
    return tuple(mean_curve(correct, samples, ks).tolist())

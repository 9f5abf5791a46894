"""CoT-pass@k: pass@k of samples whose reasoning was found right too, by people or by a judge.

What was not reviewed is left open, so every value is an interval: from 'none of the rest is
sound' to 'all of it is'. Invariant: people and each judge are counted apart, never together; a
vote that could not be read and a tied majority count as not reviewed.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.core.passk import pass_at_k
from explorer.core.review import (
    JUDGE_PREFIX,
    Rule,
    bounds_of_sound,
    cot_pass_at_k,
    is_sound,
    vote_of,
)
from explorer.store import reviews
from explorer.store.rows import ReviewRow, Tally
from explorer.views.numbers import percent, plural

PEOPLE: Final = "people"
"""The voice of all human reviewers."""

NOBODY: Final = "not reviewed"


@dataclass(frozen=True, slots=True)
class SoundCount:
    """How many of a cell's right answers can be sound, by one rule.

    Attributes:
        sound: found sound; reviewed: decided by this rule.
        low, high: bounds once the rest is taken for unsound, or for sound.
    """

    sound: int
    reviewed: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class CotCell:
    """One arm on one problem in the eyes of one voice.

    Attributes:
        voice: `PEOPLE`, or a judge as `judge:MODEL`.
        voters: people who reviewed, or most votes of the judge on one completion.
        correct, n: right answers and graded samples.
        reviewed: right answers with at least one vote; unread: with only unreadable ones.
        by_rule: the count under each rule; all alike where nobody disagrees.
    """

    voice: str
    voters: int
    correct: int
    n: int
    reviewed: int
    unread: int
    by_rule: Mapping[Rule, SoundCount]

    @property
    def several(self) -> bool:
        """Whether the three rules can differ."""
        return self.voters > 1

    def at(self, k: int, rule: Rule = Rule.MAJORITY) -> tuple[float, float]:
        """CoT-pass@k from its least to its most; NaN for k > n."""
        count = self.by_rule[rule]
        return cot_pass_at_k(count.low, self.n, k), cot_pass_at_k(count.high, self.n, k)


def read_cells(
    db: sqlite3.Connection,
    arm_ids: Iterable[int],
    problem_ids: Iterable[int],
    tallies: Mapping[tuple[int, int], Tally],
) -> dict[tuple[int, int], tuple[CotCell, ...]]:
    """What was reviewed of each (arm id, problem id); cells without reviews are left out."""
    found = reviews.of_right_answers(db, arm_ids, problem_ids)
    return {
        cell: cot_cells(rows, tallies[cell].correct, tallies[cell].n)
        for cell, rows in found.items()
        if cell in tallies
    }


def cot_cells(rows: Sequence[ReviewRow], correct: int, n: int) -> tuple[CotCell, ...]:
    """One count per voice over the reviews of a cell's right answers, people first."""
    voices: dict[str, list[ReviewRow]] = {}
    for row in rows:
        voices.setdefault(voice_of(row), []).append(row)
    order = sorted(voices, key=lambda voice: (voice != PEOPLE, voice))
    return tuple(_cell(voice, voices[voice], correct, n) for voice in order)


def voice_of(row: ReviewRow) -> str:
    """Whom a review is counted with."""
    return row.reviewer if row.reviewer.startswith(JUDGE_PREFIX) else PEOPLE


def _cell(voice: str, rows: Sequence[ReviewRow], correct: int, n: int) -> CotCell:
    votes: dict[int, list[bool]] = {}
    for row in rows:
        said = vote_of(row.finding)
        votes.setdefault(row.completion_id, [])
        if said is not None:
            votes[row.completion_id].append(said)
    if voice == PEOPLE:
        voters = len({row.reviewer for row in rows})
    else:
        voters = max(row.vote for row in rows) + 1
    decided = {rule: [is_sound(cast, rule) for cast in votes.values()] for rule in Rule}
    by_rule = {}
    for rule, outcomes in decided.items():
        sound = sum(one is True for one in outcomes)
        reviewed = sum(one is not None for one in outcomes)
        by_rule[rule] = SoundCount(sound, reviewed, *bounds_of_sound(correct, sound, reviewed))
    reviewed = sum(bool(cast) for cast in votes.values())
    return CotCell(voice, voters, correct, n, reviewed, len(votes) - reviewed, by_rule)


def sentence(cell: CotCell, ks: Sequence[int]) -> str:
    """`people: 3 of 5 right answers reviewed, 2 sound; CoT-pass@1 25–63% (pass@1 63%)`."""
    parts = [f"{cell.voice}: {cell.reviewed} of {plural(cell.correct, 'right answer')} reviewed"]
    parts[0] += f", {sound_words(cell)}"
    if cell.unread:
        parts.append(f"{cell.unread} with no readable vote")
    for k in ks:
        if k <= cell.n:
            full = percent(pass_at_k(cell.correct, cell.n, k))
            parts.append(f"CoT-pass@{k} {range_words(cell, k)} (pass@{k} {full})")
    return "; ".join(parts)


def sound_words(cell: CotCell) -> str:
    """`2 sound`, or by each rule where several voted: `3/2/1 sound by any/majority/all`."""
    counts = [cell.by_rule[rule].sound for rule in Rule]
    if not cell.several:
        return f"{counts[0]} sound"
    return f"{'/'.join(map(str, counts))} sound by any/majority/all of {cell.voters} votes"


def range_words(cell: CotCell, k: int) -> str:
    """CoT-pass@k by majority: one number where all is reviewed, else an interval."""
    low, high = cell.at(k)
    if math.isnan(low):
        return "–"
    return percent(low) if percent(low) == percent(high) else f"{percent(low)} to {percent(high)}"


@dataclass(frozen=True, slots=True)
class CotMean:
    """One arm over a dataset in the eyes of one voice.

    Attributes:
        problems: graded problems, over all of which the means are.
        reviewed, correct: right answers that were reviewed, of how many.
        lower, upper: mean CoT-pass@k at each k by each rule; NaN where some problem has k > n.
    """

    voice: str
    problems: int
    touched: int
    reviewed: int
    correct: int
    voters: int
    lower: Mapping[Rule, tuple[float, ...]]
    upper: Mapping[Rule, tuple[float, ...]]


def cot_means(
    cells: Mapping[int, Sequence[CotCell]], tallies: Mapping[int, Tally], ks: Sequence[int]
) -> tuple[CotMean, ...]:
    """Means over problems (by their ids) of an arm; right answers nobody reviewed stay open."""
    graded = {problem: tally for problem, tally in tallies.items() if tally.n}
    voices = sorted(
        {cell.voice for one in cells.values() for cell in one}, key=lambda v: (v != PEOPLE, v)
    )
    return tuple(_mean(voice, cells, graded, ks) for voice in voices)


def _mean(
    voice: str,
    cells: Mapping[int, Sequence[CotCell]],
    graded: Mapping[int, Tally],
    ks: Sequence[int],
) -> CotMean:
    own = {
        problem: cell
        for problem, found in cells.items()
        for cell in found
        if cell.voice == voice and problem in graded
    }
    lower: dict[Rule, tuple[float, ...]] = {}
    upper: dict[Rule, tuple[float, ...]] = {}
    for rule in Rule:
        bounds = {
            problem: (own[problem].by_rule[rule].low, own[problem].by_rule[rule].high)
            if problem in own
            else (0, tally.correct)
            for problem, tally in graded.items()
        }
        for side, target in ((0, lower), (1, upper)):
            target[rule] = tuple(
                _average(
                    [cot_pass_at_k(bounds[one][side], tally.n, k) for one, tally in graded.items()]
                )
                for k in ks
            )
    return CotMean(
        voice=voice,
        problems=len(graded),
        touched=len(own),
        reviewed=sum(cell.reviewed for cell in own.values()),
        correct=sum(tally.correct for tally in graded.values()),
        voters=max((cell.voters for cell in own.values()), default=0),
        lower=lower,
        upper=upper,
    )


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan

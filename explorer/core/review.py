"""People's (or a judge's) verdicts on reasoning: sound, lucky or flawed, and what follows.

A right answer reached by wrong reasoning inflates pass@k; CoT-pass@k counts a sample only if its
answer and its reasoning are both right ('RLVR Implicitly Incentivizes Correct Reasoning', arXiv
2506.14245). Invariant: a review never changes a verdict on the answer, save that a `grader error`
says that the verdict itself is wrong, which the reviewer then overrides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from explorer.core.passk import pass_at_k


class Finding(StrEnum):
    """What a reviewer found."""

    SOUND = "sound"
    LUCKY = "lucky"  # the answer is right, the reasoning does not lead to it
    CALCULATION = "calculation"
    LOGIC = "logic"
    CONCEPT = "concept"
    OMISSION = "omission"
    GRADER_ERROR = "grader error"
    FLAWED = "flawed"  # a judge that finds a flaw and does not say of which kind
    UNDECIDED = "undecided"  # a judge whose reply cannot be read: no vote


JUDGE_PREFIX: Final = "judge:"
"""A model's votes are kept under this and its name."""

FLAWS: Final = (Finding.CALCULATION, Finding.LOGIC, Finding.CONCEPT, Finding.OMISSION)


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's finding on one completion."""

    completion_id: int
    reviewer: str
    finding: Finding
    note: str = ""


def vote_of(finding: Finding) -> bool | None:
    """Whether a finding calls answer and reasoning right; None where it is no vote."""
    return None if finding is Finding.UNDECIDED else finding is Finding.SOUND


class Rule(StrEnum):
    """When several votes call a chain of thought correct."""

    ANY = "any"
    MAJORITY = "majority"
    ALL = "all"


def is_sound(votes: Sequence[bool], rule: Rule) -> bool | None:
    """Whether votes call it correct; None without votes, and for a tied majority."""
    if not votes:
        return None
    yes = sum(votes)
    if rule is Rule.ANY:
        return yes > 0
    if rule is Rule.ALL:
        return yes == len(votes)
    return None if 2 * yes == len(votes) else 2 * yes > len(votes)


def cot_pass_at_k(sound: int, n: int, k: int) -> float:
    """pass@k counting only samples whose answer and reasoning are right; NaN for k > n.

    Args:
        sound: samples right in both; n: all samples, wrong ones included.
    """
    return pass_at_k(sound, n, k) if 1 <= k <= n else math.nan


def bounds_of_sound(correct: int, reviewed_sound: int, reviewed: int) -> tuple[int, int]:
    """How many of the correct samples can be sound when only some of them were reviewed."""
    return reviewed_sound, correct - (reviewed - reviewed_sound)


def kappa(first: Mapping[int, Finding], second: Mapping[int, Finding]) -> tuple[float, int]:
    """Cohen's kappa of two reviewers on what both reviewed, and how much that is.

    NaN when nothing is shared, or when chance alone would agree always.
    """
    shared = sorted(set(first) & set(second))
    n = len(shared)
    if n == 0:
        return math.nan, 0
    agreed = sum(first[one] == second[one] for one in shared) / n
    left, right = Counter(first[one] for one in shared), Counter(second[one] for one in shared)
    by_chance = sum(left[finding] * right[finding] for finding in left) / n**2
    return (math.nan if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)), n


def queue_order(accuracy: float) -> tuple[int, float]:
    """Sorts problems for review: those of the paper's check (0 < accuracy < 5 %) first."""
    if 0 < accuracy < 0.05:
        return 0, accuracy
    return (1, accuracy) if accuracy > 0 else (2, 0.0)

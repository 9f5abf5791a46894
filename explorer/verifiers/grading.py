"""From a completion's text to a verdict: extract, look the answer up, and only then decide.

Invariant: a decision that a memo already holds is not made again, and what depends on the moment
(a timeout, a crash) is not handed to it to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from explorer.core.completion import Verdict
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted, Verifier
from explorer.verifiers.pool import VerifierPool, is_lasting
from explorer.verifiers.registry import get

Recall = Callable[[str], Decision | None]
"""What is known about an answer to this problem under the current verifier version."""

Keep = Callable[[str, Decision], None]
"""Told each lasting decision that `Recall` did not know."""


async def grade(
    text: str,
    problem: Problem,
    pool: VerifierPool,
    recall: Recall | None = None,
    keep: Keep | None = None,
) -> Verdict:
    """The verdict on one completion by the problem's own verifier.

    Raises:
        SettingsError: the problem names a verifier that does not exist.
    """
    verifier = get(problem.verifier)
    found = verifier.extract(text)
    decision = recall(found.answer) if recall else None
    if decision is None:
        decision = await pool.decide(problem, problem.verifier, found.answer)
        if keep and is_lasting(decision):
            keep(found.answer, decision)
    return _verdict(verifier, found, decision)


def grade_many(
    texts: Sequence[str],
    problem: Problem,
    pool: VerifierPool,
    recall: Recall | None = None,
    keep: Keep | None = None,
) -> list[Verdict]:
    """The verdicts on completions of one problem, in order; blocks.

    Raises:
        SettingsError: the problem names a verifier that does not exist.
    """
    verifier = get(problem.verifier)
    found = [verifier.extract(text) for text in texts]
    decisions: dict[str, Decision] = {}
    for answer in dict.fromkeys(one.answer for one in found):
        known = recall(answer) if recall else None
        if known is not None:
            decisions[answer] = known
    unknown = [a for a in dict.fromkeys(one.answer for one in found) if a not in decisions]
    made = pool.decide_many((problem, problem.verifier, answer) for answer in unknown)
    for answer, decision in zip(unknown, made, strict=True):
        decisions[answer] = decision
        if keep and is_lasting(decision):
            keep(answer, decision)
    return [_verdict(verifier, one, decisions[one.answer]) for one in found]


def _verdict(verifier: Verifier, found: Extracted, decision: Decision) -> Verdict:
    return Verdict(
        verifier=verifier.name,
        version=verifier.version,
        outcome=decision.outcome,
        answer=found.answer,
        method=found.method,
        detail=decision.detail,
    )

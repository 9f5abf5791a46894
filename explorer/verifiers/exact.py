"""The verifier 'exact': the same string once white space is normalised.

For tasks whose answer is a word or a code. Invariant: case and punctuation count.
"""

from __future__ import annotations

from explorer.core.answers import find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted


class ExactVerifier:
    """Equality of strings, runs of white space counting as one space."""

    name = "exact"
    version = "exact-1"

    def extract(self, text: str) -> Extracted:
        return Extracted(*find_answer(text))

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        return self.decide(problem, answer)

    def decide(self, problem: Problem, answer: str) -> Decision:
        given = " ".join(answer.split())
        gold = " ".join(problem.gold.split())
        if not given:
            return Decision(Outcome.UNDECIDED, "no answer found")
        if not gold:
            return Decision(Outcome.UNDECIDED, "the problem has no gold answer")
        return Decision(Outcome.CORRECT if given == gold else Outcome.WRONG)

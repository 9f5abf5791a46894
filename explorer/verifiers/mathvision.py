"""The verifier 'mathvision': letter or option value where there are options, else mathematics.

As MATH-V's evaluation, which takes an answer that equals the right letter or the right option's
value, and compares free answers by value. Two approximations: free answers go to our own 'math',
which reads more and rounds less than upstream's 1e-6; and no model helps to extract.
"""

from __future__ import annotations

from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.choice import choices_of, decide_choice, extract_choice
from explorer.verifiers.math import MathVerifier

RULES = 1


class MathVisionVerifier:
    """Answers to MathVision."""

    name = "mathvision"

    def __init__(self) -> None:
        self._math = MathVerifier()
        self.version = f"mathvision-{RULES}+{self._math.version}"

    def extract(self, text: str) -> Extracted:
        return extract_choice(text)

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        if choices_of(problem):
            return decide_choice(problem, answer)
        return self._math.quick(problem, answer)

    def decide(self, problem: Problem, answer: str) -> Decision:
        if choices_of(problem):
            return decide_choice(problem, answer)
        return self._math.decide(problem, answer)

"""The contract that every verifier keeps.

A verifier is pure and synchronous: text and problem in, verdict out. The pool runs it in worker
processes with a time limit, because checking mathematics can hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from explorer.core.completion import Outcome
from explorer.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Extracted:
    """The answer found in a completion and how it was found ('boxed', 'phrase', ...)."""

    answer: str
    method: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an extracted answer is right, and a remark where that is not obvious."""

    outcome: Outcome
    detail: str = ""


NO_SANDBOX: Final = "not run, no sandbox"
"""How the reason of every answer begins whose code was not run for want of a sandbox."""

SANDBOX_FAILED: Final = "the sandbox failed"
"""How the reason begins when the machine, not the answer, is at fault."""


@runtime_checkable
class Patient(Protocol):
    """A verifier that bounds its own time and may need more of it than the pool gives to all."""

    def longest_s(self, problem: Problem) -> float:
        """Seconds after which something is wrong with the verifier itself."""
        ...


class Verifier(Protocol):
    """Extraction is cheap and runs anywhere; `decide` may be slow and runs in a worker process.

    `quick` decides the cases that need no worker, exactly as `decide` would, else gives None.

    Decisions are memoised per (problem, answer, verifier version), so `decide` must depend on
    nothing else.
    """

    name: str
    version: str

    def extract(self, text: str) -> Extracted: ...

    def quick(self, problem: Problem, answer: str) -> Decision | None: ...

    def decide(self, problem: Problem, answer: str) -> Decision: ...

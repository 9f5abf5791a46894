"""Small code problems of our own for the tests of the verifier 'code'."""

from __future__ import annotations

import pytest

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.problem import Problem
from explorer.verifiers import sandbox
from explorer.verifiers.base import Decision
from explorer.verifiers.code import CodeVerifier

needs_sandbox = pytest.mark.skipif(
    sandbox.probe().isolation is sandbox.Isolation.NONE,
    reason=f"model code is not run here: {sandbox.probe().reason}",
)

QUICK_S = 1.0


def problem(tests: CodeTests | None, name: str = "p") -> Problem:
    return Problem(
        "own", name, "", "", verifier="code", tests=tests.pack() if tests is not None else None
    )


def check(code: str, entry_point: str, prompt: str = "", limit_s: float = QUICK_S) -> CodeTests:
    return CodeTests(
        TestKind.CHECK, entry_point=entry_point, prompt=prompt, code=code, time_limit_s=limit_s
    )


def stdin(*cases: tuple[str, str], limit_s: float = QUICK_S) -> CodeTests:
    return CodeTests(
        TestKind.STDIN, cases=tuple(TestCase(*case) for case in cases), time_limit_s=limit_s
    )


def functional(name: str, *cases: tuple[str, str]) -> CodeTests:
    return CodeTests(
        TestKind.FUNCTIONAL,
        entry_point=name,
        cases=tuple(TestCase(*case) for case in cases),
        time_limit_s=QUICK_S,
    )


def judged(tests: CodeTests, answer: str) -> Decision:
    """The decision about a program, without a pool."""
    return CodeVerifier().decide(problem(tests), answer)


ADD = check(
    "def check(candidate):\n"
    "    assert candidate(1, 2) == 3\n"
    "    assert candidate([1], [2]) == [1, 2]\n"
    "    assert candidate('a', 'b') == 'ab'\n",
    "add",
    prompt='def add(a, b):\n    """The sum."""\n',
)
"""A HumanEval-like problem."""

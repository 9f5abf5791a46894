"""The verifier 'code': the program in a completion, run against the problem's tests in a sandbox.

Invariant: code runs in `code_run` alone, so only where `sandbox.probe` found a way to shut it in
or the person said that it may run without; else the verdict is undecided and says why.
"""

from __future__ import annotations

import ast
import warnings
from typing import Final

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers import code_extract, sandbox
from explorer.verifiers.base import NO_SANDBOX, Decision, Extracted
from explorer.verifiers.code_names import parsed, prompt_parts, root
from explorer.verifiers.code_run import DEFAULT_LIMIT_S, run
from explorer.verifiers.sandbox import Isolation, Limits

RULES: Final = 1
"""Raise when the same program could get another decision."""

_START_S: Final = 60.0
_LONGEST_S: Final = 1800.0
_SLACK: Final = 4.0


class CodeVerifier:
    """Whether a program passes its problem's tests."""

    name = "code"

    def __init__(self) -> None:
        self.version = f"code-{RULES}+extract-{code_extract.VERSION}"

    def extract(self, text: str) -> Extracted:
        return Extracted(*code_extract.find_code(text))

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        if not answer.strip():
            return Decision(Outcome.UNDECIDED, "no code found")
        if problem.tests is None:
            return Decision(Outcome.UNDECIDED, "the problem has no tests")
        return None

    def decide(self, problem: Problem, answer: str) -> Decision:
        known = self.quick(problem, answer)
        if known is not None or problem.tests is None:
            return known or Decision(Outcome.UNDECIDED)
        found = sandbox.probe()
        if found.isolation is Isolation.NONE:
            return Decision(Outcome.UNDECIDED, f"{NO_SANDBOX}: {found.reason}")
        try:
            tests = problem.tests.unpack()
        except ValueError as error:
            return Decision(Outcome.UNDECIDED, f"the tests cannot be read: {error}")
        return run(assembled(answer, tests), tests, found.isolation, Limits())

    def longest_s(self, problem: Problem) -> float:
        """Seconds after which the pool may give up: all cases at their limit, and the start."""
        if problem.tests is None:
            return 0.0
        try:
            tests = problem.tests.unpack()
        except ValueError:
            return 0.0
        each = tests.time_limit_s or DEFAULT_LIMIT_S
        return min(_LONGEST_S, _START_S + _SLACK * each * max(1, len(tests.cases)))


def assembled(answer: str, tests: CodeTests) -> str:
    """The whole program: an answer that continues the prompt, or one that stands by itself.

    An answer that defines what is tested gets the prompt's imports and helpers in front of it.
    """
    if not tests.prompt or tests.kind is TestKind.STDIN:
        return answer
    tree = parsed(answer)
    prompt = prompt_parts(tests.prompt)
    wanted = root(tests.entry_point) or prompt.completes
    if tree is not None and wanted in _names(tree):
        return f"{prompt.helpers}\n{answer}"
    joint = tests.prompt + answer
    bare = f"{tests.prompt.rstrip()}\n"
    for whole in (joint, f"{tests.prompt}\n{answer}", f"{bare}{_indented(answer)}",
                  f"{bare}    {_indented(answer)}"):  # fmt: skip
        if _compiles(whole):
            return whole
    return joint if tree is None else answer


def _indented(text: str) -> str:
    """A body whose first line lost its indentation, or all of whose lines did."""
    lines = text.split("\n")
    rest = [line for line in lines[1:] if line.strip()]
    only_first = bool(rest) and all(line[:1] in (" ", "\t") for line in rest)
    first = f"    {lines[0]}"
    return "\n".join([first, *lines[1:]] if only_first else [f"    {line}" for line in lines])


def _names(tree: ast.Module) -> set[str]:
    """What a program defines at its margin."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(one.id for one in node.targets if isinstance(one, ast.Name))
    return names


def _compiles(text: str) -> bool:
    """Stricter than parsing: a `return` outside of every function does not compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<answer>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True

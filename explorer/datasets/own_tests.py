"""The `tests` column of one's own problems: each shape that people write tests in.

- text: a script of assertions, or code that defines `check(candidate)` (then with `entry_point`);
- a list of texts: assertions, one each;
- a list of `{"input", "output"}`: stdin and stdout, or with `entry_point` arguments and result;
- `{"inputs": […], "outputs": […], "fn_name"}`, as TACO and PRIME have it.

Invariant: what comes out is one `CodeTests` that needs no further guessing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.datasets.row import Row

_CHECK = re.compile(r"^def\s+check\s*\(", re.MULTILINE)


def read_tests(row: Row) -> CodeTests | None:
    """The tests of a row, None if it has none.

    Raises:
        ValueError: they have none of the known shapes.
    """
    if not row.has("tests"):
        return None
    tests, entry_point = row.values["tests"], row.text("entry_point").strip()
    if isinstance(tests, list) and tests and all(isinstance(one, str) for one in tests):
        tests = "\n".join(tests)
    if isinstance(tests, str) and tests.strip():
        return _script(tests, entry_point, row)
    if isinstance(tests, dict):
        entry_point = entry_point or str(tests.get("fn_name") or "")
        tests = _paired(tests)
    if isinstance(tests, list) and tests:
        return _cases(tests, entry_point, row)
    raise ValueError("'tests' is empty, or neither a script nor a list of cases")


def _script(code: str, entry_point: str, row: Row) -> CodeTests:
    checks = _CHECK.search(code) is not None
    if checks and not entry_point:
        raise ValueError("'tests' defines check(candidate), but there is no 'entry_point'")
    if not checks and "assert" not in code:
        raise ValueError("'tests' asserts nothing")
    kind = TestKind.CHECK if checks else TestKind.ASSERTS
    return CodeTests(kind, entry_point=entry_point, prompt=row.text("prompt"), code=code)


def _cases(tests: list[Any], entry_point: str, row: Row) -> CodeTests:
    functional = bool(entry_point)
    return CodeTests(
        TestKind.FUNCTIONAL if functional else TestKind.STDIN,
        entry_point=entry_point,
        prompt=row.text("prompt"),
        cases=tuple(_case(test, functional) for test in tests),
    )


def _case(test: Any, functional: bool) -> TestCase:
    if not isinstance(test, dict) or "input" not in test:
        raise ValueError("a test has no 'input'")
    output = next((test[column] for column in ("output", "expected") if column in test), None)
    if output is None and not functional:
        raise ValueError("a test has no 'output'")
    if not functional:
        if not isinstance(test["input"], str) or not isinstance(output, str):
            raise ValueError("a test for stdin has an 'input' or 'output' that is no text")
        return TestCase(test["input"], output)
    given = test["input"]
    lines = given if isinstance(given, str) else "\n".join(map(_json, _arguments(given)))
    return TestCase(lines, output if isinstance(output, str) else _json(output))


def _arguments(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise ValueError("an 'input' with an 'entry_point' is a list of arguments")
    return given


def _paired(tests: dict[str, Any]) -> list[Any]:
    inputs, outputs = tests.get("inputs"), tests.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise ValueError("'tests' needs 'inputs' and 'outputs' of the same length")
    return [{"input": one, "output": out} for one, out in zip(inputs, outputs, strict=True)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

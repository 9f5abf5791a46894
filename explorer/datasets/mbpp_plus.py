"""MBPP+ (Liu et al., 2023), in both layouts it is published in.

- The hub's: `task_id` (a number), `code`, `prompt`, `test_imports`, `test_list`, `test`. The tests
  are the script `test`, which holds inputs and expected results; the prompt does not name the
  function, so the problem shows the assertions of `test_list`, as Austin et al. (2021) prompt.
- EvalPlus's release (`MbppPlus*.jsonl.gz`): `task_id` ('Mbpp/2'), `prompt` (with an assertion),
  `entry_point`, `canonical_solution`, `base_input`, `plus_input`, `atol`.

The entry point of the first layout is the function of `code` that its assertions call.
"""

from __future__ import annotations

import ast
import re

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.evalplus_inputs import COMPARISONS, expression, mbpp_arguments
from explorer.datasets.reading import make, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_TASK = re.compile(r"(?:Mbpp/)?(\d+)")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read MBPP+; see `reading.read_files`."""
    return read_files(settings, problem, ("MbppPlus*.jsonl*",), lenient=True)


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it lacks its prompt or its tests, or its id is no task of MBPP.
    """
    task = _TASK.fullmatch(row.needed("task_id").strip())
    if not task:
        raise ValueError(f"'task_id' {row.text('task_id')!r} is no task of MBPP")
    prompt = row.needed("prompt").strip()
    if row.has("base_input"):
        tests = _release(row, int(task[1]))
        solution = row.text("canonical_solution")
    else:
        tests = _script(row)
        shown = "\n".join(row.texts("test_list"))
        prompt = f"{prompt}\n\nYour code should pass these tests:\n\n{shown}"
        solution = row.text("code")
    return make(
        settings,
        row,
        name=f"Mbpp/{task[1]}",
        statement=prompt,
        gold="",
        extra={"entry_point": tests.entry_point, "solution": solution},
        tests=tests,
    )


def _release(row: Row, task: int) -> CodeTests:
    inputs = [*row.items("base_input"), *row.items("plus_input")]
    if not inputs or not all(isinstance(one, list) for one in inputs):
        raise ValueError("'base_input' and 'plus_input' are not lists of arguments")
    entry_point = row.needed("entry_point").strip()
    return CodeTests(
        TestKind.REFERENCE,
        entry_point=entry_point,
        code=COMPARISONS.get(entry_point, ""),
        cases=tuple(TestCase(expression(list(mbpp_arguments(task, one)))) for one in inputs),
        reference=row.needed("canonical_solution"),
        tolerance=float(row.text("atol") or 0),
    )


def _script(row: Row) -> CodeTests:
    asserts = row.texts("test_list")
    if not asserts:
        raise ValueError("'test_list' is empty")
    return CodeTests(
        TestKind.ASSERTS,
        entry_point=_entry_point(row.needed("code"), "\n".join(asserts)),
        prelude="\n".join(row.texts("test_imports")),
        code=row.needed("test"),
    )


def _entry_point(code: str, asserts: str) -> str:
    try:
        tree = ast.parse(code)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"'code' is not Python: {error}") from None
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    called = [name for name in names if re.search(rf"\b{re.escape(name)}\s*\(", asserts)]
    if not called:
        raise ValueError("'test_list' calls no function of 'code'")
    return called[-1]

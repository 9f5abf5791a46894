"""HumanEval (Chen et al., 2021): `task_id`, `prompt`, `entry_point`, `canonical_solution`, `test`.

The prompt is what the model continues and what it is shown; `test` defines `check(candidate)`.
`canonical_solution` is the body that the authors wrote; it is kept as `solution`.
"""

from __future__ import annotations

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings


def read(settings: DatasetSettings) -> DatasetContents:
    """Read HumanEval; see `reading.read_files`."""
    return read_files(settings, problem, ("HumanEval*.jsonl*", "human-eval*.jsonl*"))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it lacks its prompt, its entry point or its tests.
    """
    prompt = row.needed("prompt")
    tests = CodeTests(
        TestKind.CHECK,
        entry_point=row.needed("entry_point").strip(),
        prompt=prompt,
        code=row.needed("test"),
    )
    if "def check" not in tests.code:
        raise ValueError("'test' defines no check(candidate)")
    return make(
        settings,
        row,
        name=row.needed("task_id"),
        statement=prompt,
        gold="",
        extra={"entry_point": tests.entry_point, "solution": row.text("canonical_solution")},
        tests=tests,
    )

"""LiveCodeBench's code generation (Jain et al., 2024), as `code_generation` and its lite form.

`question_title`, `question_content`, `platform`, `question_id`, `contest_id`, `contest_date`,
`starter_code`, `difficulty`, `public_test_cases`, `private_test_cases`, `metadata`.

The last three are JSON in text; tests are `{input, output, testtype}` with testtype `stdin` or
`functional`, one kind a problem, and `metadata.func_name` names the function of the latter. The
lite form packs the private ones as base64 of zlib of a pickled text, which is read without
unpickling (`pickled_text`); a row whose pickle holds more than text is left out. Public and
private tests are run alike. The judge allows 6 s a test.
"""

from __future__ import annotations

import json
from typing import Any, Final

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.judge import PRELUDE
from explorer.datasets.pickled_text import decode
from explorer.datasets.reading import make, one_line, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

TIME_LIMIT_S: Final = 6.0

_STDIN: Final = "Read the input from stdin and write the answer to stdout."
_STARTER: Final = "Use this starter code:"


def read(settings: DatasetSettings) -> DatasetContents:
    """Read LiveCodeBench; see `reading.read_files`."""
    return read_files(settings, problem, ("test*.jsonl",))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no tests, or they cannot be read safely.
    """
    starter = row.text("starter_code").strip("\n")
    metadata = _json(row, "metadata") if row.has("metadata") else {}
    tests = _tests(row, str(metadata.get("func_name") or "") if _is_object(metadata) else "")
    how = f"{_STARTER}\n\n```python\n{starter}\n```" if starter.strip() else _STDIN
    return make(
        settings,
        row,
        name=row.needed("question_id"),
        statement=f"{row.needed('question_content').strip()}\n\n{how}",
        gold="",
        family=one_line(row.text("platform")),
        level=one_line(row.text("difficulty")),
        note=one_line(row.text("question_title")),
        extra={
            "contest_id": row.text("contest_id"),
            "contest_date": row.text("contest_date")[:10],
            "starter_code": starter,
            "entry_point": tests.entry_point,
            "cases": len(tests.cases),
        },
        tests=tests,
    )


def _tests(row: Row, function: str) -> CodeTests:
    public = _json(row, "public_test_cases") if row.has("public_test_cases") else []
    private = _private(row) if row.has("private_test_cases") else []
    rows = [*_list(public, "public_test_cases"), *_list(private, "private_test_cases")]
    kinds = {test.get("testtype") for test in rows if isinstance(test, dict)}
    if not rows:
        raise ValueError("no tests, neither public nor private")
    if kinds not in ({"stdin"}, {"functional"}):
        raise ValueError(f"tests of the kinds {sorted(map(str, kinds))} instead of one known kind")
    if kinds == {"functional"} and not function:
        raise ValueError("functional tests, but 'metadata' has no func_name")
    functional = kinds == {"functional"}
    return CodeTests(
        TestKind.FUNCTIONAL if functional else TestKind.STDIN,
        entry_point=function if functional else "",
        prelude=PRELUDE,
        cases=tuple(_case(test) for test in rows),
        time_limit_s=TIME_LIMIT_S,
    )


def _case(test: Any) -> TestCase:
    given, expected = (test.get("input"), test.get("output")) if _is_object(test) else (None, None)
    if not isinstance(given, str) or not isinstance(expected, str):
        raise ValueError("a test has no 'input' or no 'output'")
    return TestCase(given, expected)


def _private(row: Row) -> Any:
    value = row.values["private_test_cases"]
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _json(row, "private_test_cases")
    try:
        return json.loads(decode(value))
    except ValueError as error:
        raise ValueError(f"'private_test_cases': {error}") from None


def _json(row: Row, column: str) -> Any:
    value = row.values[column]
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "null")
    except ValueError as error:
        raise ValueError(f"'{column}' is not JSON: {error}") from None


def _list(value: Any, column: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"'{column}' is not a list")
    return value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)

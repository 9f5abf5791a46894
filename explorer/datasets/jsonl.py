"""Our own problem format: one JSON object a line, in a .jsonl or .jsonl.gz file.

    {"id": "trees-001", "question": "How many …?", "answer": "13", "family": "trees", "level": 2}

`id`, `question` (or `statement`, `problem`) and `answer` (or `gold`) are needed; `family`,
`level` and `note` are shown; every other column is kept in `Problem.extra` for templates and
filters. A row that cannot be used is reported with its line and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.json_lines import LineReader, RowFault
from explorer.settings import DatasetSettings

_QUESTION: Final = ("question", "statement", "problem")
_ANSWER: Final = ("answer", "gold")
_SHOWN: Final = ("family", "level", "note")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read the file that `settings` names.

    Raises:
        DataError: the file is not there or may not be read.
    """
    problems: dict[str, Problem] = {}
    lines: dict[str, int] = {}
    faults: list[RowFault] = []
    with LineReader(settings.path) as reader:
        for row in reader.rows():
            if isinstance(row, RowFault):
                faults.append(row)
                continue
            try:
                problem = _problem(row, settings)
            except ValueError as error:
                faults.append(reader.fault(str(error)))
                continue
            if problem.name in problems:
                first = lines[problem.name]
                faults.append(reader.fault(f"id {problem.name!r} was already used in line {first}"))
                continue
            problems[problem.name] = problem
            lines[problem.name] = reader.line
    return DatasetContents(tuple(problems.values()), tuple(faults))


def _problem(row: Mapping[str, Any], settings: DatasetSettings) -> Problem:
    question = next((column for column in _QUESTION if column in row), None)
    answer = next((column for column in _ANSWER if column in row), None)
    if "id" not in row:
        raise ValueError("no 'id'")
    if question is None:
        raise ValueError(f"no {' or '.join(map(repr, _QUESTION))}")
    if answer is None:
        raise ValueError(f"no {' or '.join(map(repr, _ANSWER))}")
    used = {"id", question, answer, *_SHOWN}
    return Problem(
        dataset=settings.name,
        name=_text(row, "id", needed=True),
        statement=_text(row, question, needed=True),
        gold=_text(row, answer, needed=settings.verifier == "math"),
        family=_text(row, "family"),
        level=_text(row, "level"),
        note=_text(row, "note"),
        verifier=settings.verifier,
        extra={column: value for column, value in row.items() if column not in used},
    )


def _text(row: Mapping[str, Any], column: str, needed: bool = False) -> str:
    """A column as text; numbers are written as JSON writes them."""
    value = row.get(column)
    if value is None:
        value = ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"'{column}' is neither text nor a number")
    if needed and not str(value).strip():
        raise ValueError(f"'{column}' is empty")
    return str(value)

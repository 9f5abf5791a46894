"""Our own problem format: one JSON object a line, in a .jsonl or .jsonl.gz file.

    {"id": "trees-001", "question": "How many …?", "answer": "13", "family": "trees", "level": 2}

`id`, `question` (or `statement`, `problem`) and `answer` (or `gold`) are needed; `family`,
`level` and `note` are shown; every other column is kept in `Problem.extra` for templates and
filters. `choices`, `images`, `tests` with `entry_point`, and `verifier` make a problem one of
multiple choice, of vision, of code, or decided by another verifier; docs/formats.md says how.
The same rows may stand in a JSON array or a Parquet file. A row that cannot be used is reported
with its line and left out.
"""

from __future__ import annotations

from typing import Final

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.images import unpack
from explorer.datasets.own_tests import read_tests
from explorer.datasets.reading import read_files, with_choices
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings
from explorer.settings.reader import VERIFIERS

_QUESTION: Final = ("question", "statement", "problem")
_ANSWER: Final = ("answer", "gold")
_SHOWN: Final = ("family", "level", "note")
_TAKEN: Final = ("id", "image", "images", "tests", "verifier", *_SHOWN)
_WITHOUT_GOLD: Final = ("code", "exact")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read one's own problems; see `reading.read_files`."""
    return read_files(settings, problem, ("problems.jsonl*",))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: a column that is needed is missing, or one has the wrong shape.
    """
    if "id" not in row.values:
        raise ValueError("no 'id'")
    question = next((column for column in _QUESTION if column in row.values), None)
    if question is None:
        raise ValueError(f"no {' or '.join(map(repr, _QUESTION))}")
    tests = read_tests(row)
    answer = next((column for column in _ANSWER if column in row.values), None)
    if answer is None and tests is None:
        raise ValueError(f"no {' or '.join(map(repr, _ANSWER))}")
    verifier = _verifier(row, settings)
    name, choices = _needed(row, "id"), row.texts("choices")
    gold = row.text(answer) if answer else ""
    if answer and not gold.strip() and verifier not in _WITHOUT_GOLD:
        raise ValueError(f"'{answer}' is empty")
    if verifier == "code" and tests is None:
        raise ValueError("no 'tests', which the verifier 'code' needs")
    used = {*_TAKEN, question, *([answer] if answer else [])}
    return Problem(
        dataset=settings.name,
        name=name,
        statement=with_choices(_needed(row, question), choices),
        gold=gold,
        family=row.text("family"),
        level=row.text("level"),
        note=row.text("note"),
        verifier=verifier,
        extra={column: value for column, value in row.values.items() if column not in used},
        images=_images(row, settings),
        tests=tests.pack() if tests else None,
    )


def _needed(row: Row, column: str) -> str:
    if not row.text(column).strip():
        raise ValueError(f"'{column}' is empty")
    return row.text(column)


def _verifier(row: Row, settings: DatasetSettings) -> str:
    own = row.text("verifier")
    if own and own not in VERIFIERS:
        raise ValueError(f"there is no verifier {own!r}; known: {', '.join(VERIFIERS)}")
    by_columns = "code" if row.has("tests") else "choice" if row.has("choices") else "math"
    return settings.verifier or own or by_columns


def _images(row: Row, settings: DatasetSettings) -> tuple[str, ...]:
    named = [*([row.values["image"]] if row.has("image") else []), *row.items("images")]
    folder = settings.images or row.path.parent
    return tuple(
        str((folder / image).resolve()) if isinstance(image, str) else unpack(settings, row, image)
        for image in named
    )

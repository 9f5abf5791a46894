"""MATH500 (the 500 test problems of MATH that PRM800K held out).

`problem`, `solution`, `answer`, `subject`, `level`, `unique_id`. The id
`test/precalculus/807.json` is shortened to `precalculus/807`; subject and level become family and
level. SimpleRL's and Qwen's copies have `type` for `subject`; MATH itself has no `answer`: it is
then the last box of the solution.
"""

from __future__ import annotations

import re

from explorer.core.answers import last_box
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, name_of, one_line, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_ID = re.compile(r"(?:train|test)/(.+)\.json")
_LEVEL = re.compile(r"(?i)level\s*")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read MATH500; see `reading.read_files`."""
    return read_files(settings, problem)


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no problem, or no answer.
    """
    name = name_of(row, "unique_id", "id")
    short = _ID.fullmatch(name)
    gold = row.text("answer").strip() or last_box(row.text("solution")).strip()
    if not gold:
        raise ValueError("no 'answer', and no box in 'solution'")
    subject = "subject" if row.has("subject") else "type"
    return make(
        settings,
        row,
        name=short[1] if short else name,
        statement=row.needed("problem", "question").strip(),
        gold=gold,
        family=one_line(row.text(subject)),
        level=_LEVEL.sub("", one_line(row.text("level"))),
        extra={"unique_id": row.text("unique_id"), "solution": row.text("solution")},
    )

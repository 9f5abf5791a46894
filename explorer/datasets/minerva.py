"""Minerva's undergraduate science problems from MIT OpenCourseWare (Lewkowycz et al., 2022).

`problem`, `solution`, `type` (the course), `idx`; the gold answer is the last box of the solution.
The hub's copy has `question` and a ready `answer` instead.
"""

from __future__ import annotations

from explorer.core.answers import last_box
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, name_of, one_line, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings


def read(settings: DatasetSettings) -> DatasetContents:
    """Read Minerva; see `reading.read_files`."""
    return read_files(settings, problem, ("minerva*.jsonl", "minerva*.parquet"))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: there is no box in its solution, or nothing in the box.
    """
    gold = row.text("answer").strip() or last_box(row.text("solution")).strip()
    if not gold:
        raise ValueError("no box in 'solution', or nothing in it")
    return make(
        settings,
        row,
        name=name_of(row, "idx", "id"),
        statement=row.needed("problem", "question").strip(),
        gold=gold,
        family=one_line(row.text("type")),
        extra={"solution": row.text("solution")},
    )

"""AMC 12 of 2023 (Qwen2.5-Math, AI-MO): `id`, `problem` or `question`, `answer`, `url`.

The answers are numbers that were stored as floats: `27.0` is 27. Their multiple-choice letters
are not in the file. The exam and the problem's number are read from the url.
"""

from __future__ import annotations

import re

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, name_of, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_EXAM = re.compile(r"(20\d\d)_AMC_(\d+[AB]?)_Problems(?:/Problem_(\d+))?")
_NO_FRACTION = re.compile(r"(-?\d+)\.0+")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read AMC23; see `reading.read_files`."""
    return read_files(settings, problem, ("amc*.jsonl", "amc*.parquet"))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no problem, or no answer.
    """
    exam = _EXAM.search(row.text("url"))
    answer = row.needed("answer").strip()
    whole = _NO_FRACTION.fullmatch(answer)
    return make(
        settings,
        row,
        name=name_of(row, "id"),
        statement=row.needed("problem", "question").strip(),
        gold=whole[1] if whole else answer,
        family=f"{exam[1]} AMC {exam[2]}" if exam else "",
        note=f"problem {exam[3]}" if exam and exam[3] else "",
        extra={"url": row.text("url")},
    )

"""GSM8K (openai/grade-school-math): `question`, `answer`.

`answer` is a worked solution that ends in `#### 1,234`: the number after the last `####` is the
gold answer, without its thousands separators. Its calculator marks `<<48/2=24>>` are left out of
the solution that is shown. Rows have no id; they are called by their number, from 0.
"""

from __future__ import annotations

import re

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, name_of, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_CALCULATOR = re.compile(r"<<[^<>]*>>")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read GSM8K; see `reading.read_files`."""
    return read_files(settings, problem)


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no final number.
    """
    solution, mark, final = row.needed("answer").rpartition("####")
    gold = final.strip().replace(",", "").removeprefix("$")
    if not mark:
        raise ValueError("'answer' has no '####' before its final number")
    if not _NUMBER.fullmatch(gold):
        raise ValueError(f"{final.strip()!r} after '####' is not a number")
    return make(
        settings,
        row,
        name=name_of(row, "id"),
        statement=row.needed("question").strip(),
        gold=gold,
        extra={"solution": _CALCULATOR.sub("", solution).strip()},
    )

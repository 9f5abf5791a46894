"""AIME 2024 and 2025, in each of the layouts they are published in.

Qwen2.5-Math: `id` (60 … 89), `problem`, `solution`, `answer` ('025'), `url`; HuggingFaceH4 adds
`year`; Maxwell-Jia writes `ID` ('2024-I-4'), `Problem`, `Solution`, `Answer`; math-ai has no
`answer`: it is then the last box of the solution. Answers are whole numbers from 0 to 999, so
their leading zeros carry nothing and are dropped. The exam and the problem's number are read from
the url; the id is kept as it is.
"""

from __future__ import annotations

import re

from explorer.core.answers import last_box
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.reading import make, name_of, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_EXAM = re.compile(r"(20\d\d)_AIME_(I{1,2})_Problems(?:/Problem_(\d+))?")
_ID = re.compile(r"(20\d\d)-(I{1,2})-(\d+)")
_FRACTION = re.compile(r"\.0+$")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read an AIME; see `reading.read_files`."""
    return read_files(settings, problem, ("aime*.jsonl", "aime*.parquet"))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: its answer is not a whole number from 0 to 999.
    """
    name = name_of(row, "id", "ID")
    solution = row.text("Solution" if row.has("Solution") else "solution")
    has_answer = row.has("answer") or row.has("Answer")
    stated = row.needed("answer", "Answer") if has_answer else last_box(solution)
    gold = _FRACTION.sub("", stated.strip())
    if not re.fullmatch(r"[0-9]{1,3}", gold):
        raise ValueError(f"the answer {stated.strip()!r} is not a whole number from 0 to 999")
    exam = _EXAM.search(row.text("url")) or _ID.fullmatch(name)
    return make(
        settings,
        row,
        name=name,
        statement=row.needed("problem", "Problem", "question").strip(),
        gold=str(int(gold)),
        family=f"{exam[1]} AIME {exam[2]}" if exam else "",
        note=f"problem {exam[3]}" if exam and exam[3] else "",
        extra={"url": row.text("url"), "solution": solution},
    )

"""OlympiadBench's open-ended problems (He et al., 2024).

`id`, `subfield`, `context`, `question`, `solution` and `final_answer` (lists),
`is_multiple_answer`, `unit`, `answer_type`, `error`; the hub adds `image_1` … `image_9`,
`difficulty`, `question_type`.

A context stands before the question. `final_answer` has one text, also where `is_multiple_answer`
says that it names several values; its dollar signs are left out. `error` is the tolerance that the
authors allow; it, `unit`, `answer_type` and `is_multiple_answer` are kept for the verifier as
`tolerance`, `unit`, `answer_type`, `is_multiple_answer`. Theorems to prove have no final answer
and are left out.
"""

from __future__ import annotations

import re

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.images import unpack
from explorer.datasets.reading import make, name_of, one_line, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_IMAGES = tuple(f"image_{number}" for number in range(1, 10))
_DOLLAR = re.compile(r"(?<!\\)\$")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read OlympiadBench; see `reading.read_files`."""
    return read_files(settings, problem, ("olympiad*.jsonl", "OE_*.parquet", "OE_*.json"))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it is a theorem to prove, or has no final answer.
    """
    answers = row.texts("final_answer")
    if not answers or row.text("question_type").startswith("Theorem"):
        raise ValueError("a theorem to prove: there is no final answer to check")
    gold = ", ".join(_DOLLAR.sub("", answer).strip() for answer in answers)
    if not gold:
        raise ValueError("'final_answer' is empty")
    parts = (row.text("context").strip(), row.needed("question").strip())
    unit = _DOLLAR.sub("", row.text("unit")).strip()
    return make(
        settings,
        row,
        name=name_of(row, "id"),
        statement="\n\n".join(part for part in parts if part),
        gold=gold,
        family=one_line(row.text("subfield")),
        level=one_line(row.text("difficulty")),
        note=f"answer in {unit}" if unit else "",
        extra={
            "answer_type": row.text("answer_type"),
            "is_multiple_answer": bool(row.values.get("is_multiple_answer")) or None,
            "unit": unit,
            "tolerance": _tolerance(row),
            "solution": "\n\n".join(row.texts("solution")),
        },
        images=tuple(unpack(settings, row, row.values[name]) for name in _IMAGES if row.has(name)),
    )


def _tolerance(row: Row) -> float | None:
    text = row.text("error").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"'error' is {text!r}, not a number") from None

"""MathVista (Lu et al., 2024): one JSON object of rows by pid, or the hub's Parquet.

`pid`, `question`, `image`, `choices`, `unit`, `precision`, `answer`, `question_type` (multi_choice
or free_form), `answer_type` (text, integer, float or list), `metadata` (`task`, `grade`, `source`,
…); the hub adds `query` and `decoded_image`, and leaves answers of its test split empty.

The statement is the benchmark's own query: its hint, the question with its unit, the choices by
letter. The answer of a multiple-choice question is the text of the right choice. Task, grade and
source become family, level and note. `choices`, `letter`, `question_type`, `answer_type`,
`precision` and `unit` are kept for the verifier.
"""

from __future__ import annotations

from typing import Final

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.images import unpack
from explorer.datasets.reading import letter, make, one_line, read_files, with_choices
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_PATTERNS: Final = ("testmini.json", "annot_testmini.json", "testmini*.parquet")
_KINDS: Final = ("text", "integer", "float", "list")
_DECIMALS: Final = {1: "one decimal place", 2: "two decimal places"}
_EXAMPLES: Final = {1: "1.2, 1.3, 1.4", 2: "1.23, 1.34, 1.45"}


def read(settings: DatasetSettings) -> DatasetContents:
    """Read MathVista; see `reading.read_files`."""
    return read_files(settings, problem, _PATTERNS)


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it has no answer, no image, or an answer that is none of its choices.
    """
    choices, answer = row.texts("choices"), row.text("answer").strip()
    kind = row.needed("answer_type")
    if not answer:
        raise ValueError("no answer (the test split's are not published)")
    if kind not in _KINDS:
        raise ValueError(f"'answer_type' is {kind!r}, not one of {', '.join(_KINDS)}")
    if choices and answer not in [choice.strip() for choice in choices]:
        raise ValueError(f"the answer {answer!r} is none of the choices")
    places = [place for place, choice in enumerate(choices) if choice.strip() == answer]
    image = row.values["decoded_image"] if row.has("decoded_image") else row.needed("image")
    facts = row.table("metadata")
    return make(
        settings,
        row,
        name=row.needed("pid") if row.has("pid") else row.key,
        statement=row.text("query").strip() or query(row),
        gold=answer,
        family=one_line(str(facts.get("task") or "")),
        level=one_line(str(facts.get("grade") or "")),
        note=one_line(str(facts.get("source") or "")),
        extra={
            "question_type": row.text("question_type"),
            "answer_type": kind,
            "precision": _precision(row),
            "unit": row.text("unit"),
            "choices": list(choices) or None,
            "letter": letter(places[0]) if places else "",
        },
        images=(unpack(settings, row, image),),
    )


def query(row: Row) -> str:
    """What the benchmark asks: hint, question and unit, choices (evaluation/build_query.py)."""
    unit = row.text("unit")
    question = f"Question: {row.needed('question')}{f' (Unit: {unit})' if unit else ''}"
    asked = with_choices(question, row.texts("choices"))
    return f"Hint: Please answer the question {_hint(row)} at the end.\n{asked}"


def _hint(row: Row) -> str:
    kind, precision = row.text("answer_type"), _precision(row)
    if row.text("question_type") == "multi_choice":
        return "and provide the correct option letter, e.g., A, B, C, D,"
    if kind == "integer":
        return "requiring an integer answer and provide the final value, e.g., 1, 2, 3,"
    if kind == "list":
        lists = "[1, 2, 3], [1.2, 1.3, 1.4]"
        return f"requiring a Python list as an answer and provide the final list, e.g., {lists},"
    if kind == "float" and precision in _DECIMALS:
        number = f"a floating-point number with {_DECIMALS[precision]}"
        return f"requiring {number} and provide the final value, e.g., {_EXAMPLES[precision]},"
    return "and provide the final value"


def _precision(row: Row) -> int | None:
    text = row.text("precision").strip()
    try:
        return int(float(text)) if text else None
    except (ValueError, OverflowError):
        raise ValueError(f"'precision' is {text!r}, not a number") from None

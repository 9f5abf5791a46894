"""Which format a row has, by its fields: what `format = "auto"` asks.

Invariant: a format is named only on fields that no other format has together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Fields = Mapping[str, Any]

_OWN_QUESTION: Final = ("question", "statement", "problem")
_OWN_ANSWER: Final = ("answer", "gold", "tests")


def recognise(row: Fields) -> str:
    """The name of the format that this row has, '' if it has none that is known."""
    return next((name for name, fits in _SIGNS if fits(row)), "")


def _all(*columns: str) -> Callable[[Fields], bool]:
    return lambda row: all(column in row for column in columns)


def _text(row: Fields, column: str) -> str:
    return str(row.get(column) or "")


def _is_mbpp(row: Fields) -> bool:
    released = "base_input" in row and _text(row, "task_id").startswith("Mbpp/")
    return released or _all("test_list", "code", "prompt", "test")(row)


def _is_gsm8k(row: Fields) -> bool:
    return "question" in row and bool(re.search(r"####\s*-?[$\d]", _text(row, "answer")))


def _is_math(row: Fields) -> bool:
    subject = "subject" in row or "type" in row
    return "unique_id" in row and "problem" in row and subject


def _is_minerva(row: Fields) -> bool:
    return _all("problem", "solution", "type", "idx")(row) and "answer" not in row


def _is_own(row: Fields) -> bool:
    asks = any(column in row for column in _OWN_QUESTION)
    return "id" in row and asks and any(column in row for column in _OWN_ANSWER)


def _aime(year: str) -> Callable[[Fields], bool]:
    place = re.compile(rf"{year}_AIME_I|^{year}-I{{1,2}}-\d+$")
    return lambda row: any(place.search(_text(row, column)) for column in ("url", "ID", "id"))


_SIGNS: Final[tuple[tuple[str, Callable[[Fields], bool]], ...]] = (
    ("livecodebench", _all("question_content", "public_test_cases")),
    ("mathvista", _all("pid", "question_type", "answer_type")),
    ("mathvision", _all("id", "options", "image", "subject", "level")),
    ("olympiadbench", _all("final_answer", "is_multiple_answer")),
    ("leetcode", _all("task_id", "prompt_sft", "test")),
    ("mbpp-plus", _is_mbpp),
    ("humaneval-plus", _all("task_id", "entry_point", "base_input")),
    ("humaneval", _all("task_id", "entry_point", "canonical_solution", "test")),
    ("math500", _is_math),
    ("gsm8k", _is_gsm8k),
    ("minerva", _is_minerva),
    ("aime24", _aime("2024")),
    ("aime25", _aime("2025")),
    ("amc23", lambda row: "2023_AMC_" in _text(row, "url")),
    ("jsonl", _is_own),
)
"""Format and its signs; the first that fits wins."""

"""OpenAI's GSM8K example solutions: one row a problem, one column a model, each with its label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    Row,
    each_row,
    need_text,
    right_or_wrong,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.json_lines import RowFault

NAME: Final = "gsm8k-solutions"
TITLE: Final = "OpenAI's GSM8K example solutions"


def recognise(head: Head) -> Found | None:
    if head.kind != "lines" or not head.has("question", "ground_truth"):
        return None
    models = _models(head.row)
    if not models:
        return None
    return Found(
        NAME,
        TITLE,
        head.path,
        f"models {', '.join(models)}",
        conditions=Conditions(prompt="openai-gsm8k"),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    return each_row(json_rows(found.path, progress), found.path, _records)


def _records(row: Row, line: int) -> Iterator[Record]:
    problem = _problem(row, line)
    for model in _models(row):
        text = need_text(row[model], "solution")
        label = Label("is_correct", right_or_wrong(row[model].get("is_correct")), compared=True)
        yield Record(problem, text, line, (label,), model=model)


def _problem(row: Row, line: int) -> ProblemReference:
    gold = need_text(row, "ground_truth")
    return ProblemReference(
        dataset="gsm8k",
        id=str(line - 1),
        statement=need_text(row, "question"),
        gold=gold.rpartition("####")[2].rpartition("\nA:")[2].strip(),
    )


def _models(row: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in row.items()
        if isinstance(value, dict) and "solution" in value and "is_correct" in value
    ]

"""LiveCodeBench outputs: one element a problem, with lists over its samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from explorer.exchange.sources.base import (
    Companion,
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    each_row,
    need_texts,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.reading import Progress, json_elements
from explorer.json_lines import RowFault

NAME: Final = "livecodebench"
TITLE: Final = "LiveCodeBench outputs"

_FILE: Final = re.compile(
    r"(?P<scenario>.+?)_(?P<n>\d+)_(?P<temperature>\d+(?:\.\d+)?)(?P<cot>_cot)?(?P<part>_eval_all)?"
    r"(?:_[\w-]+)?\.json"
)


def recognise(head: Head) -> Found | Companion | None:
    if head.kind != "list":
        return None
    named = _FILE.fullmatch(head.name)
    if not head.has("question_id", "output_list"):
        is_scores = named is not None and head.name.endswith("_eval.json")
        return Companion(TITLE) if is_scores else None
    whole = head.name.removesuffix(".json") + "_eval_all.json"
    if (head.path.parent / whole).is_file():
        return Companion(f"{TITLE}; they are in {whole} with their grades")
    temperature = float(named["temperature"]) if named else None
    stem = head.name.removesuffix(".json").removesuffix("_eval_all")
    return Found(
        NAME,
        TITLE,
        head.path,
        "T unknown" if temperature is None else f"T {temperature:g}",
        model=head.model or stem,
        conditions=Conditions(
            temperature=temperature,
            prompt="livecodebench cot" if named and named["cot"] else "livecodebench",
        ),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_elements(found.path, progress)
    return each_row(rows, found.path, lambda value, row: _records(value, row))


def _records(value: Any, row: int) -> list[Record]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    texts = need_texts(value, "output_list")
    grades = value.get("graded_list")
    if grades is not None and (not isinstance(grades, list) or len(grades) != len(texts)):
        raise ValueError("'graded_list' has not as many values as 'output_list'")
    starter = text_of(value.get("starter_code"))
    statement = text_of(value.get("question_content"))
    problem = ProblemReference(
        "livecodebench",
        text_of(value.get("question_id")),
        f"{statement}\n\n{starter}" if starter else statement,
        "",
        verifier="code",
        unique_id=True,
        level=text_of(value.get("difficulty")),
        family=text_of(value.get("platform")),
    )
    return [
        Record(
            problem,
            text,
            row,
            (Label("graded", right_or_wrong(grades[place]), compared=True),) if grades else (),
            note="" if text else "empty in the file",
        )
        for place, text in enumerate(texts)
    ]

"""OpenAI HumanEval and EvalPlus samples, and HumanEval's `_results.jsonl`.

`completion` is a body that continues the prompt, `solution` a whole programme; a solution wins.
Samples whose results lie beside them are read from the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from explorer.exchange.sources import evalplus
from explorer.exchange.sources.base import (
    Companion,
    Conditions,
    Found,
    Label,
    Record,
    Row,
    each_row,
    need_text,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.json_lines import RowFault

NAME: Final = "human-eval"
TITLE: Final = "HumanEval / EvalPlus samples"


def recognise(head: Head) -> Found | Companion | None:
    if head.kind != "lines" or not head.has("task_id"):
        return None
    if not (head.has("completion") or head.has("solution")):
        return None
    results = head.name.endswith("_results.jsonl")
    if not results:
        for beside in _results_beside(head):
            if (head.path.parent / beside).is_file():
                return Companion(f"{TITLE}; their results are in {beside}")
    stem = head.name.removesuffix("_results.jsonl").removesuffix(".jsonl")
    named = evalplus.parse_name(stem)
    return Found(
        NAME,
        TITLE + (" with results" if results else ""),
        head.path,
        named.detail,
        model=named.model or head.model or stem,
        conditions=Conditions(temperature=named.temperature, prompt="human-eval"),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, line: [_record(row, line)])


def _record(row: Row, line: int) -> Record:
    name = need_text(row, "task_id")
    column = "solution" if isinstance(row.get("solution"), str) else "completion"
    labels: tuple[Label, ...] = ()
    if "passed" in row:
        said = text_of(row.get("result"))[:200]
        labels = (Label("passed", right_or_wrong(row["passed"]), said, compared=True),)
    return Record(evalplus.task_reference(name), need_text(row, column), line, labels)


def _results_beside(head: Head) -> tuple[str, ...]:
    stem = head.name.removesuffix(".jsonl")
    return (f"{head.path.name}_results.jsonl", f"{stem}_eval_results.json",
            f"{stem}.eval_results.json")  # fmt: skip

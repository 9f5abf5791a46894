"""BigCode's evaluation harness: generations (a list of lists) and execution results with texts.

Results are known that repeat a task's first text for each of its attempts, each with the result of
another text. So the texts come from the generations where those lie beside the results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from explorer.core.code_tests import CodeTests, TestKind
from explorer.exchange.sources.base import (
    Companion,
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    Row,
    each_row,
    need_text,
    text_of,
)
from explorer.exchange.sources.head import Head, unsanitised
from explorer.exchange.sources.reading import JsonDocument, Progress, json_elements, read_json
from explorer.json_lines import RowFault

NAME: Final = "bigcode"
TITLE: Final = "BigCode evaluation harness"

_GENERATIONS: Final = re.compile(r"(?P<model>.+?)_generations_(?P<task>.+?)(?:_n\d+)?\.json")
_FUNCTION: Final = re.compile(r"^def\s+(\w+)\s*\(", re.MULTILINE)


def recognise(head: Head) -> Found | Companion | None:
    if head.kind != "list":
        return None
    if head.has("task_id", "model_output", "result"):
        beside = tuple(sorted(head.path.parent.glob("*_generations_*.json")))[:1]
        detail = "execution results" + (f", texts from {beside[0].name}" if beside else "")
        return _found(head, detail, _task(head.path.parent) or "humaneval", beside)
    texts = head.element
    if not (isinstance(texts, list) and texts and all(isinstance(one, str) for one in texts)):
        return None
    if any(_is_results(path) for path in sorted(head.path.parent.glob("*result*.json"))):
        return Companion(f"{TITLE}; its texts are in the results beside it")
    named = _GENERATIONS.fullmatch(head.name)
    return _found(head, "generations, not executed", named["task"] if named else "")


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    task = found.facts["task"]
    texts = read_json(found.companions[0]) if found.companions else None
    others = 0

    def records(value: Any, row: int) -> list[Record]:
        nonlocal others
        if not isinstance(value, dict):
            return _generations(value, row, task)
        record = _result(value, row, task)
        generated = _generated(texts, value)
        if generated not in ("", record.text):
            others += 1
            record.text = generated
        return [record]

    yield from each_row(json_elements(found.path, progress), found.path, records)
    if others:
        found.facts["remarks"].append(
            f"{others:,} results hold another text than the one that they are of; the texts are"
            f" those of {found.companions[0].name}"
        )


def _result(row: Row, number: int, task: str) -> Record:
    said = text_of(row.get("result"))
    why = text_of(row.get("failed_reason"))
    value = {"passed": 1.0, "failed": 0.0, "timed out": 0.0}.get(said)
    label = Label("result", value, said if why in ("", "N/A") else f"{said}: {why}"[:200], True)
    prompt = need_text(row, "prompt")
    names = _FUNCTION.findall(prompt)
    tests = None
    if names and isinstance(row.get("reference_testdata"), str):
        tests = CodeTests(
            TestKind.CHECK, entry_point=names[-1], prompt=prompt, code=row["reference_testdata"]
        )
    problem = ProblemReference(
        task,
        _name(task, row.get("task_id")),
        prompt,
        "",
        verifier="code",
        unique_id=task == "humaneval",
        tests=tests,
    )
    return Record(problem, need_text(row, "model_output"), number, (label,))


def _generated(texts: Any, row: Row) -> str:
    """The text that a result is of, '' if the generations do not hold it."""
    number, attempt = row.get("task_id"), row.get("attempt")
    if not isinstance(texts, list) or type(number) is not int or type(attempt) is not int:
        return ""
    if not 0 <= number < len(texts) or not isinstance(texts[number], list):
        return ""
    if not 0 <= attempt < len(texts[number]):
        return ""
    text = texts[number][attempt]
    return text if isinstance(text, str) else ""


def _generations(texts: Any, number: int, task: str) -> list[Record]:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a list of texts")
    name = _name(task, number - 1)
    unique = task == "humaneval"
    problem = ProblemReference(task, name, "", "", verifier="code", unique_id=unique)
    return [Record(problem, text, number) for text in texts]


def _name(task: str, number: object) -> str:
    return f"HumanEval/{number}" if task == "humaneval" else text_of(number)


def _found(head: Head, detail: str, task: str, companions: tuple[Path, ...] = ()) -> Found:
    return Found(
        NAME,
        TITLE,
        head.path,
        detail,
        model=_model(head.path) or head.model or head.path.stem,
        conditions=Conditions(prompt="bigcode"),
        companions=companions,
        facts={"task": task, "remarks": []},
    )


def _model(path: Path) -> str:
    """From the name of the generations; of results, from that of the generations beside them."""
    for one in (path, *sorted(path.parent.glob("*_generations_*.json"))):
        named = _GENERATIONS.fullmatch(one.name)
        if named:
            return unsanitised(named["model"])
    return ""


def _task(folder: Path) -> str:
    names = (_GENERATIONS.fullmatch(path.name) for path in sorted(folder.glob("*_generations_*")))
    return next((named["task"] for named in names if named), "")


def _is_results(path: Path) -> bool:
    try:
        with JsonDocument(path) as document:
            first = next(document.elements(), None)
    except ValueError:
        return False
    return isinstance(first, dict) and {"task_id", "model_output", "result"} <= first.keys()

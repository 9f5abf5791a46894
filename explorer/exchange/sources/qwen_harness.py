"""Qwen2.5-Math's evaluation harness, and SimpleRL's and limit-of-RLVR's copies of it.

One row is a problem with lists over its samples (`code`, `pred`, `score`). The prompt type, seed
and temperature are only in the file's name. Texts were stripped and cut at stop strings, among
them some that occur in natural text ('\\n\\nQuestion:'); such rows are marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from explorer.core.completion import FinishReason
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
    need_texts,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head, model_above
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.json_lines import RowFault

NAME: Final = "qwen-harness"
TITLE: Final = "Qwen2.5-Math / SimpleRL / limit-of-RLVR evaluation"

_FILE: Final = re.compile(
    r"(?:(?P<dataset>[A-Za-z0-9+.-]\w*?)_)??(?P<split>test|train|val|validation|dev)_"
    r"(?P<prompt>.+)_(?P<most>-?\d+)_seed(?P<seed>\d+)_t(?P<temperature>\d+(?:\.\d+)?)"
    r"_s(?P<start>\d+)_e(?P<end>-?\d+)\.jsonl"
)
_STEP: Final = re.compile(r"(?:global_)?step_?\d+|checkpoint-\d+|actor", re.IGNORECASE)

_LONGEST_ANSWER: Final = 300
"""Characters; a longer `answer` is a solution (GSM8K's)."""

_FINISHES: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


def recognise(head: Head) -> Found | Companion | None:
    if head.kind == "object" and head.name.endswith("_metrics.json"):
        return Companion(TITLE) if "acc" in head.members else None
    if head.kind != "lines" or not head.has("idx", "question", "code"):
        return None
    named = _FILE.fullmatch(head.name)
    if named is None:
        return Found(
            NAME,
            TITLE,
            head.path,
            "the file's name says neither prompt nor temperature",
            model=head.model or head.path.name.partition(".")[0],
            facts={"dataset": "", "seed": 0},
        )
    temperature = float(named["temperature"])
    folder = head.path.resolve().parent
    dataset = named["dataset"] or folder.name
    above = folder if named["dataset"] else folder.parent
    span = "" if (named["start"], named["end"]) == ("0", "-1") else _span(named)
    return Found(
        NAME,
        TITLE,
        head.path,
        f"{dataset} {named['split']}, prompt {named['prompt']}, seed {named['seed']},"
        f" T {temperature:g}{span}",
        model=_model(above / "x") or dataset,
        conditions=Conditions(
            temperature=temperature,
            top_p=1.0 if temperature == 0 else None,  # the harness sets it so
            prompt=named["prompt"],
        ),
        facts={"dataset": dataset, "seed": int(named["seed"])},
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, line: _records(row, line, found))


def _records(row: Row, line: int, found: Found) -> list[Record]:
    texts = need_texts(row, "code")
    problem = ProblemReference(
        dataset=found.facts["dataset"],
        id=text_of(row.get("idx")),
        statement=need_text(row, "question"),
        gold=_gold(row),
        level=text_of(row.get("level")),
        family=text_of(row.get("type")) or text_of(row.get("subfield")),
    )
    columns = {name: _list(row, name, len(texts)) for name in ("score", "pred", "finish_reason")}
    stops = stop_strings(found.conditions.prompt)
    return [
        Record(
            problem,
            text,
            line,
            labels=_labels(score, pred),
            seed=found.facts["seed"],
            finish=_FINISHES.get(text_of(finish), FinishReason.UNKNOWN),
            note=_note(text, text_of(finish), stops),
        )
        for text, score, pred, finish in zip(texts, *columns.values(), strict=True)
    ]


def _gold(row: Row) -> str:
    """The benchmark's own answer; `gt` is what the harness made of it, now and then damaged."""
    answer = row.get("answer")
    if not isinstance(answer, str) or not answer.strip() or len(answer) > _LONGEST_ANSWER:
        return text_of(row.get("gt"))
    is_solution = "####" in answer or "\n\n" in answer
    return text_of(row.get("gt")) if is_solution else answer.strip()


def stop_strings(prompt_type: str) -> tuple[str, ...]:
    """The stop strings of a prompt type that can occur in ordinary text."""
    if prompt_type == "cot":
        return ("\n\nQuestion:",)
    if prompt_type in ("pal", "tool-integrated", "jiuzhang_tora"):
        return ("\n\n---", "```output")
    if prompt_type in ("wizard_zs", "platypus_fs"):
        return ("Instruction", "Response")
    for part, stop in (("jiuzhang", "\n\n## Question"), ("numina", "\n### Problem")):
        if part in prompt_type:
            return (stop,)
    return ("\n\n\n",) if "pure" in prompt_type else ()


def _note(text: str, finish: str, stops: tuple[str, ...]) -> str:
    if not text:
        return "empty in the file"
    if "```output" in text:
        return "may hold output that the harness put in (```output)"
    if stops and finish != "length" and "boxed" not in text and "answer is" not in text:
        said = " or ".join(repr(stop)[1:-1] for stop in stops)
        return f"no final answer: perhaps cut at a stop string ({said})"
    return ""


def _labels(score: object, pred: object) -> tuple[Label, ...]:
    if score is None:
        return ()
    return (Label("score", right_or_wrong(score), text_of(pred)[:200], compared=True),)


def _list(row: Row, column: str, length: int) -> list[Any]:
    values = row.get(column)
    if values is None:
        return [None] * length
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"'{column}' has not as many values as 'code'")
    return values


def _model(path: Any) -> str:
    """The model's folder; a training step keeps the name of its run before it."""
    nearest = model_above(path)
    if not _STEP.fullmatch(nearest):
        return nearest
    for folder in path.resolve().parents:
        if folder.name == nearest:
            run = model_above(folder)
            return f"{run} {nearest}" if run else nearest
    return nearest


def _span(named: re.Match[str]) -> str:
    end = "the end" if named["end"] == "-1" else named["end"]
    return f", problems {named['start']} to {end}"

"""verl's rollout and validation dumps, and its `main_generation` parquet with `results.json`.

The dumps hold prompts and answers decoded without special tokens; every step of training is
another checkpoint, so steps are never pooled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

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
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import asked_text
from explorer.exchange.sources.reading import Progress, json_rows, parquet_rows, read_json
from explorer.json_lines import RowFault

NAME: Final = "verl"
TITLE: Final = "verl rollouts"

_PLAIN: Final = frozenset({"input", "output", "gts", "score", "step", "request_id", "uid"})
_LABELS_KEPT: Final = 8


def recognise(head: Head) -> Found | Companion | None:
    if head.kind == "parquet" and head.has("responses", "prompt"):
        results = head.path.with_name("results.json")
        scored = results.is_file()
        return Found(
            NAME,
            "verl main_generation",
            head.path,
            "scored by results.json" if scored else "no results.json beside it: no labels",
            model=head.model or head.path.stem,
            conditions=Conditions(prompt="verl main_generation"),
            companions=(results,) if scored else (),
        )
    if head.kind == "list" and head.name == "results.json":
        return Companion("verl main_generation")
    if head.kind != "lines" or not head.has("input", "output", "score"):
        return None
    return Found(
        NAME,
        TITLE,
        head.path,
        f"step {head.row['step']}" if "step" in head.row else "step unknown",
        model=head.model or head.path.stem,
        conditions=Conditions(prompt="verl"),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    if found.path.suffix != ".parquet":
        rows = json_rows(found.path, progress)
        return each_row(rows, found.path, lambda row, line: [_dumped(row, line, found)])
    scores = read_json(found.companions[0]) if found.companions else None
    rows = parquet_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, number: _responses(row, number, scores))


def _dumped(row: Row, number: int, found: Found) -> Record:
    text = need_text(row, "output")
    statement, gold = asked_text(need_text(row, "input")), truth(row.get("gts"))
    extras = {
        name: value
        for name, value in row.items()
        if name not in _PLAIN and right_or_wrong(value) is not None
    }
    decisive = "acc" if "acc" in extras else "score"
    labels = [
        Label(name, right_or_wrong(value), compared=name == decisive)
        for name, value in {"score": row.get("score"), **extras}.items()
    ]
    step = text_of(row.get("step"))
    return Record(
        ProblemReference("", "", statement, gold, verifier_for(statement, gold)),
        text,
        number,
        tuple(labels[:_LABELS_KEPT]),
        conditions=Conditions(prompt="verl", step=f"step {step}") if step else found.conditions,
        note="" if text else "empty in the file",
    )


def _responses(row: Row, number: int, scores: Any) -> list[Record]:
    texts = need_texts(row, "responses")
    extra, model = row.get("extra_info"), row.get("reward_model")
    statement = asked_text(row.get("prompt"))
    gold = truth(model)
    problem = ProblemReference(
        text_of(row.get("data_source")).rpartition("/")[2],
        text_of(extra.get("index")) if isinstance(extra, Mapping) else "",
        statement,
        gold,
        verifier_for(statement, gold),
    )
    values = scores[number - 1] if isinstance(scores, list) and number <= len(scores) else None
    if not isinstance(values, list) or len(values) != len(texts):
        values = None
    return [
        Record(
            problem,
            text,
            number,
            (Label("score", right_or_wrong(values[place]), compared=True),) if values else (),
            note="" if text else "empty in the file",
        )
        for place, text in enumerate(texts)
    ]


def truth(value: object) -> str:
    """A reference answer: text, a number, a list of one, or `{"ground_truth": …}`."""
    if isinstance(value, Mapping):
        return truth(value.get("ground_truth", value.get("target")))
    if isinstance(value, list):
        return truth(value[0]) if value else ""
    return text_of(value)

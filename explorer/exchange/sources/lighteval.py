"""lighteval's details: `details/<model>/<time>/details_<task>_<time>.parquet`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    ProblemReference,
    RawTokens,
    Record,
    Row,
    each_row,
    logprobs_for,
    right_or_wrong,
    text_of,
    token_ids,
)
from explorer.exchange.sources.head import Head, model_above
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import asked_in
from explorer.exchange.sources.reading import Progress, parquet_rows
from explorer.json_lines import RowFault

NAME: Final = "lighteval"
TITLE: Final = "lighteval details"

_FILE: Final = re.compile(r"details_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT.+)\.parquet")


def recognise(head: Head) -> Found | None:
    if head.kind != "parquet":
        return None
    short, long = ("doc", "model_response"), ("__doc__", "__model_response__")
    if not (head.has(*short) or head.has(*long)):
        return None
    named = _FILE.fullmatch(head.name)
    task = named["task"] if named else head.path.stem
    parts = task.split("|")
    return Found(
        NAME,
        TITLE,
        head.path,
        f"task {task}",
        model=_model(head.path),
        conditions=Conditions(prompt="lighteval"),
        run=head.name,
        facts={"dataset": parts[1] if len(parts) > 1 else parts[0]},
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = parquet_rows(found.path, progress)
    return each_row(
        rows, found.path, lambda row, number: _records(row, number, found.facts["dataset"])
    )


def _records(row: Row, number: int, dataset: str) -> list[Record]:
    doc, response = _part(row, "doc"), _part(row, "model_response")
    texts = response.get("text")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("'model_response.text' is not a list of texts")
    statement, gold = asked_in(text_of(doc.get("query"))), _gold(doc)
    problem = ProblemReference(
        dataset,
        text_of(doc.get("id")) or str(number - 1),
        statement,
        gold,
        verifier_for(statement, gold),
    )
    tokens, logprobs = response.get("output_tokens"), response.get("logprobs")
    metric = row.get("metric", row.get("__metric__"))
    records = []
    for place, text in enumerate(texts):
        records.append(
            Record(
                problem,
                text,
                number,
                _labels(metric, len(texts)),
                tokens=_tokens(_at(tokens, place), _at(logprobs, place)),
                note="" if text else "empty in the file",
            )
        )
    return records


def _labels(metric: object, n: int) -> tuple[Label, ...]:
    """The row's metrics; of several answers they are about all, so nothing is compared."""
    if not isinstance(metric, Mapping):
        return ()
    known = {
        str(name): value
        for name, said in metric.items()
        if (value := right_or_wrong(said)) is not None
    }
    return tuple(
        Label(name, value, compared=place == 0 and n == 1)
        for place, (name, value) in enumerate(known.items())
    )


def _tokens(ids: object, logprobs: object) -> RawTokens | None:
    if not isinstance(ids, list) or not ids:
        return None
    whole = token_ids(ids, "output_tokens")
    return RawTokens(
        whole, logprobs_for(logprobs, whole, "logprobs") if isinstance(logprobs, list) else None
    )


def _at(values: object, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None


def _gold(doc: Mapping[str, Any]) -> str:
    choices, index = doc.get("choices"), doc.get("gold_index")
    if isinstance(index, list):
        index = index[0] if index else None
    if isinstance(choices, list) and type(index) is int and 0 <= index < len(choices):
        return text_of(choices[index])
    return ""


def _part(row: Row, name: str) -> Mapping[str, Any]:
    value = row.get(name, row.get(f"__{name}__"))
    if not isinstance(value, Mapping):
        raise ValueError(f"'{name}' is missing")
    return value


def _model(path: Path) -> str:
    """Of `details/<owner>/<model>/<time>/`, what stands between 'details' and the time."""
    parts = path.resolve().parts[:-1]
    if "details" in parts:
        at = len(parts) - 1 - parts[::-1].index("details")
        between = parts[at + 1 : -1]
        if between:
            return "/".join(between)
    return model_above(path) or path.stem

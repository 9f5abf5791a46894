"""EvalPlus results: for every sample whether it passes the base tests and the extended ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    anchor,
    need_text,
)
from explorer.exchange.sources.head import Head, unsanitised
from explorer.exchange.sources.reading import JsonDocument, Progress
from explorer.json_lines import RowFault

NAME: Final = "evalplus"
TITLE: Final = "EvalPlus results"

_SUFFIX: Final = re.compile(r"[._]eval_results\.json$")
_DATASET: Final = re.compile(r"^(humaneval|mbpp)(?:\+|plus)?(?:__|--|_)", re.IGNORECASE)
_BACKEND: Final = re.compile(
    r"_(?:vllm|hf|openai|anthropic|google|bedrock|gptqmodel|sglang|ollama)_temp_"
    r"(?P<temperature>\d+(?:\.\d+)?).*$"
)


class NamedParts(NamedTuple):
    """What a file's name says."""

    model: str
    temperature: float | None
    detail: str


def parse_name(stem: str) -> NamedParts:
    """`<dataset>__<model>_<backend>_temp_<T>`, of which any part may be missing."""
    stem = stem.removesuffix(".raw").removesuffix("-sanitized")
    rest = _DATASET.sub("", stem)
    backend = _BACKEND.search(rest)
    temperature = float(backend["temperature"]) if backend else None
    if backend is None and rest == stem:
        return NamedParts("", None, "the file's name says no settings")
    model = unsanitised(_BACKEND.sub("", rest))
    said = "T unknown" if temperature is None else f"T {temperature:g}"
    return NamedParts(model, temperature, said)


def recognise(head: Head) -> Found | None:
    if head.kind != "object" or not {"hash", "eval"} <= head.members.keys():
        return None
    stem = _SUFFIX.sub("", head.name)
    named = parse_name(stem)
    return Found(
        NAME,
        TITLE,
        head.path,
        named.detail,
        model=named.model or head.model or stem,
        conditions=Conditions(temperature=named.temperature, prompt="human-eval"),
        run=_run_of_samples(head.path.with_name(f"{stem}.jsonl")),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    row = 0
    try:
        with JsonDocument(found.path, progress) as document:
            for key in document.members():
                if key != "eval":
                    document.value()
                    continue
                for task in document.members():
                    samples = document.value()
                    for sample in samples if isinstance(samples, list) else (samples,):
                        row += 1
                        yield _record(found, task, sample, row)
    except ValueError as error:
        yield RowFault(found.path, row + 1, str(error))


def _run_of_samples(samples: Path) -> str:
    """The run of the samples that were judged: results come in another order than those."""
    if not samples.is_file():
        return ""
    first = Head(samples).row
    name, text = first.get("task_id"), first.get("solution", first.get("completion"))
    if not isinstance(name, str) or not isinstance(text, str):
        return ""
    return anchor(task_reference(name), text)


def task_reference(name: str) -> ProblemReference:
    """A task of HumanEval or MBPP; the files hold no statement."""
    dataset = name.partition("/")[0].lower()
    return ProblemReference(dataset, name, "", "", verifier="code", unique_id=True)


def _record(found: Found, task: str, sample: Any, row: int) -> Record | RowFault:
    if not isinstance(sample, dict) or "solution" not in sample:
        return RowFault(found.path, row, f"{task}: a result without its solution")
    try:
        text = need_text(sample, "solution")
    except ValueError as error:
        return RowFault(found.path, row, f"{task}: {error}")
    return Record(task_reference(task), text, row, _labels(sample))


def _labels(sample: Mapping[str, Any]) -> tuple[Label, ...]:
    """The plus tests come on top of the base tests: passing them alone solves nothing."""
    base, plus = sample.get("base_status"), sample.get("plus_status")
    labels = []
    value = _STATUS.get(base) if isinstance(base, str) else None
    if isinstance(base, str):
        labels.append(Label("base", value, base, compared=True))
    if isinstance(plus, str):
        both = _STATUS.get(plus)
        both = min(both, value) if both is not None and value is not None else both
        labels.append(Label("plus", both, plus))
    return tuple(labels)


_STATUS: Final = {"pass": 1.0, "fail": 0.0, "timeout": 0.0, "success": 1.0, "failed": 0.0}

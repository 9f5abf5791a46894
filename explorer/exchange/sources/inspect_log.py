"""Inspect's logs: `.eval` zips (also of a run that is still going) and `.json` documents.

Epochs of a sample are its samples. Long texts stand apart from the messages (`attachment://…`)
and are put back.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

from explorer.core.completion import FinishReason
from explorer.errors import DataError
from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    each_row,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import answer_text, asked_text, content_text
from explorer.exchange.sources.reading import LARGEST_VALUE, JsonDocument, Progress
from explorer.json_lines import RowFault, mended

NAME: Final = "inspect"
TITLE: Final = "Inspect log"

_HEADERS: Final = ("header.json", "_journal/start.json")
_ATTACHMENT: Final = re.compile(r"(?:attachment|tc)://([0-9a-f]{32})")
_SCORES: Final = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_FINISHES: Final = {
    "stop": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
}


def recognise(head: Head) -> Found | None:
    if head.kind == "zip":
        if not any(name in head.entries for name in _HEADERS):
            return None
        header = _zip_header(head)
    elif head.kind == "object" and {"version", "eval"} <= head.members.keys():
        header = head.members
    else:
        return None
    evaluation = _mapping(header.get("eval"))
    dataset = text_of(_mapping(evaluation.get("dataset")).get("name"))
    task = text_of(evaluation.get("task")).rpartition("/")[2]
    status = text_of(header.get("status")) or "still running"
    conditions = _conditions(header)
    known = conditions.temperature
    return Found(
        NAME,
        TITLE,
        head.path,
        f"task {task}, {status}, T {'unknown' if known is None else f'{known:g}'}",
        model=text_of(evaluation.get("model")) or head.path.stem,
        conditions=conditions,
        run=text_of(evaluation.get("eval_id")) or text_of(evaluation.get("run_id")),
        facts={"dataset": dataset.rpartition("/")[2] or task},
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    samples = _json_samples if found.path.suffix == ".json" else _zip_samples
    rows = samples(found, progress)
    return each_row(
        rows, found.path, lambda sample, number: [_record(sample, number, found.facts["dataset"])]
    )


def _json_samples(found: Found, progress: Progress) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with JsonDocument(found.path, progress) as document:
            for key in document.members():
                if key != "samples" or document.peek() != "[":
                    document.value()
                    continue
                for sample in document.elements():
                    number += 1
                    yield number, sample
    except ValueError as error:
        yield number + 1, RowFault(found.path, number + 1, str(error))


def _zip_samples(found: Found, progress: Progress) -> Iterator[tuple[int, Any]]:
    with zipfile.ZipFile(found.path) as archive:
        entries = [one for one in archive.infolist() if one.filename.startswith("samples/")]
        progress.total = sum(one.compress_size for one in entries)
        for number, entry in enumerate(entries, 1):
            progress.done += entry.compress_size
            yield number, _entry(archive, entry, number, found)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, number: int, found: Found) -> Any:
    if entry.file_size > LARGEST_VALUE:
        reason = f"{entry.filename}: more than {LARGEST_VALUE >> 20} MiB"
        return RowFault(found.path, number, reason)
    try:
        text = archive.read(entry).decode("utf-8", "replace")
        value = json.loads(text, strict=False)
        return mended(value) if "\\ud" in text.lower() else value
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RecursionError) as error:
        return RowFault(found.path, number, f"{entry.filename}: {error}")


def _zip_header(head: Head) -> Mapping[str, Any]:
    try:
        with zipfile.ZipFile(head.path) as archive:
            name = next(name for name in _HEADERS if name in head.entries)
            return _mapping(json.loads(archive.read(name)))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{head.path.name} is a damaged Inspect log", f"{head.path}: {error}.", ""
        ) from error


def _record(sample: Any, number: int, dataset: str) -> Record:
    if not isinstance(sample, Mapping) or "input" not in sample:
        raise ValueError("not a sample")
    transcript = _mapping(sample.get("transcript"))
    attached = {
        **_mapping(transcript.get("content")),
        **_mapping(sample.get("attachments")),
    }
    output = _mapping(_restored(sample.get("output"), attached))
    choices = output.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    text, notes = _text(_restored(sample.get("messages"), attached), output, choice)
    given = _restored(sample.get("input"), attached)
    statement = asked_text(given) if isinstance(given, list) else text_of(given)
    options = sample.get("choices") or []
    options = [text_of(one) for one in options] if isinstance(options, list) else []
    if options:
        lettered = (f"{chr(65 + place)}) {one}" for place, one in enumerate(options))
        statement = "\n".join([statement, *lettered])
    gold = text_of(sample.get("target")).strip()
    if sample.get("error"):
        notes.append(
            "this sample failed: " + text_of(_mapping(sample["error"]).get("message"))[:80]
        )
    return Record(
        ProblemReference(
            dataset,
            text_of(sample.get("id")),
            statement,
            gold,
            verifier_for(statement, gold),
            choices=tuple(options),
        ),
        text,
        number,
        _labels(sample),
        finish=_FINISHES.get(text_of(choice.get("stop_reason")), FinishReason.UNKNOWN),
        mean_logprob=_mean_logprob(choice),
        note=", ".join(notes),
    )


def _text(
    messages: object, output: Mapping[str, Any], choice: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """The answer; of several turns all that followed the first one."""
    every = messages if isinstance(messages, list) else []
    listed = [one for one in every if isinstance(one, Mapping)]
    spoken = [place for place, one in enumerate(listed) if one.get("role") == "assistant"]
    if len(spoken) > 1:
        text, turns = answer_text(listed[spoken[0] :])
        return text, [f"{turns} turns as one text"]
    message = _mapping(choice.get("message"))
    text = answer_text([message])[0] if message else content_text(output.get("completion", ""))
    return text, [] if text else ["empty in the file"]


def _labels(sample: Mapping[str, Any]) -> tuple[Label, ...]:
    scores = _mapping(sample.get("scores"))
    if not scores and isinstance(sample.get("score"), Mapping):
        scores = {"score": sample["score"]}
    labels = []
    for place, (name, score) in enumerate(scores.items()):
        said = _mapping(score).get("value")
        value = _SCORES.get(said) if isinstance(said, str) else right_or_wrong(said)
        answer = text_of(_mapping(score).get("answer"))[:200]
        labels.append(Label(str(name), value, answer or text_of(said), compared=place == 0))
    return tuple(labels)


def _mean_logprob(choice: Mapping[str, Any]) -> float | None:
    content = _mapping(choice.get("logprobs")).get("content")
    if not isinstance(content, list) or not content:
        return None
    values = [right_or_wrong(_mapping(one).get("logprob")) for one in content]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _restored(value: Any, attached: Mapping[str, Any]) -> Any:
    """The value with the texts that stand apart put back."""
    if isinstance(value, str):
        if "://" not in value:
            return value
        return _ATTACHMENT.sub(lambda match: str(attached.get(match[1], match[0])), value)
    if isinstance(value, list):
        return [_restored(one, attached) for one in value]
    if isinstance(value, dict):
        return {name: _restored(one, attached) for name, one in value.items()}
    return value


def _conditions(header: Mapping[str, Any]) -> Conditions:
    plan = _mapping(header.get("plan"))
    said = {**_mapping(_mapping(header.get("eval")).get("model_generate_config"))}
    for step in plan.get("steps") or ():
        parameters = _mapping(_mapping(step).get("params"))
        if type(parameters.get("max_tokens")) is int:
            said["max_tokens"] = parameters["max_tokens"]
    said |= _mapping(plan.get("config"))
    whole = {name: said[name] for name in ("max_tokens", "top_k") if type(said.get(name)) is int}
    stop = said.get("stop_seqs")
    return Conditions(
        temperature=right_or_wrong(said.get("temperature")),
        top_p=right_or_wrong(said.get("top_p")),
        top_k=whole.get("top_k"),
        max_tokens=whole.get("max_tokens"),
        stop=tuple(one for one in stop if isinstance(one, str)) if isinstance(stop, list) else (),
        prompt="inspect",
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

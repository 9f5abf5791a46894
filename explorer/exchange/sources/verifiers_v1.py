"""verifiers' and prime-rl's `traces.jsonl` (version 1): exact token ids and log-probabilities.

A line is an episode with traces, or a trace. A trace is a chain of nodes; in one that the model
sampled, `mask` marks the tokens that it drew, and `logprobs` has one number for each of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from explorer.core.completion import FinishReason
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
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import answer_text, asked_text
from explorer.exchange.sources.reading import Progress, json_rows, read_json
from explorer.exchange.sources.verl import truth
from explorer.json_lines import RowFault

NAME: Final = "verifiers-traces"
TITLE: Final = "verifiers / prime-rl traces"

_QUESTION: Final = ("question", "prompt", "problem", "input", "instruction")
_GOLD: Final = ("answer", "gold", "target", "ground_truth", "solution")
_CUT: Final = ("max_tokens", "length", "truncat", "context")


def recognise(head: Head) -> Found | None:
    if head.kind != "lines" or not (_is_trace(head.row) or _is_episode(head.row)):
        return None
    settings = _settings(head.path)
    step = next((p.name for p in head.path.resolve().parents if p.name.startswith("step_")), "")
    sampling = settings.get("sampling_args", settings.get("sampling", {}))
    sampling = sampling if isinstance(sampling, dict) else {}
    return Found(
        NAME,
        TITLE,
        head.path,
        step.replace("_", " ") or "an evaluation",
        model=_model(settings) or head.model or head.path.stem,
        conditions=Conditions(
            temperature=right_or_wrong(sampling.get("temperature")),
            prompt="verifiers-traces",
            step=step.replace("_", " "),
        ),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = _traces(json_rows(found.path, progress))
    return each_row(rows, found.path, lambda pair, line: [_record(pair[0], pair[1], line)])


def _traces(rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Line and (trace, episode) of each trace: a bad one does not cost its episode."""
    for line, row in rows:
        if isinstance(row, RowFault):
            yield line, row
            continue
        traces = row.get("traces") if _is_episode(row) else [row]
        for trace in traces if isinstance(traces, list) else [traces]:
            yield line, (trace, row)


def _record(trace: Any, episode: Row, line: int) -> Record:
    if not isinstance(trace, Mapping) or not isinstance(trace.get("nodes"), list):
        raise ValueError("a trace without nodes")
    nodes = [node for node in trace["nodes"] if isinstance(node, Mapping)]
    first = next((place for place, node in enumerate(nodes) if node.get("sampled")), None)
    if first is None:
        raise ValueError("a trace in which the model said nothing")
    messages = [node.get("message") for node in nodes]
    text, turns = answer_text(messages[first:])
    task = trace.get("task", episode.get("task"))
    statement = asked_text([one for one in messages[:first] if one])
    statement = statement or _field(task, _QUESTION)
    gold = truth(_field(task, _GOLD))
    stop = text_of(trace.get("stop_condition"))
    notes = [] if text else ["empty in the file"]
    if turns > 1:
        notes.append(f"{turns} turns as one text, token ids left out")
    return Record(
        ProblemReference(
            text_of(episode.get("env")),
            _field(task, ("example_id", "id", "idx", "name")),
            statement,
            gold,
            verifier_for(statement, gold),
        ),
        text,
        line,
        _labels(trace.get("rewards")),
        model=_model(trace) or _model(trace.get("agent")),
        finish=_finish(stop),
        tokens=_tokens(nodes, first) if turns == 1 else None,
        note=", ".join(notes),
    )


def _tokens(nodes: Sequence[Mapping[str, Any]], first: int) -> RawTokens | None:
    node = nodes[first]
    if not node.get("token_ids"):
        return None
    ids = token_ids(node["token_ids"], "token_ids")
    mask = node.get("mask")
    if not isinstance(mask, list) or len(mask) != len(ids):
        raise ValueError("'mask' has not as many values as 'token_ids'")
    drawn = [place for place, own in enumerate(mask) if own]
    if not drawn:
        return None
    start, end = drawn[0], drawn[-1] + 1
    if len(drawn) != end - start:
        raise ValueError("'mask' has a gap inside one answer")
    prompt = [one for earlier in nodes[:first] for one in earlier.get("token_ids") or ()]
    prompt += ids[:start]
    own = ids[start:end]
    complete = all(earlier.get("token_ids") for earlier in nodes[:first])
    return RawTokens(
        own,
        logprobs_for(node.get("logprobs"), own, "logprobs"),
        token_ids(prompt, "token_ids") if prompt and complete else None,
    )


def _labels(rewards: object) -> tuple[Label, ...]:
    if not isinstance(rewards, Mapping) or not rewards:
        return ()
    labels: list[Label] = []
    total = 0.0
    for name, reward in rewards.items():
        value, weight = reward, 1.0
        if isinstance(reward, Mapping):
            value, weight = reward.get("score"), reward.get("weight", 1.0)
        score = right_or_wrong(value)
        labels.append(Label(str(name), score))
        total += (score or 0.0) * (right_or_wrong(weight) or 0.0)
    decisive = next((one for one in labels if "correct" in one.name), None)
    if decisive is not None:
        return tuple(one._replace(compared=one is decisive) for one in labels)
    return (Label("reward", total, compared=True), *labels)


def _finish(stop: str) -> FinishReason:
    if any(part in stop for part in _CUT):
        return FinishReason.LENGTH
    return FinishReason.STOP if stop else FinishReason.UNKNOWN


def _field(task: object, names: Sequence[str]) -> str:
    if not isinstance(task, Mapping):
        return ""
    for place in (task, task.get("data"), task.get("info")):
        if isinstance(place, Mapping):
            for name in names:
                if isinstance(place.get(name), str | int | float):
                    return str(place[name])
    return ""


def _settings(path: Path) -> Mapping[str, Any]:
    for folder in (path.parent, path.parent.parent):
        found = read_json(folder / "configs" / "eval.json")
        if isinstance(found, dict):
            return found
    return {}


def _model(place: object) -> str:
    if not isinstance(place, Mapping):
        return ""
    model = place.get("model")
    if isinstance(model, Mapping):
        model = model.get("name", model.get("id"))
    return text_of(model)


def _is_trace(row: Row) -> bool:
    return isinstance(row.get("nodes"), list)


def _is_episode(row: Row) -> bool:
    return isinstance(row.get("traces"), list)

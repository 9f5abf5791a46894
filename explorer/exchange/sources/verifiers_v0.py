"""verifiers' `results.jsonl` with `metadata.json` (before version 1).

The metadata is checked against the rows and never believed: it is known to give wrong counts, and
ids that do not tell examples apart; the statement does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
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
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head, unsanitised
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import answer_text, asked_text
from explorer.exchange.sources.reading import Progress, json_rows, read_json
from explorer.json_lines import RowFault

NAME: Final = "verifiers"
TITLE: Final = "verifiers results"


def recognise(head: Head) -> Found | Companion | None:
    if head.kind == "object" and head.name == "metadata.json":
        return Companion(TITLE) if "model" in head.members else None
    if head.kind != "lines" or not head.has("prompt", "completion", "reward"):
        return None
    beside = head.path.with_name("metadata.json")
    metadata = read_json(beside)
    metadata = metadata if isinstance(metadata, dict) else {}
    folder = head.path.resolve().parent.parent.name
    env, _, model = folder.partition("--")
    named = text_of(metadata.get("model")) or unsanitised(model)
    environment = text_of(metadata.get("env_id")) or text_of(metadata.get("env")) or env
    conditions = _conditions(metadata)
    known = conditions.temperature
    return Found(
        NAME,
        TITLE,
        head.path,
        f"environment {environment or 'unknown'}, T {'unknown' if known is None else known}",
        model=named or head.model or head.path.stem,
        conditions=conditions,
        companions=(beside,) if metadata else (),
        facts={"dataset": environment, "metadata": metadata, "remarks": []},
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    counts: Counter[tuple[str, str]] = Counter()
    rows = json_rows(found.path, progress)
    for record in each_row(rows, found.path, lambda row, line: [_record(row, line, found)]):
        if isinstance(record, Record):
            problem = record.problem
            counts[problem.statement, "" if problem.statement else problem.id] += 1
        yield record
    found.facts["remarks"].extend(_contradiction(found.facts["metadata"], counts))


def _record(row: Row, line: int, found: Found) -> Record:
    answer = row.get("completion")
    if isinstance(answer, str):
        text, turns = answer, 1
    elif isinstance(answer, list):
        text, turns = answer_text(answer)
    else:
        raise ValueError("'completion' is missing")
    statement = asked_text(row.get("prompt"))
    gold = text_of(row.get("answer"))
    names = [text_of(row.get(name)) for name in ("example_id", "id")]
    finish = FinishReason.LENGTH if row.get("is_truncated") is True else FinishReason.UNKNOWN
    notes = [] if text else ["empty in the file"]
    if turns > 1:
        notes.append(f"{turns} turns as one text")
    return Record(
        ProblemReference(
            found.facts["dataset"],
            next(filter(None, names), ""),
            statement,
            gold,
            verifier_for(statement, gold),
        ),
        text,
        line,
        _labels(row),
        finish=finish,
        note=", ".join(notes),
    )


def _labels(row: Row) -> tuple[Label, ...]:
    """The reward, or where there is one the part of it that speaks of the answer."""
    parts = {
        name: value
        for name, value in row.items()
        if "correct" in name and right_or_wrong(value) is not None
    }
    said = parts or {"reward": row.get("reward")}
    decisive = next(iter(said))
    reward = Label("reward", right_or_wrong(row.get("reward")), compared=not parts)
    return (
        reward,
        *(Label(name, right_or_wrong(value), compared=name == decisive)
          for name, value in parts.items()),
    )  # fmt: skip


def _conditions(metadata: Mapping[str, Any]) -> Conditions:
    said = metadata.get("sampling_args")
    said = {**metadata, **(said if isinstance(said, dict) else {})}

    def number(name: str) -> Any:
        value = said.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    return Conditions(
        temperature=number("temperature"),
        top_p=number("top_p"),
        max_tokens=number("max_tokens"),
        prompt="verifiers",
    )


def _contradiction(metadata: Mapping[str, Any], counts: Counter[tuple[str, str]]) -> list[str]:
    examples, rollouts = metadata.get("num_examples"), metadata.get("rollouts_per_example")
    if not counts or type(examples) is not int or type(rollouts) is not int:
        return []
    found = Counter(counts.values())
    if found == Counter({rollouts: examples}):
        return []
    each = "–".join(str(n) for n in sorted({min(found), max(found)}))
    return [
        f"metadata.json says {examples} examples × {rollouts} rollouts, the rows are"
        f" {len(counts)} × {each}"
    ]

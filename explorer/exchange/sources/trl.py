"""TRL's logged completions: `completions/completions_<step>.parquet`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from explorer.exchange.sources.base import (
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
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import answer_text, asked_text
from explorer.exchange.sources.reading import Progress, parquet_rows
from explorer.json_lines import RowFault

NAME: Final = "trl"
TITLE: Final = "TRL completions"

_PLAIN: Final = frozenset({"step", "prompt", "completion", "advantage", "image", "images"})
_GOLD: Final = ("answer", "solution", "ground_truth", "target")
_DECISIVE: Final = ("accuracy", "correct", "acc", "math_verify", "solved")


def recognise(head: Head) -> Found | None:
    if head.kind != "parquet" or not head.has("step", "prompt", "completion"):
        return None
    return Found(
        NAME,
        TITLE,
        head.path,
        "one training step a file",
        model=head.model or head.path.stem,
        conditions=Conditions(prompt="trl"),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = parquet_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, number: [_record(row, number)])


def _record(row: Row, number: int) -> Record:
    answer = row.get("completion")
    text = answer if isinstance(answer, str) else answer_text(answer)[0] if answer else None
    if text is None:
        raise ValueError("'completion' is missing")
    gold = next((text_of(row[name]) for name in _GOLD if name in row), "")
    statement = asked_text(row.get("prompt"))
    return Record(
        ProblemReference("", "", statement, gold, verifier_for(statement, gold)),
        text,
        number,
        reward_labels({name: value for name, value in row.items() if name not in _PLAIN}),
        conditions=Conditions(prompt="trl", step=f"step {text_of(row.get('step'))}"),
        note="" if text else "empty in the file",
    )


def reward_labels(columns: Row) -> tuple[Label, ...]:
    """Reward functions as labels; the one that speaks of being right is compared with ours."""
    rewards = {
        name: value
        for name, value in columns.items()
        if not isinstance(value, bool) and right_or_wrong(value) is not None and name not in _GOLD
    }
    decisive = [name for name in rewards if any(part in name.lower() for part in _DECISIVE)]
    chosen = decisive[0] if decisive else (next(iter(rewards)) if len(rewards) == 1 else "")
    return tuple(
        Label(name, right_or_wrong(value), compared=name == chosen)
        for name, value in rewards.items()
    )

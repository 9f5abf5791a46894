"""NeMo-RL's `train_data_step<N>.jsonl` (token ids and log-probabilities) and `val_data_step<N>`."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    token_ids,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.messages import asked_in
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.json_lines import RowFault

NAME: Final = "nemo-rl"
TITLE: Final = "NeMo-RL rollouts"

_FILE: Final = re.compile(r"(?P<kind>train|val)_data_step(?P<step>\d+)\.jsonl")


def recognise(head: Head) -> Found | None:
    if head.kind != "lines" or not head.has("content", "rewards"):
        return None
    named = _FILE.fullmatch(head.name)
    step = f"step {named['step']}" if named else ""
    exact = "token ids" if head.has("token_ids", "token_loss_mask") else "text only"
    return Found(
        NAME,
        TITLE,
        head.path,
        f"{named['kind'] if named else 'step unknown'} {step}, {exact}".replace("  ", " "),
        model=head.model or head.path.stem,
        conditions=Conditions(prompt="nemo-rl", step=step),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, line: [_record(row, line)])


def _record(row: Row, line: int) -> Record:
    parts = row.get("content")
    if isinstance(parts, str):
        parts = [parts]
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("'content' is not text")
    if not parts:
        raise ValueError("'content' is empty")
    reward = row.get("rewards")
    label = Label("reward", right_or_wrong(reward), compared=True)
    asked = asked_in(parts[-2]) if len(parts) > 1 else ""
    note = "" if len(parts) > 1 else "prompt and answer are one text in the file"
    return Record(
        ProblemReference("", "", asked, "", verifier=""),
        parts[-1],
        line,
        (label,) if reward is not None else (),
        tokens=_tokens(row) if len(parts) > 1 else None,
        note=note if parts[-1] else "empty in the file",
    )


def _tokens(row: Row) -> RawTokens | None:
    """The tokens of the last stretch that the model wrote; padding is left out."""
    if "token_ids" not in row or "token_loss_mask" not in row:
        return None
    ids = token_ids(row["token_ids"], "token_ids")
    mask: Any = row["token_loss_mask"]
    if not isinstance(mask, list) or len(mask) != len(ids):
        raise ValueError("'token_loss_mask' has not as many values as 'token_ids'")
    length = row.get("input_lengths")
    end = min(length, len(ids)) if type(length) is int and length > 0 else len(ids)
    while end and not mask[end - 1]:
        end -= 1
    start = end
    while start and mask[start - 1]:
        start -= 1
    if start == end:
        return None
    logprobs = logprobs_for(row.get("generation_logprobs"), ids, "generation_logprobs")
    return RawTokens(ids[start:end], logprobs[start:end] if logprobs else None, ids[:start] or None)

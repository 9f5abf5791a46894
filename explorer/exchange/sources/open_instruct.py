"""open-instruct's rollouts: token ids and log-probabilities, and no text at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.exchange.sources.verl import truth
from explorer.json_lines import RowFault

NAME: Final = "open-instruct"
TITLE: Final = "open-instruct rollouts"

_FINISHES: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


def recognise(head: Head) -> Found | None:
    if head.kind != "lines" or not head.has("prompt_tokens", "response_tokens"):
        return None
    return Found(
        NAME,
        TITLE,
        head.path,
        "token ids, no text",
        model=head.model or head.path.stem,
        conditions=Conditions(prompt="open-instruct"),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, line: [_record(row, line)])


def _record(row: Row, line: int) -> Record:
    ids = token_ids(row.get("response_tokens"), "response_tokens")
    prompt = token_ids(row.get("prompt_tokens"), "prompt_tokens")
    gold = truth(row.get("ground_truth"))
    reward = row.get("reward")
    step = text_of(row.get("step"))
    dataset = text_of(row.get("dataset")).rpartition("/")[2]
    return Record(
        # The statement is in the prompt's tokens; a tokenizer turns them into text.
        ProblemReference(dataset, "", "", gold, verifier="math" if gold else ""),
        "",
        line,
        (Label("reward", right_or_wrong(reward), compared=True),) if reward is not None else (),
        conditions=Conditions(prompt="open-instruct", step=f"step {step}" if step else ""),
        finish=_FINISHES.get(text_of(row.get("finish_reason")), FinishReason.UNKNOWN),
        tokens=RawTokens(ids, logprobs_for(row.get("logprobs"), ids, "logprobs"), prompt),
        ids_only=True,
    )

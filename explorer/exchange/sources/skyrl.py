"""SkyRL's dumped evaluations: `dumped_evals/global_step_N_evals/<dataset>.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from explorer.core.completion import FinishReason
from explorer.exchange.sources.base import (
    Conditions,
    Found,
    Label,
    ProblemReference,
    Record,
    Row,
    each_row,
    need_text,
    right_or_wrong,
    text_of,
)
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.kinds import verifier_for
from explorer.exchange.sources.messages import asked_text
from explorer.exchange.sources.reading import Progress, json_rows
from explorer.exchange.sources.verl import truth
from explorer.json_lines import RowFault

NAME: Final = "skyrl"
TITLE: Final = "SkyRL evaluations"

_STEP: Final = re.compile(r"(?:global_)?(step_\d+)(?:_evals)?|(?:global_)?(eval_only)(?:_evals)?")
_FINISHES: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


def recognise(head: Head) -> Found | None:
    if head.kind != "lines" or not head.has("input_prompt", "output_response"):
        return None
    folder = _STEP.fullmatch(head.path.resolve().parent.name)
    step = (folder[1] or folder[2]).replace("_", " ") if folder else ""
    above = head.path.resolve().parent if folder else head.path
    return Found(
        NAME,
        TITLE,
        head.path,
        step or "step unknown",
        model=Head(above).model or head.path.stem,
        conditions=Conditions(prompt="skyrl", step=step),
    )


def read(found: Found, progress: Progress) -> Iterator[Record | RowFault]:
    rows = json_rows(found.path, progress)
    return each_row(rows, found.path, lambda row, line: [_record(row, line)])


def _record(row: Row, line: int) -> Record:
    extras = row.get("env_extras")
    extras = extras if isinstance(extras, dict) else {}
    statement = asked_text(row.get("input_prompt"))
    gold = truth(extras.get("reward_spec", extras.get("reward_model", extras)))
    text = need_text(row, "output_response")
    score = row.get("score")
    if isinstance(score, list):  # one reward a token: what counts is their sum
        score = sum(one for one in score if isinstance(one, int | float))
    stop = text_of(row.get("stop_reason"))
    return Record(
        ProblemReference(
            text_of(row.get("data_source")).rpartition("/")[2],
            "",
            statement,
            gold,
            verifier_for(statement, gold),
        ),
        text,
        line,
        (Label("score", right_or_wrong(score), compared=True),) if score is not None else (),
        finish=_FINISHES.get(stop, FinishReason.UNKNOWN),
        note="" if text else "empty in the file",
    )

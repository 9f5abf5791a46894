"""What stage `truth` is asked beyond the problems: about recorded texts, and beginnings of them."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STORY = "which-is-004"
"""The README's problem: RL lost the plan that base finds here, the distilled model has it."""

STEPS = 8
"""Beginnings of a trace besides the empty one."""

EVERY = 12
"""Of so many problems one is asked about beginnings."""

TEXTS = {"base": 4, "rl": 2, "distilled": 2}
"""Recorded texts of each model on each problem whose share is counted."""


@dataclass(frozen=True)
class Asked:
    """Questions with the token ids that they are about.

    Attributes:
        texts: problem id, then 'model#sample', then the ids of that whole completion.
        beginnings: {"by", "problem", "trace", "at", "ids"}: who goes on from the first `at` tokens.
    """

    texts: dict[str, dict[str, list[int]]]
    beginnings: list[dict[str, Any]]


def asked(recorded: Path) -> Asked:
    """The questions about a file of recorded completions."""
    traces = _traces(recorded)
    names = sorted({problem for _, problem, _ in traces})
    texts = {
        problem: {
            f"{model}#{index}": traces[model, problem, index]["ids"]
            for model, count in TEXTS.items()
            for index in range(count)
        }
        for problem in names
    }
    beginnings: list[dict[str, Any]] = []

    def begin(by: str, model: str, problem: str, index: int, every: bool = False) -> None:
        ids = traces[model, problem, index]["ids"]
        for at in range(len(ids)) if every else _spread(len(ids)):
            where = {"by": by, "problem": problem, "trace": f"{model}#{index}", "at": at}
            beginnings.append({**where, "ids": ids[:at]})

    begin("rl", "base", STORY, 11, every=True)
    begin("base", "base", STORY, 11, every=True)
    for problem in (STORY, *(name for name in names[::EVERY] if name != STORY)):
        begin("base", "rl", problem, 0)
        begin("base", "distilled", problem, 0)
        right = [i for i in range(64) if _is_right(traces["base", problem, i])]
        if right and problem != STORY:
            begin("rl", "base", problem, right[0])
    return Asked(texts, beginnings)


def _spread(tokens: int) -> list[int]:
    """0 and up to `STEPS` more, evenly, short of the whole."""
    steps = min(STEPS, tokens - 1)
    return sorted({0, *(round(step * (tokens - 1) / steps) for step in range(1, steps + 1))})


def _is_right(completion: dict[str, Any]) -> bool:
    return bool(completion["verdict"]["outcome"] == "correct")


def _traces(recorded: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The completions by model, problem id and index."""
    models, found = {}, {}
    with gzip.open(recorded, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["type"] == "arm":
                models[row["ref"]] = row["model"]
            elif row["type"] == "completion":
                problem = row["problem"].partition("/")[2]
                found[models[row["arm"]], problem, row["index"]] = row
    return found

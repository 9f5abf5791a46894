"""The 100 problems nobody trains on, and the file they are kept in."""

import json
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TypedDict

from sample_data.make import chains, market, twins
from sample_data.make.tasks import Family, Kind, Task, draw, working

SEED = 2504_13837
"""Of the problems alone: they stay the same whatever seed the models are trained with."""

COUNTS: tuple[tuple[Family, int], ...] = (
    (chains.hoard, 10), (twins.compare, 7), (twins.round_walk, 5), (twins.rope, 5),
    (twins.ride, 5), (twins.share, 6), (twins.leftovers, 5), (market.market, 7),
    (chains.start, 6), (twins.which_is, 5), (twins.trees, 4), (twins.cuts, 4), (twins.pages, 4),
    (twins.share_back, 5), (twins.sum_and_gap, 4),
    (chains.saga, 8), (chains.unwind, 5), (market.feast, 5),
)  # fmt: skip


class Problem(TypedDict):
    """One line of `problems.jsonl`; `working` is the chain of equations of the right plan."""

    id: str
    question: str
    answer: str
    family: str
    kind: Kind
    level: int
    note: str
    working: list[str]


@lru_cache(maxsize=1)
def held_out() -> tuple[Task, ...]:
    """The held-out tasks, no two with the same numbers."""
    rng = Random(SEED)
    tasks: list[Task] = []
    taken: set[tuple[int, ...]] = set()
    for family, count in COUNTS:
        wanted = len(tasks) + count
        while len(tasks) < wanted:
            task = draw(family, rng)
            if task.numbers not in taken:
                taken.add(task.numbers)
                tasks.append(task)
    return tuple(tasks)


@lru_cache(maxsize=1)
def forbidden_numbers() -> frozenset[tuple[int, ...]]:
    """The tuples of numbers that no training question may have, in whatever story."""
    return frozenset(task.numbers for task in held_out())


def problems() -> list[Problem]:
    """The held-out tasks as they are written down, numbered within each family."""
    seen: dict[str, int] = {}
    listed: list[Problem] = []
    for task in held_out():
        seen[task.family] = seen.get(task.family, 0) + 1
        listed.append(
            {
                "id": f"{task.family}-{seen[task.family]:03d}",
                "question": task.question,
                "answer": str(task.answer),
                "family": task.family,
                "kind": task.kind,
                "level": task.level,
                "note": task.note,
                "working": working(task.right),
            }
        )
    return listed


def write_problems(path: Path) -> None:
    lines = (json.dumps(problem, ensure_ascii=False) for problem in problems())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

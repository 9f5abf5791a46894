"""A cache of the cases that views forget: none, one, all right, all wrong, unscored, hostile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from explorer.core.arm import prefix_digest
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt
from explorer.store import branches, catalog, completions, queries, requests
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from tests.fake_cache import DATASET, HOSTILE, MODELS, SAMPLING, _scores, _tokens, spec

HOSTILE_ANSWER: Final = "[/b]\x1b[31m漢\u200b\u202e7"
SHARES: Final[dict[str, tuple[int, float]]] = {
    "nothing": (0, 0.0),
    "one": (1, 1.0),
    "all-right": (8, 1.0),
    "all-wrong": (8, 0.0),
    "unscored": (8, 0.5),
    "hostile": (8, 0.5),
}
"""Case by problem name: completions per arm, and the share that is right."""


def build(path: Path) -> None:
    """Base and RL on one problem per case; where there is a trace, two branches of it."""
    rng = np.random.default_rng(5)
    with closing(open_writer(path)) as db:
        catalog.put_models(db, MODELS[:2])
        tasks = [
            Problem(DATASET, name, HOSTILE if name == "hostile" else f"What is {i} + 3?", "7")
            for i, name in enumerate(SHARES)
        ]
        ids = catalog.put_problems(db, tasks)
        row = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")
        scorer = catalog.put_scorer(db, row)
        for model in MODELS[:2]:
            arm = catalog.put_arm(db, spec(model.name), model.name)
            for name, (n, share) in SHARES.items():
                catalog.put_prompt(db, arm, ids[name], RenderedPrompt("Q", (1, 2)))
                cell = [_sample(rng, name, index, index < n * share) for index in range(n)]
                for row_id, (one, _) in zip(
                    completions.append(db, arm, ids[name], cell), cell, strict=True
                ):
                    if row_id is not None and one.tokens is not None and name != "unscored":
                        scores = _scores(rng, one.tokens, model.name)
                        completions.record_score(db, scorer, row_id, scores)
        for name, (n, _) in SHARES.items():
            if n:
                _branch(path, ids[name], 2, 5, 6)


def _sample(
    rng: np.random.Generator, name: str, index: int, right: bool
) -> tuple[Completion, Verdict]:
    answer = "7" if right else str(8 + index % 2)
    text = f" We add 4 + 3 = {answer}. Wait, let me check. The answer is \\boxed{{{answer}}}."
    if name == "hostile":
        text, answer = f" {HOSTILE}\n" * 2, "7" if right else HOSTILE_ANSWER
    outcome = Outcome.CORRECT if right else Outcome.WRONG
    made = Completion(index, 0, text, FinishReason.STOP, _tokens(rng, text))
    return made, Verdict("math", "math-1", outcome, answer, "boxed")


def _branch(path: Path, problem_id: int, *positions: int) -> None:
    """Base went on from RL's first trace, four times from each of these tokens."""
    with closing(open_writer(path)) as db:
        arm = next(
            arm for arm in queries.arms(db) if arm.model.name == "rl" and not arm.spec.prefix
        )
        trace = queries.trace(db, queries.heads(db, arm.id, problem_id)[0].id)
        assert trace is not None
        assert trace.tokens is not None
        for position in positions:
            asked = branches.ask_for_branch(db, trace.head.id, position, "base", SAMPLING, 4)
            digest = prefix_digest(trace.tokens.ids[:position].tolist())
            own = catalog.put_arm(db, replace(spec("base"), prefix=digest), "base")
            (request,) = branches.request_ids(db, [asked])
            branches.know_arm(db, request, own)
            cell = [
                (
                    Completion(index, 0, trace.text, FinishReason.STOP, None),
                    Verdict(
                        "math", "math-1",
                        Outcome.CORRECT if index < 6 - position else Outcome.WRONG,
                        str(index), "boxed",
                    ),
                )
                for index in range(4)
            ]  # fmt: skip
            completions.append(db, own, problem_id, cell)
            requests.set_state(db, request, "done")

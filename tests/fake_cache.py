"""A cache as a busy evening leaves it, made without any model: for tests of screens and views.

Everything is drawn from one seeded generator, so that a snapshot never changes by itself. The
text is cut into tokens at word boundaries; problem `hostile` holds what breaks careless viewers.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import (
    Completion,
    FinishReason,
    Origin,
    Outcome,
    Tokens,
    TokenScores,
    Verdict,
)
from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_writer
from explorer.store.rows import ModelRow, ScorerRow

DATASET = "twins"
MODELS = (
    ModelRow("base", "base", "", ""),
    ModelRow("rl", "rl", "base", "GRPO"),
    ModelRow("distilled", "distilled", "base", ""),
)
CROWD = (
    MODELS[0],
    *(
        ModelRow(name, "rl", "base", method)
        for name, method in (
            ("grpo", "GRPO"), ("ppo", "PPO"), ("reinforce++", "Reinforce++"), ("rloo", "RLOO"),
            ("remax", "ReMax"), ("dapo", "DAPO"),
        )
    ),
    MODELS[2],
)  # fmt: skip
"""The paper's eight arms: base, six RL algorithms, distilled."""

CHECKPOINTS = tuple(ModelRow(f"grpo-step-{step}", "rl", "base", "GRPO") for step in (150, 300, 450))
"""Further arms: GRPO on its way."""

SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=160)
HOSTILE = (
    "Brackets [b]bold[/b] a[i] [/foo] and an escape \x1b[2J\x1b]0;owned\x07 then\ta tab, "
    "wide 漢字かな, zero\u200bwidth, a flag 🇩🇪, combining e\u0301, \u202eright-to-left\u202c. "
    "The answer is \\boxed{7}."
)
SOLVE_RATES = {"base": (0.35, 0.6), "rl": (0.6, 0.25), "distilled": (0.95, 0.9)}
"""Chance of a right answer on (ordinary, look-alike) problems."""


def build(
    path: Path,
    problems: int = 40,
    n: int = 64,
    scored: int = 4,
    models: Sequence[ModelRow] = MODELS,
) -> sqlite3.Connection:
    """Fill a new cache: three arms, `n` completions each, base's scores of the first few."""
    db = open_writer(path)
    rng = np.random.default_rng(7)
    catalog.put_models(db, models)
    tasks = [*(_problem(i) for i in range(problems - 1)), _hostile_problem()]
    problem_ids = catalog.put_problems(db, tasks)
    scorer = catalog.put_scorer(
        db, ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")
    )
    for number, model in enumerate(models):
        arm_id = catalog.put_arm(db, spec(model.name), model.name)
        for position, task in enumerate(tasks):
            rate = _solve_rates(model, number)[position % 2] * ((position * 7) % 10) / 9
            cell = [_completion(rng, task, index, rate) for index in range(n)]
            problem_id = problem_ids[task.name]
            prompt = f"Question: {task.statement}\nAnswer:"
            catalog.put_prompt(
                db, arm_id, problem_id, RenderedPrompt(prompt, tuple(range(len(prompt) // 4)))
            )
            ids = completions.append(db, arm_id, problem_id, cell)
            for row_id, (completion, _) in list(zip(ids, cell, strict=True))[:scored]:
                if row_id is not None and completion.tokens is not None:
                    completions.record_score(
                        db, scorer, row_id, _scores(rng, completion.tokens, model.name)
                    )
    return db


def spec(model: str) -> ArmSpec:
    return ArmSpec(
        checkpoint=f"local:{model}",
        tokenizer="tok:1",
        template="Question: {question}\nAnswer:",
        sampling=SAMPLING,
        context=256,
        engine="transformers",
        dtype="float32",
    )


def _solve_rates(model: ModelRow, number: int) -> tuple[float, float]:
    """As written above, or near those of its role, by its place in the list."""
    if model.name in SOLVE_RATES:
        return SOLVE_RATES[model.name]
    ordinary, alike = SOLVE_RATES[model.role]
    return ordinary + 0.04 * (number % 7), alike - 0.03 * (number % 5)


def hostile_problem_id(db: sqlite3.Connection) -> int:
    row = queries.problem(db, DATASET, "hostile")
    assert row is not None
    return row.id


def _problem(i: int) -> Problem:
    family = ("trees", "sharing", "chains", "comparing")[i % 4]
    gold = 20 + 3 * i
    return Problem(
        DATASET,
        f"{family}-{i:03d}",
        f"A road is {gold * 5} metres long. Trees stand every 5 metres along it, at both ends"
        f" too. How many trees are there? Write $x = \\frac{{a}}{{b}} + {i}$ if it helps.",
        str(gold),
        family=family,
        level=str(1 + i % 5),
        note="look-alike: both ends count" if i % 2 else "ordinary",
        extra={"kind": "look-alike" if i % 2 else "ordinary"},
    )


def _hostile_problem() -> Problem:
    return Problem(DATASET, "hostile", HOSTILE, "7", family="hostile", level="5")


def _completion(
    rng: np.random.Generator, task: Problem, index: int, rate: float
) -> tuple[Completion, Verdict | None]:
    right = rng.random() < rate
    answer = task.gold if right else str(int(task.gold) + int(rng.integers(1, 9)))
    if task.name == "hostile":
        text, answer, right = " " + HOSTILE, "7", True
    else:
        text = (
            f" The road has {answer} gaps, because {int(task.gold) * 5} / 5 = {answer}."
            f" Step {int(rng.integers(2, 40))}: both ends carry a tree, so we count once more."
            f" The answer is \\boxed{{{answer}}}."
        )
    cut = index % 23 == 22
    if cut:
        text = text[: len(text) // 2]
    tokens = _tokens(rng, text)
    completion = Completion(
        index=index,
        seed=0,
        text=text,
        finish=FinishReason.LENGTH if cut else FinishReason.STOP,
        tokens=tokens,
        origin=Origin.RECORDED if index < 48 else Origin.LIVE,
        source="fake.jsonl.gz" if index < 48 else "",
    )
    if cut:
        return completion, Verdict(
            "math", "math-1", Outcome.UNDECIDED, "", "none", "no answer found"
        )
    outcome = Outcome.CORRECT if right else Outcome.WRONG
    return completion, Verdict("math", "math-1", outcome, answer, "boxed")


def _tokens(rng: np.random.Generator, text: str) -> Tokens:
    pieces = re.findall(r"\s?[^\W\d]+|\s?\d|\s?[^\w\s]|\s", text)
    ends = np.cumsum([len(piece.encode()) for piece in pieces]).astype(np.int32)
    ids = np.array([sum(piece.encode()) % 600 for piece in pieces], dtype=np.int32)
    logprobs = -rng.gamma(0.4, 0.7, len(pieces)).astype(np.float32)
    return Tokens(ids, ends, logprobs)


def _scores(rng: np.random.Generator, tokens: Tokens, model: str) -> TokenScores:
    assert tokens.logprobs is not None
    shift = 0.0 if model == "base" else rng.gamma(0.3, 2.0, len(tokens))
    logprobs = (tokens.logprobs - shift).astype(np.float32)
    ranks = 1 + np.floor(np.abs(logprobs) * 1.5).astype(np.int32)
    top_logprobs = np.tile(np.log([0.5, 0.25, 0.15]).astype(np.float32), (len(tokens), 1))
    return TokenScores(
        logprobs=logprobs,
        ranks=ranks,
        entropies=rng.gamma(0.5, 0.8, len(tokens)).astype(np.float32),
        top_ids=np.tile(np.array([5, 9, 11], dtype=np.int32), (len(tokens), 1)),
        top_logprobs=top_logprobs,
        top_texts=[[" so", " the", "\n"] for _ in range(len(tokens))],
    )

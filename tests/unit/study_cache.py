"""A cache of counts alone, of several RL models, steps and temperatures: for study tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.problem import Problem
from explorer.paths import Workspace
from explorer.settings import ModelSettings, Role, Settings
from explorer.store import catalog, revisions, standing
from explorer.store.connection import open_writer, transaction
from explorer.store.rows import ModelRow

N = 16
WARM, HOT = Sampling(0.6, 0.95, 0, 64), Sampling(1.2, 0.95, 0, 64)
CORRECT = {
    "base": [0, 1, 2, 4, 8, 1, 0, 3],
    "grpo": [0, 0, 12, 16, 16, 0, 4, 0],
    "ppo": [0, 4, 10, 15, 16, 0, 0, 2],
    "ppo-step-100": [0, 3, 6, 9, 12, 1, 0, 2],
}
"""Correct of N, problem by problem; every RL model solves and loses others."""


def settings(root: Path) -> Settings:
    def model(name: str, role: Role, algorithm: str = "", step: int = 0) -> ModelSettings:
        base = "" if role is Role.BASE else "base"
        return ModelSettings(name, role, "/m", base, algorithm, step=step)

    return Settings(
        workspace=Workspace(root, root / "cache" / "explorer.db"),
        models={
            "base": model("base", Role.BASE),
            "grpo": model("grpo", Role.RL, "GRPO"),
            "ppo": model("ppo", Role.RL, "PPO", step=300),
            "ppo-step-100": model("ppo-step-100", Role.RL, "PPO"),
        },
        datasets={},
        templates={},
        presets={"warm": WARM},
        default_preset="warm",
    )


def build(root: Path, statement: str = "How many?", family: str = "") -> Settings:
    """The cache, and settings that describe its models."""
    found = settings(root)
    found.workspace.cache.parent.mkdir(parents=True, exist_ok=True)
    db = open_writer(found.workspace.cache)
    rows = [
        ModelRow(one.name, one.role.value, one.base, one.algorithm) for one in found.models.values()
    ]
    catalog.put_models(db, rows)
    tasks = [
        Problem("set", f"p{place}", statement, "1", family=family or f"f{place % 2}",
                level=str(place % 3), extra={"source": "old" if place < 3 else "new"})
        for place in range(8)
    ]  # fmt: skip
    ids = list(catalog.put_problems(db, tasks).values())
    for name, counts in CORRECT.items():
        put_arm(db, name, WARM, ids, counts)
    put_arm(db, "base", HOT, ids, [max(0, c - 1) for c in CORRECT["base"]])
    db.close()
    return found


def put_arm(
    db: sqlite3.Connection,
    name: str,
    sampling: Sampling,
    ids: list[int],
    counts: list[int],
    *,
    engine: str = "vllm",
    template: str = "{question}",
) -> int:
    spec = ArmSpec(f"local:{name}", "t", template, sampling, 0, engine, "bfloat16")
    arm_id = catalog.put_arm(db, spec, name)
    with transaction(db):
        cells = {
            (arm_id, problem): {"completions": N, "correct": c, "wrong": N - c}
            for problem, c in zip(ids, counts, strict=True)
        }
        standing.add_all(db, cells)
        revisions.bump(db, revisions.Topic.COUNTS)
    return arm_id


def write_toml(found: Settings) -> Path:
    """The same settings as an explorer.toml; returns its folder."""
    root = found.workspace.root
    models = "\n".join(
        f"[models.{one.name}]\nrole = '{one.role.value}'\nsource = '{root}'\n"
        + (f"base = 'base'\nalgorithm = '{one.algorithm}'\n" if one.base else "")
        + (f"step = {one.step}\n" if one.step else "")
        for one in found.models.values()
    )
    (root / "explorer.toml").write_text(
        "[defaults]\npreset = 'warm'\n[presets.warm]\ntemperature = 0.6\ntop_p = 0.95\n"
        f"max_tokens = 64\n{models}"
    )
    return root

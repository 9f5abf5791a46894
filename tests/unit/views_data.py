"""Small rows for tests of views."""

from __future__ import annotations

from pathlib import Path

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.problem import Problem
from explorer.paths import Workspace
from explorer.settings import ModelSettings, Role, Settings
from explorer.store.rows import ArmRow, ModelRow, ProblemRow, Tally
from explorer.views.arms import ArmChoice, ArmPick, choose
from explorer.views.problem_list import ProblemLine, build_lines

BASE = ModelRow("base", "base", "", "")
RL = ModelRow("rl", "rl", "base", "GRPO")
DISTILLED = ModelRow("teacher-7b", "distilled", "base", "")
HOT = Sampling(temperature=1.0)
PAPER = Sampling(0.6, 0.95, 0, 16384)


def settings(*models: ModelRow, presets: dict[str, Sampling] | None = None) -> Settings:
    return Settings(
        Workspace(Path("/w"), Path("/w/c.sqlite")),
        {
            model.name: ModelSettings(
                model.name, Role(model.role), "/models", model.base, model.algorithm
            )
            for model in models
        },
        {},
        {},
        presets or {"paper": PAPER},
    )


def arm(row_id: int, model: ModelRow, sampling: Sampling = HOT, dtype: str = "float32") -> ArmRow:
    spec = ArmSpec("local:" + model.name, "t", "{question}", sampling, 0, "transformers", dtype)
    return ArmRow(row_id, spec.key(), spec, model)


def three_arms() -> ArmChoice:
    arms = [arm(1, BASE), arm(2, RL), arm(3, DISTILLED)]
    return choose(arms, [BASE, RL, DISTILLED], {1: 9, 2: 9, 3: 9}, settings(), ArmPick())


def tally(correct: int, n: int, undecided: int = 0, ungraded: int = 0, recorded: int = 0) -> Tally:
    return Tally(n + ungraded, recorded, correct, n - correct - undecided, undecided)


def lines(*cells: tuple[Tally, Tally, Tally], **columns: str) -> list[ProblemLine]:
    """One line per cells; problems are called trees-000, trees-001, …"""
    rows = [
        ProblemRow(
            position + 1,
            Problem(
                "set",
                f"trees-{position:03d}",
                columns.get("statement", "A road with trees. What is the remainder?"),
                str(30 + position),
                family=columns.get("family", "trees"),
                level=str(position),
                note=columns.get("note", "ordinary"),
            ),
        )
        for position in range(len(cells))
    ]
    tallies = {
        (arm_id + 1, row.id): cell
        for row, group in zip(rows, cells, strict=True)
        for arm_id, cell in enumerate(group)
    }
    return build_lines(rows, tallies, three_arms())

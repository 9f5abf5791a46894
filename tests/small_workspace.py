"""A workspace with three models and a few problems, as settings and as files."""

from __future__ import annotations

from pathlib import Path

from explorer.core.arm import Sampling
from explorer.core.problem import Problem
from explorer.core.prompts import Template
from explorer.paths import Workspace
from explorer.settings import DatasetSettings, ModelSettings, Role, Settings

TEMPLATE = "Q: {question}\nA:"
SAMPLING = Sampling(temperature=1.0, max_tokens=32)


def settings(
    root: Path, models: dict[str, str] | None = None, idle_exit_s: float = 1.0
) -> Settings:
    """Settings over `root`; `models` maps names to sources."""
    sources = models or {"base": "/models/base", "rl": "/models/rl", "distilled": "/models/d"}
    return Settings(
        workspace=Workspace(root, root / "cache" / "explorer.db"),
        models={
            name: ModelSettings(
                name, Role(name), source, base="" if name == "base" else "base", template="qa"
            )
            for name, source in sources.items()
        },
        datasets={"tasks": DatasetSettings("tasks", root / "problems.jsonl")},
        templates={"qa": Template("qa", TEMPLATE)},
        presets={"short": SAMPLING},
        default_preset="short",
        seed=3,
        idle_exit_s=idle_exit_s,
    )


def write_toml(root: Path, models: dict[str, str], idle_exit_s: float = 60) -> Path:
    """The same as an explorer.toml; returns its path."""
    lines = [
        "[defaults]\npreset = 'short'\nseed = 3",
        f"[sampler]\nidle_exit_s = {idle_exit_s}",
        f"[presets.short]\ntemperature = 1.0\nmax_tokens = {SAMPLING.max_tokens}",
        "[templates.qa]\ntext = 'Q: {question}\\nA:'".replace("'", '"'),
    ]
    for name, source in models.items():
        base = "" if name == "base" else "base = 'base'\n"
        lines.append(
            f"[models.{name}]\nrole = '{name}'\n{base}source = '{source}'\ntemplate = 'qa'\n"
            "device = 'cpu'\ndtype = 'float32'\nbatch_size = 8"
        )
    path = root / "explorer.toml"
    path.write_text("\n\n".join(lines) + "\n")
    return path


def problems(count: int = 3, dataset: str = "tasks") -> list[Problem]:
    return [
        Problem(dataset, f"p{number}", f"What is {number} + {7 - number}?", "7")
        for number in range(count)
    ]

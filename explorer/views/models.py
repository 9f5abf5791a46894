"""The models of a workspace: those in explorer.toml and those that only its cache knows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from explorer.settings import ModelSettings, Settings
from explorer.store import queries
from explorer.store.connection import open_reader

NEEDED_PACKAGES: Final = {"transformers": ("torch", "transformers"), "vllm": ("httpx",)}
"""Packages an engine imports; asked for without importing them."""


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model.

    Attributes:
        settings: its table in explorer.toml; None when only recorded completions name it.
        ready: '' when it can be loaded, else what is missing.
        arms, problems, completions: what the cache holds of it.
    """

    name: str
    role: str
    base: str
    algorithm: str
    settings: ModelSettings | None
    ready: str
    arms: int
    problems: int
    completions: int


def read_models(settings: Settings) -> list[ModelLine]:
    """Configured models in file order, then those that only the cache knows."""
    described = {
        model.name: (model.role.value, model.base, model.algorithm)
        for model in settings.models.values()
    }
    arms: dict[str, list[int]] = {}
    cells: dict[int, list[int]] = {}
    if settings.workspace.cache.is_file():
        with closing(open_reader(settings.workspace.cache)) as db:
            for row in queries.models(db):
                described.setdefault(row.name, (row.role, row.base, row.algorithm))
            for arm in queries.arms(db):
                arms.setdefault(arm.model.name, []).append(arm.id)
            for (arm_id, _), tally in queries.tallies(db).items():
                cells.setdefault(arm_id, []).append(tally.completions)
    lines = []
    for name, (role, base, algorithm) in described.items():
        counts = [count for arm_id in arms.get(name, ()) for count in cells.get(arm_id, ())]
        model = settings.models.get(name)
        lines.append(
            ModelLine(
                name,
                role,
                base,
                algorithm,
                settings=model,
                ready=missing(model) if model else "not in explorer.toml",
                arms=len(arms.get(name, ())),
                problems=sum(count > 0 for count in counts),
                completions=sum(counts),
            )
        )
    return lines


def missing(model: ModelSettings) -> str:
    """What keeps a model from being loaded here; '' if nothing that can be seen from outside."""
    absent = [name for name in NEEDED_PACKAGES.get(model.engine, ()) if find_spec(name) is None]
    if model.engine == "vllm" and not model.urls and not model.server.python:
        absent += [name for name in ("vllm",) if find_spec(name) is None]
    if absent:
        return f"{' and '.join(absent)} not installed"
    if model.urls:
        return ""
    if "/" in model.server.python and not Path(model.server.python).exists():
        return "python of [vllm] not found"
    if Path(model.adapter).is_absolute() and not Path(model.adapter).is_dir():
        return "adapter folder not found"
    source = Path(model.source)
    if source.is_absolute() and not source.is_dir():
        return "folder not found"
    if source.is_absolute() and not (source / "config.json").is_file():
        return "no config.json in its folder"
    return ""

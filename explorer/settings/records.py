"""explorer.toml: what models, prompts, datasets and sampling presets a workspace has.

Read once at start; the rest of the program gets these frozen records and never the raw TOML.
Every mistake is reported with its line and how to mend it (`reader`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from explorer.core.arm import Sampling
from explorer.core.prompts import Template
from explorer.paths import Workspace


class Role(StrEnum):
    """What a checkpoint is in the comparison."""

    BASE = "base"
    RL = "rl"
    DISTILLED = "distilled"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`[models.<name>]`: a checkpoint and how to run it.

    Attributes:
        name: how the screen calls it.
        role, base: rl and distilled models name the base they are compared with.
        algorithm: e.g. 'GRPO', for display.
        source: local folder (absolute once read) or hub name.
        engine, dtype, device, context, batch_size: as `engines.EngineConfig`; 'auto' and 0 let
            the engine choose.
        template: name of the prompt template.
    """

    name: str
    role: Role
    source: str
    base: str = ""
    algorithm: str = ""
    engine: str = "transformers"
    dtype: str = "auto"
    device: str = "auto"
    context: int = 0
    batch_size: int = 0
    template: str = "plain"


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """`[datasets.<name>]`: a problem file, its format and who verifies it."""

    name: str
    path: Path
    format: str = "jsonl"
    verifier: str = "math"


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole explorer.toml."""

    workspace: Workspace
    models: Mapping[str, ModelSettings]
    datasets: Mapping[str, DatasetSettings]
    templates: Mapping[str, Template]
    presets: Mapping[str, Sampling]
    default_preset: str = "paper"
    default_n: int = 64
    seed: int = 0
    idle_exit_s: float = 600.0
    recorded: tuple[Path, ...] = field(default=())

    def preset(self, name: str = "") -> Sampling:
        """The named sampling preset, or the default one."""
        return self.presets[name or self.default_preset]

    def base_of(self, model: str) -> str:
        """The base model that `model` is compared with ('' for a base, or if none is known)."""
        settings = self.models.get(model)
        return settings.base if settings else ""

"""explorer.toml: what models, prompts, datasets and sampling presets a workspace has.

Read once at start; the rest of the program gets these frozen records and never the raw TOML.
Every mistake is reported with its line and how to mend it (`reader`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from explorer.core.arm import Sampling
from explorer.core.guessing import guess_template
from explorer.core.prompts import Template
from explorer.core.server_options import ServerOptions
from explorer.paths import Workspace

IMAGE_METHODS: Final = ("auto", "kitty", "iterm", "sixel", "half", "path")
"""How the explorer may be told to show images; 'auto' finds out what the terminal can."""


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
        source: local folder (absolute once read) or hub name; with `urls`, the name that the
            servers give the model, '' = the only one they have.
        engine, dtype, device, context, batch_size: as `engines.EngineConfig`; 'auto' and 0 let
            the engine choose.
        template: name of the prompt template.
        step, rollouts: training step of the checkpoint and rollouts per prompt while it was
            trained, as x axes of a study; 0 = not said.
        listed: whether the problem list and pages show it; a study and the commands do anyway.
        urls, api_key_env: vLLM servers that already run it, and the environment variable that
            holds their key.
        adapter: LoRA folder (absolute once read) or hub name, on top of `source`.
        server: how a vLLM server of ours is started.
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
    step: int = 0
    rollouts: int = 0
    listed: bool = True
    urls: tuple[str, ...] = ()
    api_key_env: str = ""
    adapter: str = ""
    server: ServerOptions = field(default_factory=ServerOptions)


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """`[datasets.<name>]`: where its problems are, in which format, and who verifies them.

    Attributes:
        path: a file or folder, None for a dataset of a hub.
        format: a name in `settings.formats`.
        verifier: decides every problem of it; '' leaves that to the format and its rows.
        hub: 'owner/name' of a dataset on the hub, '' for a local one.
        config, split: which part of it, '' for the only one.
        images: folder at which relative image paths start, None for the dataset's own.
        unpacked: folder for images that lie inside data files; may not exist yet.
        template: prompt template of all models on this dataset, '' = each model's own.
        question: how a problem is put where that template says {question}, '' = as it is.
    """

    name: str
    path: Path | None
    format: str = "jsonl"
    verifier: str = ""
    hub: str = ""
    config: str = ""
    split: str = ""
    images: Path | None = None
    unpacked: Path | None = None
    template: str = ""
    question: str = ""

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return str(self.path) if self.path else f"hub dataset {self.hub}"


UNPROTECTED: Final = "yes, run model code on this machine unprotected"
"""What `[verifiers] run_code_without_sandbox` must say, word for word, to have that effect."""


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """`[review]`: reading whether right answers were reasoned.

    Attributes:
        name: under which a person's reviews are kept, '' = as overrides are.
        judge: the model that judges unless another is named; votes: how often, per completion.
        preset: sampling settings of the judge, '' = those of `core.judging`.
        template: prompt of the judge, '' = ours.
    """

    name: str = ""
    judge: str = ""
    votes: int = 3
    preset: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole explorer.toml.

    Attributes:
        author: the name that a person's overrides are kept under, '' = the system's user@host.
        memory_gb: GiB of the device that models may take together; 0 = a share of what it has.
        server_idle_s: a vLLM server of ours that nobody uses for so long is stopped.
        images: how the terminal shows images, one of `IMAGE_METHODS`.
        code_unprotected: model code may run where no sandbox can be had; see `UNPROTECTED`.
    """

    workspace: Workspace
    models: Mapping[str, ModelSettings]
    datasets: Mapping[str, DatasetSettings]
    templates: Mapping[str, Template]
    presets: Mapping[str, Sampling]
    default_preset: str = "paper"
    default_n: int = 64
    seed: int = 0
    author: str = ""
    idle_exit_s: float = 600.0
    memory_gb: float = 0.0
    server_idle_s: float = 900.0
    recorded: tuple[Path, ...] = field(default=())
    images: str = "auto"
    code_unprotected: bool = False
    review: ReviewSettings = ReviewSettings()

    def preset(self, name: str = "") -> Sampling:
        """The named sampling preset, or the default one."""
        return self.presets[name or self.default_preset]

    def template_for(self, model: str, dataset: str) -> Template:
        """The template that a model gets a dataset's problems in.

        A dataset's own template goes before the model's; the dataset's `question` then completes
        whichever it is.

        Raises:
            KeyError: there is no such model.
        """
        own = self.datasets.get(dataset)
        template = self.templates[(own.template if own else "") or self.models[model].template]
        return template.completed(own.question) if own and own.question else template

    def guess_template_for(self, model: str, dataset: str) -> Template:
        """As `template_for`, the form of it that leaves no room for reasoning.

        Raises:
            KeyError: there is no such model.
        """
        own = self.datasets.get(dataset)
        named = self.templates[(own.template if own else "") or self.models[model].template]
        template = guess_template(named)
        return template.completed(own.question) if own and own.question else template

    def base_of(self, model: str) -> str:
        """The base model that `model` is compared with ('' for a base, or if none is known)."""
        settings = self.models.get(model)
        return settings.base if settings else ""

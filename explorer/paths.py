"""Where things live. A workspace is the folder that holds explorer.toml; all else hangs off it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from explorer.errors import SettingsError

SETTINGS_NAME = "explorer.toml"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of explorer.toml and the cache that it names."""

    root: Path
    cache: Path

    @property
    def settings(self) -> Path:
        return self.root / SETTINGS_NAME

    @property
    def logs(self) -> Path:
        return self.cache.parent / "logs"

    @property
    def exports(self) -> Path:
        """Where a person's pictures of the screen and their data go."""
        return self.root / "exports"

    @property
    def sampler_log(self) -> Path:
        return self.logs / "sampler.log"

    @property
    def sampler_lock(self) -> Path:
        return self.cache.with_name(self.cache.stem + ".sampler.lock")

    @property
    def servers(self) -> Path:
        """What the sampler remembers of the vLLM servers that it started."""
        return self.cache.with_name(self.cache.stem + ".servers")

    def model_log(self, model: str) -> Path:
        safe = "".join(ch if ch.isalnum() or ch in "-_." else "_" for ch in model)
        return self.logs / f"model-{safe}.log"


def sample_data() -> Path:
    """The bundled problems, models and recorded completions: in the wheel, or in a checkout.

    Raises:
        SettingsError: neither is there (a partial copy of the project).
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "sample_data", package.parent / "sample_data"):
        if (folder / "problems.jsonl").is_file():
            return folder
    raise SettingsError(
        "The bundled sample data is missing",
        f"Looked for sample_data/problems.jsonl beside {package}.",
        "Install rlvr-explorer from a wheel or a complete checkout.",
    )

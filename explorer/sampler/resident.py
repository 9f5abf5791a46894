"""Which models are in memory: opens the one that is needed and closes the one used longest ago.

Invariant: never more than `most` engines at a time, the one that is being opened included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from explorer.engines.base import Engine, EngineConfig
from explorer.errors import SettingsError
from explorer.settings import ModelSettings, Settings

OpenEngine = Callable[[EngineConfig], Awaitable[Engine]]


@dataclass(frozen=True, slots=True)
class _Loaded:
    engine: Engine
    config: EngineConfig


class Residents:
    """The loaded engines by model name, the one used last at the end."""

    def __init__(self, open_engine: OpenEngine, most: int = 1) -> None:
        self._open = open_engine
        self._most = most
        self._loaded: dict[str, _Loaded] = {}

    def get(self, settings: Settings, model: str) -> Engine | None:
        """The engine of a model if it is loaded as explorer.toml says now."""
        loaded = self._loaded.get(model)
        if loaded is None or model not in settings.models:
            return None
        config = engine_config(settings, settings.models[model])
        return loaded.engine if config == loaded.config else None

    def names(self, settings: Settings) -> list[str]:
        return [name for name in self._loaded if self.get(settings, name)]

    async def need(self, settings: Settings, model: str) -> Engine:
        """The engine of a model, opened if it must be.

        Raises:
            SettingsError: explorer.toml has no such model.
            ExplorerError: it cannot be loaded.
        """
        if model not in settings.models:
            raise SettingsError(
                f"There is no model '{model}' in explorer.toml",
                f"{settings.workspace.settings} has: {', '.join(settings.models) or 'none'}.",
                "Add a [models] table of that name, or ask for another model.",
            )
        engine = self.get(settings, model)
        if engine is None:
            await self.close(model)
            while len(self._loaded) >= self._most:
                await self.close(next(iter(self._loaded)))
            config = engine_config(settings, settings.models[model])
            engine = await self._open(config)
            self._loaded[model] = _Loaded(engine, config)
        self._loaded[model] = self._loaded.pop(model)
        return engine

    async def close(self, model: str) -> None:
        """Free a model, if it is loaded."""
        loaded = self._loaded.pop(model, None)
        if loaded is not None:
            await loaded.engine.close()

    async def close_all(self) -> None:
        for model in list(self._loaded):
            await self.close(model)


def engine_config(settings: Settings, model: ModelSettings) -> EngineConfig:
    """What explorer.toml says of a model, for its engine."""
    return EngineConfig(
        source=model.source,
        engine=model.engine,
        dtype=model.dtype,
        device=model.device,
        context=model.context,
        batch_size=model.batch_size,
        log_path=settings.workspace.model_log(model.name),
    )

"""Opens an engine by name; an engine's module is imported only when that engine is opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module

from explorer.engines.base import Engine, EngineConfig
from explorer.errors import SettingsError

_ENGINES = {
    "transformers": "explorer.engines.transformers:open_transformers",
    "vllm": "explorer.engines.vllm:open_vllm",
}
"""Name in explorer.toml -> module:function, an `async def (EngineConfig) -> Engine`."""


def engine_names() -> tuple[str, ...]:
    return tuple(sorted(_ENGINES))


async def open_engine(config: EngineConfig) -> Engine:
    """Load a model.

    Raises:
        SettingsError: there is no engine of that name, or a value of `config` makes no sense.
        MissingExtraError: the engine's packages are not installed.
        EngineError: the model cannot be loaded.
    """
    if config.engine not in _ENGINES:
        raise SettingsError(
            f"There is no engine '{config.engine}'",
            f"This version has: {', '.join(engine_names())}.",
            "Change `engine` of this model in explorer.toml.",
        )
    module, _, function = _ENGINES[config.engine].partition(":")
    opener: Callable[[EngineConfig], Awaitable[Engine]] = getattr(import_module(module), function)
    return await opener(config)

"""What a checkpoint's own files ask for, read without loading it.

Invariant: nothing here follows these files; they are only told, so that two arms whose checkpoints
ask for different things can be told apart (`core.parity`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from explorer.core.arm import canonical_json
from explorer.engines.fingerprint import checkpoint_folder
from explorer.errors import ExplorerError

_GENERATION_LEFT_OUT: Final = frozenset(
    {"transformers_version", "bos_token_id", "eos_token_id", "pad_token_id", "use_cache"}
)
"""Fields that change no completion; the end tokens are told by the engine itself."""

_CONFIG_TOLD: Final = (
    *("model_type", "max_position_embeddings", "rope_scaling", "rope_parameters"),
    *("sliding_window", "use_sliding_window", "dtype", "torch_dtype", "quantization_config"),
)


def checkpoint_facts(source: str) -> dict[str, str]:
    """Facts for `EngineInfo.facts`: `generation.<field>` and `config.<field>`, values as JSON.

    A checkpoint whose files are not on this machine, or cannot be read, has none.
    """
    try:
        folder = checkpoint_folder(source)
    except ExplorerError:
        return {}
    generation = _read(folder / "generation_config.json")
    config = _read(folder / "config.json")
    facts = {
        f"generation.{name}": canonical_json(value)
        for name, value in sorted(generation.items())
        if name not in _GENERATION_LEFT_OUT and not name.startswith("_")
    }
    return facts | {
        f"config.{name}": canonical_json(config[name])
        for name in _CONFIG_TOLD
        if config.get(name) is not None
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

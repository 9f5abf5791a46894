"""How much memory a model needs, from its files, without loading it.

Invariant: only headers and configurations are read. What cannot be worked out is said to be
unknown (None), never guessed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from explorer.engines.fingerprint import checkpoint_folder
from explorer.errors import ExplorerError

GIB: Final = 2**30

GPU_OVERHEAD: Final = 2 * GIB
"""CUDA context, libraries, activations of a step, and graphs of a vLLM server."""

CPU_OVERHEAD: Final = GIB
"""Interpreter and libraries of the processes of a server or engine on a CPU."""

_BYTES: Final = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
_DTYPE_BYTES: Final = {"float32": 4, "bfloat16": 2, "float16": 2, "half": 2}


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a checkpoint takes once it is loaded, in bytes.

    Attributes:
        weights: all of them, in the dtype that they are loaded in.
        per_token: keys and values of one token in all layers.
        context: most tokens of prompt + completion that the checkpoint holds; 0 = unknown.
        parameters: how many weights there are; 0 = unknown.
    """

    weights: int
    per_token: int
    context: int
    parameters: int


def model_size(source: str, dtype: str = "auto") -> ModelSize | None:
    """Size of a checkpoint in a folder or in the hub's cache; None where that is unknown.

    `auto` is bfloat16 or float16 where the files are float32, as vLLM does; quantised files are
    taken as they are.
    """
    try:
        folder = checkpoint_folder(source)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ExplorerError, OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    stored, parameters, floats = _weights(folder)
    if not stored:
        return None
    width = _width(config, dtype)
    quantised = "quantization_config" in config
    weights = stored if quantised else stored - floats[1] + floats[0] * width
    text = config.get("text_config")
    text = text if isinstance(text, dict) else config
    return ModelSize(weights, _per_token(text, width), _context(text), parameters)


def _width(config: dict[str, Any], dtype: str) -> int:
    """Bytes of one weight, and of one number in the cache."""
    if dtype != "auto":
        return _DTYPE_BYTES.get(dtype, 2)
    named = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    return min(2, _DTYPE_BYTES.get(named.removeprefix("torch."), 2))


def _weights(folder: Path) -> tuple[int, int, tuple[int, int]]:
    """Bytes stored, parameters, and (count, bytes) of those that are plain floats."""
    stored = parameters = count = size = 0
    for path in sorted(folder.glob("*.safetensors")):
        if path.name.startswith(("consolidated", "adapter")):
            continue  # a second copy of the same weights, or no weights of this model
        for tensor in _header(path).values():
            numbers = 1
            for side in tensor.get("shape", ()):
                numbers *= int(side)
            width = _BYTES.get(str(tensor.get("dtype")), 2)
            stored += numbers * width
            parameters += numbers
            if tensor.get("dtype") in ("F32", "F16", "BF16"):
                count += numbers
                size += numbers * width
    if not stored:
        stored = sum(path.stat().st_size for path in folder.glob("pytorch_model*.bin"))
    return stored, parameters, (count, size)


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length < 100 << 20 else {}
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in header.items() if name != "__metadata__"}


def _per_token(config: dict[str, Any], width: int) -> int:
    """Bytes of keys and values per token; a bound where some layers keep a window only."""
    layers = _number(config, "num_hidden_layers", "n_layer")
    heads = _number(config, "num_attention_heads", "n_head")
    hidden = _number(config, "hidden_size", "n_embd")
    if latent := _number(config, "kv_lora_rank"):  # multi-head latent attention keeps one vector
        return layers * (latent + _number(config, "qk_rope_head_dim")) * width
    side = _number(config, "head_dim") or (hidden // heads if heads else 0)
    return 2 * layers * (_number(config, "num_key_value_heads") or heads) * side * width


def _context(config: dict[str, Any]) -> int:
    return _number(config, "max_position_embeddings", "n_positions", "max_seq_len")


def _number(config: dict[str, Any], *names: str) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0

"""Writes LoRA folders for the bundled models as PEFT does, by hand: no torch, no peft."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HIDDEN, LAYERS, RANK = 128, 4, 8
VOCABULARY = 640

RIGHT_PREFIX = "base_model.model.model.layers"
WRONG_PREFIX = "base_model.model.language_model.model.layers"
"""As adapters of a vision model name its text part: the same modules, elsewhere."""


def write_lora(
    folder: Path,
    seed: int = 0,
    prefix: str = RIGHT_PREFIX,
    modules: tuple[str, ...] = ("q_proj", "v_proj"),
    scale: float = 0.3,
    head: bool = False,
) -> Path:
    """Write an adapter of the attention (and, with `head`, of the output layer)."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for layer in range(LAYERS):
        for module in modules:
            name = f"{prefix}.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = rng.normal(0, scale, (RANK, HIDDEN))
            tensors[f"{name}.lora_B.weight"] = rng.normal(0, scale, (HIDDEN, RANK))
    if head:
        name = "base_model.model.lm_head"
        tensors[f"{name}.lora_A.weight"] = rng.normal(0, scale, (RANK, HIDDEN))
        tensors[f"{name}.lora_B.weight"] = rng.normal(0, scale, (VOCABULARY, RANK))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "base",
        "r": RANK,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [*modules, *(["lm_head"] if head else [])],
        "modules_to_save": None,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1))
    save(folder / "adapter_model.safetensors", tensors)
    return folder


def save(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write a safetensors file: length of the header, header, numbers."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in tensors.items():
        piece = tensor.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(piece)],
        }
        data += piece
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)

"""A tiny Llama with random weights and a byte tokenizer, as a checkpoint folder.

Written without torch, whose import would take longer than what the tests do with the model.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

END = "<|end|>"
HIDDEN, INNER, LAYERS = 64, 128, 2


def write(folder: Path, seed: int = 0) -> Path:
    """Write the checkpoint and return its folder."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate([*alphabet, END])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END},
    )
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(vocabulary),
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "bos_token_id": None,
        "eos_token_id": vocabulary[END],
        "tie_word_embeddings": False,
        "dtype": "float32",
    }
    _write_json(folder / "config.json", config)
    save_file(_weights(len(vocabulary), seed), folder / "model.safetensors", {"format": "pt"})
    return folder


def _weights(vocabulary: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"model.embed_tokens": (vocabulary, HIDDEN), "lm_head": (vocabulary, HIDDEN)}
    norms = ["model.norm"]
    for number in range(LAYERS):
        layer = f"model.layers.{number}"
        shapes |= {f"{layer}.self_attn.{one}_proj": (HIDDEN, HIDDEN) for one in "qkvo"}
        shapes |= {f"{layer}.mlp.{one}_proj": (INNER, HIDDEN) for one in ("gate", "up")}
        shapes[f"{layer}.mlp.down_proj"] = (HIDDEN, INNER)
        norms += [f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm"]
    weights = {
        f"{name}.weight": rng.normal(0, 0.02, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    ones = {f"{name}.weight": np.ones(HIDDEN, np.float32) for name in norms}
    return weights | ones


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1))

"""The network: a Llama small enough for a CPU, and how it is kept on disk."""

from copy import deepcopy
from pathlib import Path
from typing import cast

import torch
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
)

CONTEXT = 512


def new(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """Fresh weights from torch's current seed; heads of 32, which vLLM can serve."""
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, head_dim=32,
        max_position_embeddings=CONTEXT, tie_word_embeddings=True, initializer_range=0.04,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Keep weights as bfloat16: what is measured is what is saved, so load() before measuring."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
    copy: torch.nn.Module = deepcopy(model)
    copy.to(torch.bfloat16)
    cast(LlamaForCausalLM, copy).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load(folder: Path) -> LlamaForCausalLM:
    """The saved bfloat16 weights, computed with in float32."""
    return cast(LlamaForCausalLM, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))

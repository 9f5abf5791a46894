"""Drawing completions with transformers' plain `generate`."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

LONGEST = 224
"""Tokens a completion may have; the teacher's longest trace is shorter."""


@dataclass(frozen=True)
class Sampled:
    """Completions of several prompts: prompts are padded on the left, completions on the right."""

    tokens: Tensor
    prompt_width: int
    texts: list[str]


@torch.no_grad()
def sample(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    each: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    longest: int = LONGEST,
) -> Sampled:
    """`each` completions per prompt, those of one prompt side by side; greedy at temperature 0."""
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    tokens = model.generate(
        input_ids=encoded.input_ids,
        attention_mask=encoded.attention_mask,
        num_return_sequences=each,
        max_new_tokens=longest,
        **(
            {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
            if temperature > 0
            else {"do_sample": False}
        ),
    )
    width = encoded.input_ids.shape[1]
    texts = tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True)
    return Sampled(tokens, width, texts)

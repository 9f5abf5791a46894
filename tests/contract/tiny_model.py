"""Makes the model that the engine tests load: random, with a real byte-level BPE tokenizer.

Random weights give a rough distribution over every kind of token, broken UTF-8 and EOS included,
which a trained model would rarely show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = (
    "How many apples does Ann have now? She has 3 + 4 = 7 apples.",
    "The answer is 12. Wait, let me check that again: 5 * 2 = 10.",
    "Question: what is left?\nAnswer: nothing at all.",
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
    "{% if not loop.last or m.role != 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
EOS, OTHER_EOS = 0, 1


def make_tiny_model(folder: Path, context: int = 512, **config: Any) -> Path:
    """Write a Llama of about 0.1M random weights; two of its ids end a completion."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": context,
        "initializer_range": 0.2,
        "eos_token_id": [EOS, OTHER_EOS],
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(LlamaConfig(**(shape | config)))
    # What a published checkpoint may carry, and what must not bend our distribution.
    model.generation_config.update(temperature=0.1, top_k=1, do_sample=True, min_new_tokens=3)
    model.generation_config.update(repetition_penalty=1.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_first = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = bytes_first
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=["<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>"
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast

"""Makes vision-language checkpoints that the tests load: random weights, real processors.

Two families, because they differ where it matters: LLaVA gives every image the same number of
tokens and plain positions, Qwen2-VL a number that depends on the image's size, and positions in
two dimensions. Everything is made here, in a second; nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = (
    "How many dots are in the picture? There are 3 + 4 = 7 dots.",
    "The answer is 12. Wait, let me look at the image again: 5 * 2 = 10.",
    "Question: which colour is it?\nAnswer: red, green or blue.",
)
SIDE, PATCH = 28, 7
"""Pixels of LLaVA's input and of one patch: 16 tokens per image."""

LLAVA_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
QWEN_TEMPLATE = LLAVA_TEMPLATE.replace(
    "'image' %}<image>", "'image' %}<|vision_start|><|image_pad|><|vision_end|>"
)


def make_tiny_llava(folder: Path, context: int = 512) -> Path:
    """Write a LLaVA of about 0.3M random weights, with its processor."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig
    from transformers import LlavaForConditionalGeneration as Model
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.processing_llava import LlavaProcessor

    tokenizer = _tokenizer(["<image>"])
    config: Any = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
            image_size=SIDE, patch_size=PATCH, projection_dim=32,
        ),
        text_config=LlamaConfig(**_shape(len(tokenizer), context)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = Model(config)
        _louden(model)
    size = {"height": SIDE, "width": SIDE}
    images: Any = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)
    make: Any = LlavaProcessor  # has no types
    processor: Any = make(
        images, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    _save(folder, model, processor)
    _name_as_published(folder / "model.safetensors")
    return folder


def _name_as_published(weights: Path) -> None:
    """Give the vision tower's weights the names of published checkpoints, which vLLM expects."""
    from safetensors.torch import load_file, save_file

    old, new = "vision_tower.", "vision_tower.vision_model."
    named = {
        name if new in name else name.replace(old, new): weight
        for name, weight in load_file(weights).items()
    }
    save_file(named, weights, {"format": "pt"})


def make_tiny_qwen2_vl(folder: Path, context: int = 512) -> Path:
    """Write a Qwen2-VL of about 0.3M random weights, with its processor (for images only)."""
    import torch
    from transformers import Qwen2VLConfig
    from transformers import Qwen2VLForConditionalGeneration as Model
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = _tokenizer(marks)
    ids = dict(zip(marks, tokenizer.convert_tokens_to_ids(marks), strict=True))
    text = _shape(len(tokenizer), context) | {
        "rope_parameters": {
            "rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0
        },
    }  # fmt: skip
    config: Any = Qwen2VLConfig(
        text_config=text,
        vision_config={
            "depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2,
            "patch_size": PATCH, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = Model(config)
        _louden(model)
    images: Any = Qwen2VLImageProcessorPil(
        patch_size=PATCH, merge_size=2, temporal_patch_size=2,
        size={"shortest_edge": 14 * 14, "longest_edge": 84 * 84},
    )  # fmt: skip
    tokenizer.chat_template = QWEN_TEMPLATE
    images.save_pretrained(folder)
    return _save(folder, model, tokenizer)


def make_picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (56, 42)) -> str:
    """Write a PNG of one colour with a dark bar in it; returns its path."""
    from PIL import Image

    image = Image.new("RGB", size, colour)
    image.paste((20, 20, 20), (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    image.save(path)
    return str(path)


def _shape(vocabulary: int, context: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": context,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 4,
    }


def _louden(model: Any) -> None:
    """Weights larger than usual, so that what a token or an image says is felt at the end."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0.0, 0.2)
            elif "bias" in name:
                weight.zero_()


def _tokenizer(marks: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=352,
        special_tokens=["<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|pad|>", *marks],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>"
    )
    return fast


def _save(folder: Path, model: Any, processor: Any) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder

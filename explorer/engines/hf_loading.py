"""Loads a checkpoint with `transformers`, and refuses what would only look like the model.

Invariant: every weight of a loaded model comes from the checkpoint. The library fills gaps with
random numbers and a warning; here a gap is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from explorer.engines.base import EngineConfig, EngineInfo, SampleJob, ScoreJob
from explorer.engines.checkpoint_facts import checkpoint_facts
from explorer.engines.fingerprint import (
    checkpoint_folder,
    checkpoint_identity,
    hub_name,
    is_hub_name,
    tokenizer_identity,
)
from explorer.engines.hf_cache import PromptCache
from explorer.engines.hf_images import ImageReader, load_processor, sees_images, usable
from explorer.engines.hf_text import TokenText
from explorer.errors import EngineError

_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")

UNBOUNDED_CONTEXT = 32768
"""Context of a model that names none (some have no positions), unless the configuration does."""


@dataclass(frozen=True)
class Loaded:
    """A model ready for work, with what its jobs need to know."""

    model: Any
    tokenizer: Any
    text: TokenText
    info: EngineInfo
    device: torch.device
    batch_size: int
    images: ImageReader | EngineError | None = None


def load(config: EngineConfig) -> Loaded:
    """Load model and tokenizer.

    Raises:
        EngineError: with what is wrong with the checkpoint, the device or the memory.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = _device(config.device)
    dtype = _dtype(config.dtype, device)
    source, revision = _source(config.source)
    tokenizer = _tokenizer(source, revision)
    images = _images(source, revision, tokenizer)
    model = _model(source, revision, dtype, device, images is not None)
    eos_ids = _eos_ids(model, tokenizer)
    # What the checkpoint's generation_config.json asks for must not bend the distribution.
    model.generation_config = transformers.GenerationConfig()  # type: ignore[no-untyped-call]
    rows = _vocabulary(model)
    info = EngineInfo(
        engine="transformers",
        version=transformers.__version__,
        dtype=str(dtype).removeprefix("torch."),
        device=str(device),
        checkpoint=checkpoint_identity(config.source),
        tokenizer=tokenizer_identity(config.source),
        context=_context(model.config, config.context),
        vocab_size=rows,
        eos_ids=eos_ids,
        parameters=sum(weight.numel() for weight in model.parameters()),
        images=isinstance(images, ImageReader),
        facts={"generation.use": "ignored", **checkpoint_facts(config.source)},
    )
    text = TokenText(tokenizer, rows)
    return Loaded(model, tokenizer, text, info, device, config.batch_size, images)


def prompt_cache(loaded: Loaded, job: SampleJob | ScoreJob) -> PromptCache:
    """The keys and values of a job's prompt and of the images in it.

    Raises:
        EngineError: the model cannot take the images, or they are not those of the prompt.
    """
    inputs: dict[str, Any] = {}
    if job.images:
        dtype = next(loaded.model.parameters()).dtype
        inputs = usable(loaded.images).inputs(
            job.prompt_text, job.prompt_ids, job.images, loaded.device, dtype
        )
    return PromptCache(loaded.model, job.prompt_ids, loaded.device, inputs)


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def _source(source: str) -> tuple[str, str | None]:
    """(folder or repository, revision) for the library, which finds or downloads the latter."""
    if Path(source).is_dir() or not is_hub_name(source):
        return str(checkpoint_folder(source)), None
    return hub_name(source)


def _device(wanted: str) -> torch.device:
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise EngineError(
            "There is no usable CUDA device",
            f"torch {torch.__version__} finds none.",
            "Set device = 'cpu' or 'auto', or install a torch build that fits the driver.",
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    dtype = getattr(torch, wanted)
    assert isinstance(dtype, torch.dtype)
    return dtype


def _tokenizer(source: str, revision: str | None) -> Any:
    try:
        return transformers.AutoTokenizer.from_pretrained(source, revision=revision)
    except Exception as error:
        raise _explained("The tokenizer cannot be loaded", source, error) from error


def _images(source: str, revision: str | None, tokenizer: Any) -> ImageReader | EngineError | None:
    """What reads images, None for a model of text only.

    A processor that cannot be loaded is told of when an image is to be read: text still works.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(source, revision=revision)
    except Exception:  # loading the model says better what is wrong
        return None
    if not sees_images(config):
        return None
    try:
        return ImageReader(load_processor(source, revision, config, tokenizer))
    except EngineError as error:
        return error


def _model(
    source: str, revision: str | None, dtype: torch.dtype, device: torch.device, sees: bool
) -> Any:
    # The types of these classes do not know the second result.
    library: Any = (
        transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
    )
    try:
        model, report = library.from_pretrained(
            source, revision=revision, dtype=dtype, output_loading_info=True
        )
    except Exception as error:
        raise _explained("The model cannot be loaded", source, error) from error
    gaps = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if gaps:
        raise EngineError(
            "The checkpoint does not hold the whole model",
            f"{source}: {len(gaps)} weights are missing or have another shape, such as {gaps[0]}.",
            "Is it a language model with its output layer, and saved completely?",
        )
    try:
        return model.to(device).eval()
    except Exception as error:
        raise _explained(f"The model does not go onto the device {device}", source, error) from None


def _explained(title: str, source: str, error: Exception) -> EngineError:
    """The library's error in one line, with what usually helps."""
    said = " ".join(str(error).split())
    hint = "The engine's log has the whole message."
    if is_out_of_memory(error):
        hint = "It does not fit into memory: use a smaller dtype, a smaller model, or free some."
    elif "does not recognize this architecture" in said or "Unrecognized" in said:
        hint = "This version of transformers does not know the architecture; try a newer one."
    elif "no file named" in said or "does not appear to have" in said:
        hint = "The folder is incomplete: it needs config.json, weights and the tokenizer's files."
    elif "offline" in said.lower() or "connect" in said.lower():
        hint = "It is not in the hub's cache and cannot be downloaded here: hf download elsewhere."
    return EngineError(title, f"{source}: {type(error).__name__}: {said[:600]}", hint)


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Ids that end a completion: those of the generation config (else config) and tokenizer."""
    found: set[int] = set()
    named = model.generation_config.eos_token_id if model.generation_config is not None else None
    if named is None:
        named = getattr(model.config.get_text_config(), "eos_token_id", None)
    for ids in (named, tokenizer.eos_token_id):
        if ids is not None:
            found.update([ids] if isinstance(ids, int) else ids)
    return tuple(sorted(found))


def _vocabulary(model: Any) -> int:
    layer = model.get_output_embeddings()
    rows = layer.weight.shape[0] if layer is not None else model.config.vocab_size
    return int(rows)


def _context(config: Any, wanted: int) -> int:
    text_config = config.get_text_config()
    named = (getattr(text_config, field, None) for field in _CONTEXT_FIELDS)
    held = next((int(value) for value in named if value), 0)
    if held and wanted > held:
        raise EngineError(
            "The model's context is shorter than the one asked for",
            f"It holds {held} tokens; context = {wanted} was asked for.",
            f"Set context to at most {held}, or 0 for the model's own.",
        )
    return wanted or held or UNBOUNDED_CONTEXT

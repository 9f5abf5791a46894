"""LoRA folders, read without a model library: rank, content digest, what they change.

Invariant: the name that a server gives an adapter follows from its content, so that a changed
adapter never shares a prefix cache with its former self (vLLM #30931, #42125).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from explorer.engines.fingerprint import hub_name, is_hub_name
from explorer.errors import EngineError, MissingExtraError

_OUTPUT_PARTS: Final = ("lm_head", "embed_tokens", "embed_out", "wte", "output_layer")
"""Parts whose change vLLM leaves out of prompt log-probabilities (#51594)."""

_LARGEST_HEADER: Final = 100 << 20


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA folder.

    Attributes:
        source: as it was named; folder: where it lies.
        name: what a server calls it: the folder's name and a digest of the content.
        digest: of configuration and weights.
        rank: the largest rank in it.
        output_parts: which of the output and embedding layers it changes; none is the usual case.
    """

    source: str
    folder: str
    name: str
    digest: str
    rank: int
    output_parts: tuple[str, ...]


def read_adapter(folder: str) -> Adapter:
    """Read a LoRA folder as PEFT writes it.

    Raises:
        EngineError: it is not there, is no such folder, or is damaged.
    """
    path = _folder(folder)
    config = _config(path)
    weights = _weights(path)
    digest = blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=20)
    with weights.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name)[:40] or "adapter"
    return Adapter(
        source=folder,
        folder=str(path),
        name=f"{slug}-{digest.hexdigest()[:12]}",
        digest=digest.hexdigest(),
        rank=max((int(rank) for rank in ranks if rank), default=8),
        output_parts=_output_parts(config, weights),
    )


def _output_parts(config: dict[str, Any], weights: Path) -> tuple[str, ...]:
    names = [str(name) for name in _listed(config, "target_modules")]
    names += [str(name) for name in _listed(config, "modules_to_save")]
    names += tensor_names(weights) if weights.suffix == ".safetensors" else []
    pieces = {piece for name in names for piece in re.split(r"\W+", name)}
    return tuple(part for part in _OUTPUT_PARTS if part in pieces)


def refuse_scoring(folder: str) -> None:
    """Say no where vLLM's prompt log-probabilities under this adapter are known to be wrong.

    Raises:
        EngineError: it changes the output or embedding layer.
    """
    path = _folder(folder)
    parts = _output_parts(_config(path), _weights(path))
    if parts:
        raise EngineError(
            "Scores under this adapter would be wrong",
            f"{folder} changes {', '.join(parts)}, and vLLM leaves that change out"
            " of prompt log-probabilities (vllm-project/vllm#51594).",
            "Merge the adapter into a checkpoint of its own and name that as `source`; sampling"
            " works as it is.",
        )


def tensor_names(path: Path) -> list[str]:
    """Names of the tensors of a safetensors file, from its header.

    Raises:
        EngineError: it is damaged.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _LARGEST_HEADER:
                raise ValueError("its header has no sensible length")
            header = json.loads(file.read(length))
    except (OSError, ValueError) as error:
        raise EngineError("A safetensors file is damaged", f"{path}: {error}") from error
    return [name for name in header if name != "__metadata__"]


def _folder(name: str) -> Path:
    """The folder itself, or the adapter's snapshot in the hub's cache."""
    if Path(name).is_dir() or not is_hub_name(name):
        return Path(name)
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as missing:
        raise MissingExtraError("An adapter from the Hugging Face hub", "local") from missing
    repository, revision = hub_name(name)
    found = try_to_load_from_cache(repository, "adapter_config.json", revision=revision)
    if not isinstance(found, str):
        raise EngineError(
            "There is no such adapter folder, and no such adapter in the hub's cache",
            name,
            f"Check `adapter` of this model, or download it first: hf download {repository}",
        )
    return Path(found).parent


def _config(path: Path) -> dict[str, Any]:
    try:
        value = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(
            "The folder holds no LoRA adapter",
            f"There is no adapter_config.json in {path}.",
            "Check `adapter` of this model: it is the folder that PEFT wrote.",
        ) from error
    except (OSError, ValueError) as error:
        raise EngineError(
            "An adapter's configuration is damaged", f"{path}/adapter_config.json: {error}"
        ) from error
    if not isinstance(value, dict):
        raise EngineError("An adapter's configuration is damaged", f"{path}/adapter_config.json")
    return value


def _weights(path: Path) -> Path:
    for name in ("adapter_model.safetensors", "adapter_model.bin"):
        if (path / name).is_file():
            return path / name
    raise EngineError(
        "The folder holds no LoRA weights", f"There is no adapter_model.safetensors in {path}."
    )


def _listed(config: dict[str, Any], key: str) -> list[Any]:
    value = config.get(key) or []
    return [value] if isinstance(value, str) else list(value)

"""Identity of a checkpoint and of a tokenizer, from their files, without loading a model.

The identity depends on content only: never on the folder's name, its place or file times. Big
weight files are read in samples (see `SAMPLED_OVER`), so that a 15 GB checkpoint costs a fraction
of a second; two files that differ only between the samples would be taken for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from explorer.core.arm import canonical_json
from explorer.errors import EngineError, MissingExtraError

SAMPLED_OVER = 64 * 2**20
"""Weight files up to this many bytes are read whole."""

SAMPLE_BLOCKS = 64
"""Blocks read from a bigger file, evenly spread, the first and the last among them."""

BLOCK_BYTES = 2**20

_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.pt", "*.pth")
"""The first kind that the folder has is what is loaded, and so what counts."""

_NOT_WEIGHTS = ("training_args.bin", "optimizer.bin", "scheduler.bin", "optimizer.pt")

_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "*.model",
    "*.tiktoken",
)
_INCIDENTAL = ("_name_or_path", "name_or_path", "transformers_version", "_commit_hash")
"""Fields of the JSON files that say who saved it from where, and change nothing."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


def checkpoint_identity(source: str) -> str:
    """`local:<digest>` of a folder's config and weights, or `hub:<repo>@<commit>`.

    Raises:
        EngineError: there is no such folder and no such model in the hub's cache.
    """
    folder = checkpoint_folder(source)
    if not Path(source).is_dir():
        return f"hub:{hub_name(source)[0]}@{folder.name}"
    digest = blake2b(digest_size=20)
    _add(digest, "config.json", canonical_json(_json(folder / "config.json")).encode())
    # Of the generation config only this matters: it ends completions. The rest is not used.
    ends = _json(folder / "generation_config.json").get("eos_token_id")
    _add(digest, "eos", canonical_json(ends).encode())
    for path in _weights(folder):
        _add_weights(digest, path)
    return f"local:{digest.hexdigest()}"


def tokenizer_identity(source: str) -> str:
    """`tok:<digest>` of the tokenizer's files, chat template and image processor among them.

    Raises:
        EngineError: there is no such folder and no such model in the hub's cache.
    """
    digest = blake2b(digest_size=20)
    for path in _matching(checkpoint_folder(source), _TOKENIZER):
        whole = path.suffix != ".json" or path.name in ("tokenizer.json", "vocab.json")
        content = path.read_bytes() if whole else canonical_json(_json(path)).encode()
        _add(digest, path.name, content)
    return f"tok:{digest.hexdigest()}"


def checkpoint_folder(source: str) -> Path:
    """The folder that holds the files: the source itself, or its snapshot in the hub's cache.

    Raises:
        EngineError: there is neither.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise EngineError(
            "The model is a file, not a folder",
            str(folder),
            "Name the folder that holds config.json and the weights.",
        )
    if not is_hub_name(source):
        raise EngineError("There is no such model folder", source, "Check `source` of this model.")
    return _snapshot(source)


def is_hub_name(source: str) -> bool:
    return _HUB_NAME.fullmatch(source) is not None


def hub_name(source: str) -> tuple[str, str | None]:
    """A hub name as (repository, revision); the revision is None where it is not given."""
    repository, _, revision = source.partition("@")
    return repository, revision or None


def _snapshot(source: str) -> Path:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as missing:
        raise MissingExtraError("A model from the Hugging Face hub", "local") from missing
    repository, revision = hub_name(source)
    found = try_to_load_from_cache(repository, "config.json", revision=revision)
    if not isinstance(found, str):
        raise EngineError(
            "There is no such model folder, and no such model in the hub's cache",
            source,
            "Check `source` of this model, or download it first: hf download " + repository,
        )
    return Path(found).parent


def _weights(folder: Path) -> list[Path]:
    for kind in _WEIGHTS:
        found = [path for path in _matching(folder, [kind]) if path.name not in _NOT_WEIGHTS]
        if found:
            return found
    return []


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _json(path: Path) -> dict[str, Any]:
    """A JSON object without its incidental fields; {} if there is none, its text if it is bad."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, UnicodeDecodeError):
        return {"unreadable": path.read_bytes().hex()}
    if not isinstance(value, dict):
        return {"value": value}
    return {name: field for name, field in value.items() if name not in _INCIDENTAL}


def _add(digest: blake2b, name: str, content: bytes) -> None:
    """Add one named part; its length goes first, so that parts cannot run into each other."""
    digest.update(f"{name}\0{len(content)}\0".encode())
    digest.update(content)


def _add_weights(digest: blake2b, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{path.name}\0{size}\0".encode())
    with path.open("rb") as file:
        if size <= SAMPLED_OVER:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
            return
        for number in range(SAMPLE_BLOCKS):
            file.seek((size - BLOCK_BYTES) * number // (SAMPLE_BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))

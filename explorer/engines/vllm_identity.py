"""What a vLLM server runs: name, weights, tokenizer, number format, as far as it can be known.

Invariant: nothing is guessed. A fingerprint is taken only of files that are here; what a server
does not say is 'unknown' or named after what it calls itself, and so never pooled with others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from explorer.core.arm import canonical_json
from explorer.core.prompts import Message
from explorer.engines.adapters import read_adapter
from explorer.engines.base import EngineConfig, EngineInfo
from explorer.engines.checkpoint_facts import checkpoint_facts
from explorer.engines.fingerprint import checkpoint_identity, is_hub_name, tokenizer_identity
from explorer.engines.vllm_http import AttemptError, Server, Servers
from explorer.engines.vllm_stream import not_vllm, read_choices
from explorer.engines.vllm_text import ServedText
from explorer.errors import EngineError, ExplorerError, SettingsError

JOBS_AT_ONCE: Final = 64
"""A server batches across requests, so small jobs are given to it side by side."""

_PROBE: Final = "Ann has 3 apples; 12345.67 naïve\n\t二十四 😀 x² \\boxed{}"
"""Cut into tokens, it tells tokenizers apart whose files are elsewhere."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model as a server lists it.

    Attributes:
        name: what requests call it.
        root: folder or hub name that it was loaded from, as the server was told.
        base_root: of the base model, where this is an adapter; else ''.
        context: most tokens of prompt + completion.
    """

    name: str
    root: str
    base_root: str
    context: int


async def served_model(servers: Servers, wanted: str) -> Served:
    """The model that all servers run and that is meant by `wanted` ('' = the only one).

    Raises:
        EngineError: there is none, or the servers differ.
    """
    found: list[tuple[Server, Served]] = []
    for server in servers.all:
        listed = await servers.alone(server).ask("/v1/models")
        found.append((server, _chosen(server, listed, wanted)))
    first_server, first = found[0]
    for server, other in found[1:]:
        if (other.name, Path(other.root).name, other.context) != (
            first.name,
            Path(first.root).name,
            first.context,
        ):
            raise EngineError(
                "The servers of this model do not run the same",
                f"{first_server.url}: {first.name} ({first.root}), context {first.context}; "
                f"{server.url}: {other.name} ({other.root}), context {other.context}.",
                "Give every server in `url` the same model and flags.",
            )
    return first


async def check_answers(server: Server, model: str, text: ServedText) -> None:
    """Draw one token that the server is told to draw: its answer shows what is supported.

    Raises:
        EngineError: no token ids, or log-probabilities after temperature and masks.
        AttemptError: it may go well the next time.
    """
    (token, *_) = await text.tokenise("7", False)
    body = {
        "model": model,
        "prompt": [token, token],
        "max_tokens": 1,
        "temperature": 1.0,
        "allowed_token_ids": [token],
        "logprobs": 0,
        "return_token_ids": True,
        "stream": True,
    }
    drawn = None
    async for event in read_choices(server, "/v1/completions", body, 1):
        drawn = event[-1][1]
    if drawn is None or drawn.ids != [token]:
        raise not_vllm(server, "It did not draw the token that it was told to draw.")
    if drawn.logprobs[0] == 0.0:
        raise EngineError(
            "This vLLM server gives processed log-probabilities",
            f"{server.url}: they change with temperature and top-p, so models could not be "
            "compared by them.",
            "Start it with --logprobs-mode raw_logprobs, which is vLLM's default.",
        )


async def describe(
    servers: Servers, served: Served, config: EngineConfig, text: ServedText, ours: bool
) -> EngineInfo:
    """Everything that the arm key and people want to know.

    Args:
        servers: all that run it.
        served: what they run.
        config: what was asked for.
        text: its tokenizer.
        ours: whether `config` started the server, so that what it says holds.
    """
    told = await _told(servers)
    root = config.source if ours else served.base_root or served.root
    folder = _local_folder(root, servers)
    files = str(folder) if folder else root if ours else ""
    settings = _json(folder / "config.json") if folder else {}
    return EngineInfo(
        engine="vllm",
        version=await _version(servers),
        dtype=_dtype(told, config, settings, ours),
        device=str(told.get("device_config", {}).get("device") or "unknown"),
        checkpoint=_checkpoint(served, config, files, root, servers),
        tokenizer=_tokenizer(files) or await _seen_tokenizer(served.name, text),
        context=_context(served, config),
        vocab_size=_number(settings, "vocab_size"),
        eos_ids=_eos_ids(folder, settings) if folder else (),
        parameters=0,
        facts={"generation.use": "ignored", **(checkpoint_facts(files) if files else {})},
        jobs_at_once=JOBS_AT_ONCE,
    )


def _chosen(server: Server, listed: Any, wanted: str) -> Served:
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise EngineError(
            "This server is not a vLLM server",
            f"{server.url}/v1/models does not list models.",
            "Check `url` of this model; it is the address without /v1.",
        )
    names = {str(entry.get("id")): entry for entry in entries}
    bases = [name for name, entry in names.items() if not entry.get("parent")]
    name = wanted or (bases[0] if len(bases) == 1 else "")
    if name not in names:
        asked = f"does not serve '{wanted}'" if wanted else "serves several models"
        raise EngineError(
            f"The vLLM server {asked}",
            f"{server.url} serves: {', '.join(sorted(names)) or 'nothing'}.",
            "Set `source` of this model to one of these names.",
        )
    entry, base = names[name], names.get(str(names[name].get("parent")), {})
    context = entry.get("max_model_len") or base.get("max_model_len")
    if not isinstance(context, int):
        raise not_vllm(server, "It does not say how long its context is (max_model_len).")
    root = str(entry.get("root") or "")
    return Served(name, root, str(base.get("root") or ""), context)


async def _told(servers: Servers) -> dict[str, Any]:
    """What `/server_info` says; only servers in development mode have it."""
    try:
        answer = await servers.all[0].ask("/server_info?config_format=json")
    except (EngineError, AttemptError):
        return {}
    told = answer.get("vllm_config") if isinstance(answer, dict) else None
    return told if isinstance(told, dict) else {}


async def _version(servers: Servers) -> str:
    try:
        answer = await servers.ask("/version")
    except EngineError:
        return "unknown"  # a router in front may not pass it on
    return str(answer.get("version", "unknown")) if isinstance(answer, dict) else "unknown"


def _dtype(told: dict[str, Any], config: EngineConfig, settings: Any, ours: bool) -> str:
    known = str(told.get("model_config", {}).get("dtype", "")).removeprefix("torch.")
    if known and config.dtype not in ("auto", known):
        raise SettingsError(
            f"The vLLM server computes in {known}, not in {config.dtype}",
            "dtype of this model in explorer.toml says otherwise.",
            f'Start the server with --dtype {config.dtype}, or set dtype = "{known}".',
        )
    if known or config.dtype != "auto":
        return known or config.dtype
    if not ours:
        return "unknown"
    # What vLLM makes of 'auto': the checkpoint's own, but never float32 (config/model.py).
    saved = str(settings.get("dtype") or settings.get("torch_dtype") or "unknown")
    return "bfloat16" if saved == "float32" else saved


def _context(served: Served, config: EngineConfig) -> int:
    if config.context > served.context:
        raise EngineError(
            f"The vLLM server's context is too small for context = {config.context}",
            f"It holds {served.context} tokens of prompt and completion.",
            "Start it with a larger --max-model-len, or lower context of this model.",
        )
    return config.context or served.context


def _local_folder(root: str, servers: Servers) -> Path | None:
    """The folder that the server loaded, if it can be read here; a relative one only on this host.

    A hub name has a folder in the hub's cache, which is looked up by the fingerprint.
    """
    path = Path(root)
    if not root or not path.is_dir():
        return None
    here = all(server.loopback for server in servers.all)
    return path.resolve() if path.is_absolute() or here else None


def _checkpoint(
    served: Served, config: EngineConfig, files: str, root: str, servers: Servers
) -> str:
    base = ""
    if files or (is_hub_name(root) and all(server.loopback for server in servers.all)):
        try:
            base = checkpoint_identity(files or root)
        except ExplorerError:
            base = ""  # not in this machine's cache
    if not base:
        base = f"hub:{root}" if is_hub_name(root) else f"served:{served.name}"
    if config.adapter:
        return f"{base}+lora:{read_adapter(config.adapter).digest}"
    if served.base_root:
        folder = _local_folder(served.root, servers)
        return f"{base}+lora:{read_adapter(str(folder)).digest if folder else served.name}"
    return base


def _tokenizer(files: str) -> str:
    try:
        return tokenizer_identity(files) if files else ""
    except ExplorerError:
        return ""


async def _seen_tokenizer(model: str, text: ServedText) -> str:
    """A digest of how the tokenizer, and the chat template, treat a text that tells them apart."""
    seen: list[Any] = [await text.tokenise(_PROBE, True)]
    try:
        turns = [Message("system", "Think."), Message("user", "2?")]
        seen.append(await text.tokenised(chat_body(model, turns)))
    except EngineError:
        seen.append(None)
    digest = blake2b(canonical_json(seen).encode(), digest_size=20)
    return f"seen:{digest.hexdigest()}"


def chat_body(model: str, turns: Sequence[Message]) -> dict[str, Any]:
    """A `/tokenize` request for chat turns; a last turn of the assistant is to be continued."""
    prefilled = bool(turns) and turns[-1].role == "assistant"
    return {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "add_generation_prompt": not prefilled,
        "continue_final_message": prefilled,
    }


def _eos_ids(folder: Path, settings: dict[str, Any]) -> tuple[int, ...]:
    """As vLLM has them: the tokenizer's, and those of generation_config.json."""
    told: list[Any] = []
    for value in (
        settings.get("eos_token_id"),
        _json(folder / "generation_config.json").get("eos_token_id"),
    ):
        told += value if isinstance(value, list) else [value]
    return tuple(sorted({one for one in told if isinstance(one, int)}))


def _number(settings: dict[str, Any], name: str) -> int:
    text = settings.get("text_config")
    value = settings.get(name, text.get(name) if isinstance(text, dict) else 0)
    return value if isinstance(value, int) else 0


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

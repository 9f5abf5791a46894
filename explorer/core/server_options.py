"""How a vLLM server of ours is started: one record for explorer.toml and for the engine.

It lies here because the settings, which read it, may not see the engines, which use it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a vLLM server of ours is started; every field becomes a flag and is recorded.

    Attributes:
        python: the interpreter that has vllm; '' = the one that runs us.
        tensor_parallel, pipeline_parallel, data_parallel: how many devices share the model.
        gpu_memory_utilization: share of a device's memory that the server may take.
        memory_gb: memory that the server takes on its device, where it cannot be worked out;
            0 = work it out.
        max_num_seqs: most completions at once; 0 = vLLM's own choice.
        max_num_batched_tokens: most tokens per step; bounds the memory of scoring.
        max_logprobs: most alternatives per position that may be asked for.
        prefix_caching: reuse the work on a shared prompt.
        enforce_eager: no CUDA graphs: a quicker start, slower sampling.
        sleep: put an unneeded server to sleep rather than stop it, where the platform can.
        extra_args: further flags, passed on as they are.
        env: further environment variables, as (name, value).
    """

    python: str = ""
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    gpu_memory_utilization: float = 0.85
    memory_gb: float = 0.0
    max_num_seqs: int = 0
    max_num_batched_tokens: int = 2048
    max_logprobs: int = 20
    prefix_caching: bool = True
    enforce_eager: bool = False
    sleep: bool = True
    extra_args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

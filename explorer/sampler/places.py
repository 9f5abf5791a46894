"""From explorer.toml and this machine's devices to a plan, and from the plan to engine settings.

Invariant: two models share a place exactly when one server serves both, that is when they differ
in nothing but the adapter.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from explorer.engines import device_memory
from explorer.engines.base import EngineConfig
from explorer.engines.model_memory import CPU_OVERHEAD, GIB, GPU_OVERHEAD, ModelSize, model_size
from explorer.errors import ExplorerError
from explorer.sampler.planner import Device, Layout, Place, lay_out
from explorer.settings import ModelSettings, Settings

VLLM_CPU_OVERHEAD: Final = 2 * GIB
"""The three processes of a vLLM server on a CPU, without weights and cache."""

MOST_TOKENS_HELD: Final = 16_384
"""Keys and values of so many tokens a transformers engine is taken to hold: it makes its batches
as small as memory wants them."""


@dataclass(frozen=True, slots=True)
class Site:
    """What models run on: the GPUs that can be asked, and the machine's own memory."""

    gpus: tuple[device_memory.DeviceMemory, ...]
    machine: device_memory.DeviceMemory | None


def survey() -> Site:
    """Ask this machine."""
    return Site(device_memory.gpus(), device_memory.machine())


@dataclass(frozen=True, slots=True)
class Plan:
    """A layout with the engine settings that carry it out, by model."""

    layout: Layout
    configs: Mapping[str, EngineConfig]
    place_of: Mapping[str, str]


def make_plan(settings: Settings, site: Site) -> Plan:
    """Lay out every model that explorer.toml runs here."""
    own = {name: model for name, model in settings.models.items() if not model.urls}
    configs = {name: engine_config(settings, model) for name, model in own.items()}
    configs = {name: replace(c, adapters=_shared(c, configs)) for name, c in configs.items()}
    place_of = {name: _key(name, config) for name, config in configs.items()}
    groups: dict[str, list[str]] = {}
    for name, key in place_of.items():
        groups.setdefault(key, []).append(name)
    places = [_place(key, tuple(names), configs[names[0]], site) for key, names in groups.items()]
    on_cpu = {place.key: place.on_cpu for place in places}
    gpus, machine = _devices(settings, site, any(not place.on_cpu for place in places))
    layout = lay_out(places, gpus, machine)
    planned = {
        name: _granted(config, place_of[name], layout, on_cpu[place_of[name]], len(gpus))
        for name, config in configs.items()
    }
    for name, model in settings.models.items():
        if model.urls:
            planned[name] = engine_config(settings, model)
    return Plan(layout, planned, place_of)


def engine_config(settings: Settings, model: ModelSettings) -> EngineConfig:
    """What explorer.toml says of a model, for its engine."""
    return EngineConfig(
        source=model.source,
        engine=model.engine,
        dtype=model.dtype,
        device=model.device,
        context=model.context,
        batch_size=model.batch_size,
        log_path=settings.workspace.model_log(model.name),
        urls=model.urls,
        api_key_env=model.api_key_env,
        adapter=model.adapter,
        server=model.server,
        state_folder=settings.workspace.servers,
        server_idle_s=settings.server_idle_s,
    )


def _shared(config: EngineConfig, configs: Mapping[str, EngineConfig]) -> tuple[str, ...]:
    """The adapters of every model that can share a server with this one."""
    return tuple(
        sorted(
            {other.adapter for other in configs.values() if other.adapter and _fits(config, other)}
        )
    )


def _fits(one: EngineConfig, other: EngineConfig) -> bool:
    return one.engine == "vllm" and _key("", one) == _key("", other)


def _key(name: str, config: EngineConfig) -> str:
    if config.engine != "vllm":
        return f"model:{name}"
    kept = (config.source, config.dtype, config.device, config.context, config.batch_size)
    return f"server:{kept!r}:{config.server!r}"


def _place(key: str, names: tuple[str, ...], config: EngineConfig, site: Site) -> Place:
    server = config.server
    size = _size(config.source, config.dtype)
    served = config.engine == "vllm"
    on_cpu, no_sleep = _platform(config, site)
    pinned = config.device.removeprefix("cuda:")
    context = config.context or (size.context if size else 0)
    tokens = context if served else min(8 * context, MOST_TOKENS_HELD)
    return Place(
        key=key,
        source=config.source if served else key,
        models=names,
        weights=size.weights if size else None,
        per_token=size.per_token if size else 0,
        context=tokens,
        overhead=(VLLM_CPU_OVERHEAD if served else CPU_OVERHEAD) if on_cpu else GPU_OVERHEAD,
        share=server.gpu_memory_utilization,
        fixed=round(server.memory_gb * GIB) if served else 0,
        n_devices=server.tensor_parallel * server.pipeline_parallel * server.data_parallel
        if served and not on_cpu
        else 1,
        pinned=int(pinned) if pinned.isdigit() else -1,
        on_cpu=on_cpu,
        grows=served,
        sleeps=served and not no_sleep,
        no_sleep=no_sleep if served else "",
    )


def _platform(config: EngineConfig, site: Site) -> tuple[bool, str]:
    """Whether a model lives in the machine's memory, and why its server cannot sleep ('' = can)."""
    if config.engine != "vllm":
        return config.device == "cpu" or not site.gpus, ""
    from explorer.engines.vllm_command import probe

    try:
        build = probe(config.server.python or sys.executable)
    except ExplorerError:  # told when the model is opened
        return not site.gpus, "vLLM is not installed"
    if build.cpu:
        return True, "vLLM's CPU build has no sleep mode"
    if not config.server.sleep:
        return False, "sleep = false in [vllm]"
    if config.adapters:
        return False, "its server holds LoRA adapters, with which vLLM's sleep is not safe"
    return False, ""


_sizes: dict[tuple[str, str], ModelSize] = {}


def _size(source: str, dtype: str) -> ModelSize | None:
    """As `model_size`; what is not downloaded yet is looked for again."""
    found = _sizes.get((source, dtype)) or model_size(source, dtype)
    if found is not None and not Path(source).is_dir():
        _sizes[source, dtype] = found
    return found


def _devices(
    settings: Settings, site: Site, gpu_wanted: bool
) -> tuple[tuple[Device, ...], Device | None]:
    limit = round(settings.memory_gb * GIB)
    gpus = tuple(Device(gpu.index, gpu.name, gpu.total, limit) for gpu in site.gpus)
    if not gpus and gpu_wanted and limit:
        # A device that cannot be asked: its size is what was given by hand.
        gpus = (Device(0, "the GPU", limit, limit),)
    machine = None
    if site.machine is not None:
        by_hand = limit if not gpus else 0
        machine = Device(-1, "memory", site.machine.total, by_hand)
    elif limit and not gpus:
        machine = Device(-1, "memory", limit, limit)
    return gpus, machine


def _granted(
    config: EngineConfig, key: str, layout: Layout, on_cpu: bool, n_gpus: int
) -> EngineConfig:
    """A model's settings with what the plan gives it."""
    grant = layout.grants.get(key)
    if grant is None or config.engine != "vllm":
        return config
    server = replace(config.server, memory_gb=grant.bytes / GIB)
    if not on_cpu:
        server = replace(server, gpu_memory_utilization=grant.share)
        named = dict(server.env)
        if n_gpus > 1 and "CUDA_VISIBLE_DEVICES" not in named:
            devices = ",".join(str(index) for index in grant.devices)
            server = replace(server, env=(*server.env, ("CUDA_VISIBLE_DEVICES", devices)))
    return replace(config, server=server)

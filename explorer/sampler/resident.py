"""Which models are in memory: opens the one that is needed, after others made room as planned.

Invariant: what is in memory together never exceeds the plan (`planner`); servers that outlived an
earlier sampler count as in memory. Where nothing is known of a model's size, it is alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from explorer.engines import device_memory
from explorer.engines.base import Engine, EngineConfig
from explorer.errors import EngineError, SettingsError
from explorer.sampler.places import Plan, Site, make_plan, survey
from explorer.sampler.planner import STEP, gib
from explorer.sampler.room import Step, fits_beside, make_room
from explorer.settings import Settings
from explorer.store import server_files
from explorer.store.server_files import ServerFile

log = logging.getLogger(__name__)

OpenEngine = Callable[[EngineConfig], Awaitable[Engine]]
Say = Callable[[str], None]

FREED_PATIENCE_S: Final = 10.0
"""A driver gives memory back a moment after its process has ended."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    engine: Engine
    config: EngineConfig


class Residents:
    """The loaded engines by model name, the one used last at the end, and the servers."""

    def __init__(
        self,
        open_engine: OpenEngine,
        *,
        look: Callable[[], Site] = survey,
        say: Say = lambda text: None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            look: asks this machine for its devices.
            say: told in words what is done to make room, and why.
        """
        self._open = open_engine
        self._look = look
        self._say = say
        self._site: Site | None = None
        self._loaded: dict[str, _Loaded] = {}
        self._planned_for: object = None
        self._plan: Plan | None = None
        self._recency: dict[str, int] = {}
        self._shrunk: dict[str, float] = {}

    def get(self, settings: Settings, model: str) -> Engine | None:
        """The engine of a model if it is loaded as explorer.toml says now."""
        loaded = self._loaded.get(model)
        if loaded is None or model not in settings.models:
            return None
        return loaded.engine if self._config(settings, model) == loaded.config else None

    def names(self, settings: Settings) -> list[str]:
        return [name for name in self._loaded if self.get(settings, name)]

    def near(self, settings: Settings) -> list[str]:
        """Models that can be opened without another's making room."""
        if not self._loaded and not settings.workspace.servers.is_dir():
            return []
        plan = self._plan_for(settings)
        awake, asleep = self._states(settings, plan)
        return [
            name
            for name, key in plan.place_of.items()
            if key in awake or fits_beside(plan.layout, key, awake, asleep)
        ]

    async def need(self, settings: Settings, model: str, upcoming: Sequence[str] = ()) -> Engine:
        """The engine of a model, opened if it must be, after others made room.

        Args:
            upcoming: models that open requests name, most urgent first.

        Raises:
            SettingsError: explorer.toml has no such model.
            EngineError: it does not fit here; says what would.
            ExplorerError: it cannot be loaded.
        """
        if model not in settings.models:
            raise SettingsError(
                f"There is no model '{model}' in explorer.toml",
                f"{settings.workspace.settings} has: {', '.join(settings.models) or 'none'}.",
                "Add a [models] table of that name, or ask for another model.",
            )
        engine = self.get(settings, model)
        if engine is None:
            await self.close(model)
            await asyncio.to_thread(self._plan_for, settings)
            await self._make_room(settings, model, upcoming)
            config = self._config(settings, model)
            engine = await self._open(config)
            self._loaded[model] = _Loaded(engine, config)
        self._loaded[model] = self._loaded.pop(model)
        self._note_use(self._plan_for(settings).place_of.get(model, ""))
        return engine

    async def close(self, model: str) -> None:
        """Let go of a model; a server of ours goes on, for whoever needs it next."""
        loaded = self._loaded.pop(model, None)
        if loaded is not None:
            await loaded.engine.close()

    async def close_all(self) -> None:
        for model in list(self._loaded):
            await self.close(model)

    def sweep(self, settings: Settings) -> None:
        """Clear away what kills left behind; blocks."""
        if settings.workspace.servers.is_dir():
            from explorer.engines.vllm_processes import sweep

            for model in sweep(settings.workspace.servers):
                log.warning("ended a server of %s that a kill had left behind", model)

    def touch(self, settings: Settings) -> None:
        """Say that every server of ours is still needed: this sampler may come back to it."""
        folder = settings.workspace.servers
        if self._plan is not None and folder.is_dir():
            for server in server_files.servers(folder):
                if server.is_here:
                    server_files.touch(server_files.used_path(folder, server.name))

    def progress(self, settings: Settings, model: str) -> str:
        """How far the server of a model is that is being started, '' if nothing is known."""
        server = self._server(settings, settings.models[model].source)
        if server is None or server.phase not in server_files.UNDER_WAY:
            return ""
        return f"{server.phase} {server.detail}".strip()

    def _plan_for(self, settings: Settings) -> Plan:
        asked = (settings.models, settings.memory_gb, settings.server_idle_s, settings.workspace)
        if self._plan is None or self._planned_for != asked:
            self._site = self._site or self._look()
            self._plan = make_plan(settings, self._site)
            self._planned_for = asked
            if self._plan.layout.why:
                log.info("plan: %s", self._plan.layout.why)
                server_files.write_plan(settings.workspace.servers, self._plan.layout.why)
        return self._plan

    def _config(self, settings: Settings, model: str) -> EngineConfig:
        plan = self._plan_for(settings)
        config = plan.configs[model]
        share = self._shrunk.get(plan.place_of.get(model, ""))
        if share is None:
            return config
        return replace(config, server=replace(config.server, gpu_memory_utilization=share))

    def _note_use(self, key: str) -> None:
        self._recency[key] = max(self._recency.values(), default=0) + 1

    def _states(self, settings: Settings, plan: Plan) -> tuple[list[str], list[str]]:
        """Places that hold memory: awake and asleep, the one used longest ago first."""
        awake: set[str] = set()
        asleep: set[str] = set()
        for model, key in plan.place_of.items():
            if plan.configs[model].engine != "vllm":
                if model in self._loaded:
                    awake.add(key)
                continue
            server = self._server(settings, plan.configs[model].source)
            if server is not None:
                (asleep if server.phase == server_files.ASLEEP else awake).add(key)
            elif model in self._loaded:
                awake.add(key)

        def longest_ago(keys: set[str]) -> list[str]:
            return sorted(keys, key=lambda key: (self._recency.get(key, 0), key))

        return longest_ago(awake), longest_ago(asleep)

    def _server(self, settings: Settings, source: str) -> ServerFile | None:
        for server in server_files.servers(settings.workspace.servers):
            if server.model == source and server.alive:
                return server
        return None

    async def _make_room(self, settings: Settings, model: str, upcoming: Sequence[str]) -> None:
        plan = self._plan_for(settings)
        key = plan.place_of.get(model)
        if key is None:
            return  # its server runs elsewhere
        if reason := plan.layout.refused.get(key):
            raise EngineError("The model does not fit in memory", reason.partition(". ")[0] + ".",
                              reason.partition(". ")[2])  # fmt: skip
        await self._stop_strangers(settings, plan)
        awake, asleep = self._states(settings, plan)
        turns = [plan.place_of[name] for name in upcoming if name in plan.place_of]
        machine = device_memory.machine()
        host_free = machine.free if machine else 0
        steps = make_room(plan.layout, key, awake, asleep, list(dict.fromkeys(turns)), host_free)
        for step in steps:
            await self._carry_out(plan, step)
        if key not in awake and key not in asleep:
            await self._check_free(plan, key)

    async def _carry_out(self, plan: Plan, step: Step) -> None:
        place = plan.layout.places[step.key]
        done = "goes to sleep" if step.action == "sleep" else "is stopped"
        self._tell(f"{place.title} {done}: {step.why}")
        for model in place.models:
            await self.close(model)
        config = plan.configs[place.models[0]]
        if config.engine != "vllm":
            return
        from explorer.engines import vllm_server

        if step.action == "sleep" and await vllm_server.sleep(config):
            return
        if step.action == "sleep":
            self._tell(f"{place.title} is stopped: it did not go to sleep")
        await vllm_server.stop(config)

    async def _stop_strangers(self, settings: Settings, plan: Plan) -> None:
        """Servers of checkpoints that explorer.toml no longer names hold memory for nothing."""
        folder = settings.workspace.servers
        sources = {config.source for config in plan.configs.values() if config.engine == "vllm"}
        for server in server_files.servers(folder):
            if server.is_here and server.alive and server.model not in sources:
                from explorer.engines.vllm_processes import stop_server

                self._tell(f"{Path(server.model).name} is stopped: explorer.toml no longer has it")
                await asyncio.to_thread(stop_server, folder, server)

    async def _check_free(self, plan: Plan, key: str) -> None:
        """Look whether others left as much of the device as the plan gives.

        Raises:
            EngineError: they left too little for this model; says how much would be enough.
        """
        grant, place = plan.layout.grants.get(key), plan.layout.places[key]
        if grant is None or place.on_cpu or not place.grows or place.weights is None:
            return
        end = asyncio.get_running_loop().time() + FREED_PATIENCE_S
        while True:
            gpus = {gpu.index: gpu for gpu in await asyncio.to_thread(device_memory.gpus)}
            seats = [gpus[index] for index in grant.devices if index in gpus]
            short = [gpu for gpu in seats if gpu.free < grant.share * gpu.total]
            if not short or asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.5)
        self._shrunk.pop(key, None)
        if not short:
            return
        tightest = min(short, key=lambda gpu: gpu.free)
        if tightest.free < place.least:
            raise EngineError(
                "Other processes hold the memory that the model needs",
                f"{place.title} needs {gib(place.least)} of {tightest.name} (device"
                f" {tightest.index}), and {gib(tightest.free)} of {gib(tightest.total)} is free.",
                "nvidia-smi lists who holds the rest. What would fit: a smaller `context` or"
                " dtype, or spreading the model with `tensor_parallel` in [vllm].",
            )
        self._shrunk[key] = round(int(tightest.free / tightest.total / STEP - 1) * STEP, 4)
        self._tell(
            f"{place.title} gets {self._shrunk[key]:.0%} of device {tightest.index} rather than"
            f" {grant.share:.0%}: other processes hold the rest"
        )

    def _tell(self, text: str) -> None:
        log.info("%s", text)
        self._say(text)

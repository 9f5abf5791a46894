"""vLLM servers of ours: found again or started, watched until they are ready, stopped.

Invariant: at most one server per checkpoint and folder, behind a lock; a server is used only when
its process is the one that was written down and it answers to its key. Its watchdog
(`vllm_watch`) outlives us, so a killed sampler finds the server again and nothing leaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpx

from explorer import processes
from explorer.engines.base import EngineConfig
from explorer.engines.vllm_canary import check_adapter
from explorer.engines.vllm_command import ServerCommand, server_command, server_facts
from explorer.engines.vllm_death import PORT_TAKEN, telling_lines, why_it_ended
from explorer.engines.vllm_processes import STOP_PATIENCE_S, spawn, stop_server
from explorer.engines.vllm_sleep import put_to_sleep, wake
from explorer.errors import EngineError
from explorer.store import server_files
from explorer.store.server_files import ServerFile

TRIES: Final = 4
"""Ports that are tried, should others take each between our choosing and the server's binding."""

POLL_S: Final = 0.2

Report = Callable[[ServerFile], None]
"""Told whenever the phase of a server that is waited for changes."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served.

    Attributes:
        url: `http://127.0.0.1:PORT`, without `/v1`.
        key: for `Authorization: Bearer`; in memory only, never shown.
        model: the name to ask for: the base model's, or the adapter's.
        version: of vLLM, as installed.
        cpu: whether it computes on the CPU.
        facts: how it was started, by flag, to be kept with the arms (see `EngineInfo.facts`).
    """

    url: str
    key: str = field(repr=False)
    model: str = ""
    version: str = ""
    cpu: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


async def ensure(config: EngineConfig, report: Report | None = None) -> Endpoint:
    """The server of a model: found if it runs as `config` says, else (re)started; ready, awake.

    Raises:
        SettingsError: a value of `config` makes no sense.
        MissingExtraError: the interpreter has no vLLM.
        EngineError: the server cannot be started, or its adapter changes nothing.
    """
    command = await asyncio.to_thread(server_command, config)
    folder = state_folder(config)
    async with _lock(folder):
        found = await _find(folder, config, command, report)
        server = found or await _start(folder, config, command, report)
    key = server_files.key_path(folder, server.name).read_text()
    server_files.touch(server_files.used_path(folder, server.name))
    build = command.build
    endpoint = Endpoint(
        server.url, key, command.served_as, build.version, build.cpu, server_facts(command)
    )
    if config.adapter:
        return await _adapted(config, command, endpoint)
    return endpoint


async def stop(config: EngineConfig) -> bool:
    """Stop the server of a model, if it runs; returns whether one did."""
    folder = state_folder(config)
    stopped = False
    for server in server_files.servers(folder):
        if server.is_here and server.model == config.source:
            stopped = await asyncio.to_thread(stop_server, folder, server) or stopped
    return stopped


async def sleep(config: EngineConfig) -> bool:
    """Put the server of a model to sleep; False when it cannot, and should be stopped."""
    server = running(config)
    if server is None or server.phase != server_files.READY:
        return False
    if "--enable-sleep-mode" not in server.how:
        return False
    return await put_to_sleep(state_folder(config), server)


def running(config: EngineConfig) -> ServerFile | None:
    """The server of a model, as its watchdog last described it, if it runs."""
    for server in server_files.servers(state_folder(config)):
        if server.model == config.source and server.alive:
            return server
    return None


def touch(config: EngineConfig) -> None:
    """Say that the server of a model is still needed."""
    folder = state_folder(config)
    for server in server_files.servers(folder):
        if server.is_here and server.model == config.source:
            server_files.touch(server_files.used_path(folder, server.name))


def state_folder(config: EngineConfig) -> Path:
    """Where servers are remembered; a folder of this user where no cache is."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return config.state_folder or Path(home) / "rlvr-explorer" / "servers"


async def _find(
    folder: Path, config: EngineConfig, command: ServerCommand, report: Report | None
) -> ServerFile | None:
    """The running server, once it is ready; others of this checkpoint are stopped."""
    kept = None
    for server in server_files.servers(folder):
        if not server.is_here or server.model != config.source:
            continue
        usable = server.alive and server.watched and server.phase != server_files.STOPPING
        if usable and server.digest == command.digest:
            kept = server
        else:
            await asyncio.to_thread(stop_server, folder, server)
    if kept is None:
        return None
    try:
        ready = await _await_ready(folder, kept, config, report)
        if await _answers(folder, ready):
            return ready
    except EngineError:
        pass  # it was dying when it was found: a fresh one says why, should it die too
    await asyncio.to_thread(stop_server, folder, kept)
    return None


async def _answers(folder: Path, server: ServerFile) -> bool:
    """Whether a server that says that it is ready answers to its key alone, and is awake then.

    Whoever took its port meanwhile would answer without a key, or refuse this one.
    """
    with contextlib.suppress(OSError, httpx.HTTPError):
        key = server_files.key_path(folder, server.name).read_text()
        async with httpx.AsyncClient(
            base_url=server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        ) as client:
            stranger = await client.get("/v1/models", headers={"Authorization": ""}, timeout=60.0)
            answer = await client.get("/v1/models", timeout=60.0)
            if (stranger.status_code, answer.status_code) != (401, 200):
                return False
            if not processes.is_same(server.pid, server.born):
                return False
            return server.phase != server_files.ASLEEP or await wake(client, folder, server)
    return False


async def _start(
    folder: Path, config: EngineConfig, command: ServerCommand, report: Report | None
) -> ServerFile:
    for attempt in range(TRIES):
        server = await asyncio.to_thread(spawn, folder, config, command)
        try:
            ready = await _await_ready(folder, server, config, report)
            if await _answers(folder, ready):
                return ready
            await asyncio.to_thread(stop_server, folder, ready)
        except EngineError:
            lines = "\n".join(telling_lines(server.log, server.log_start))
            if not PORT_TAKEN.search(lines) or attempt == TRIES - 1:
                raise
    raise EngineError(
        "The model's server never had its port to itself",
        f"{config.source}: {TRIES} ports were taken between being chosen and being used.",
        "Look for a program that takes every free port of this machine.",
    )


async def _await_ready(
    folder: Path, server: ServerFile, config: EngineConfig, report: Report | None
) -> ServerFile:
    """Follow a server's file until it is ready.

    Raises:
        EngineError: it, or its watchdog, ended first.
    """
    path = server_files.state_path(folder, server.name)
    said = ("", "")
    spawned = time.monotonic()
    while True:
        latest = server_files.read(path) or server
        if (latest.phase, latest.detail) != said:
            said = (latest.phase, latest.detail)
            if report is not None:
                report(latest)
        if latest.phase in (server_files.READY, server_files.ASLEEP):
            return latest
        if latest.phase == server_files.FAILED:
            raise why_it_ended(config, latest.log, latest.log_start, latest.detail)
        young = not latest.watch_pid and time.monotonic() - spawned < STOP_PATIENCE_S
        if not latest.watched and not young:
            await asyncio.to_thread(stop_server, folder, latest)
            raise why_it_ended(config, latest.log, latest.log_start, "its watchdog was killed")
        server_files.touch(server_files.used_path(folder, server.name))
        await asyncio.sleep(POLL_S)


async def _adapted(config: EngineConfig, command: ServerCommand, base: Endpoint) -> Endpoint:
    adapter = next(one for one in command.adapters if one.source == config.adapter)
    await check_adapter(base.url, base.key, base.model, adapter.name, config.adapter)
    return replace(base, model=adapter.name)


@contextlib.asynccontextmanager
async def _lock(folder: Path) -> AsyncIterator[None]:
    """One starter at a time, whatever process it is in."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(POLL_S)
        yield
    finally:
        os.close(handle)

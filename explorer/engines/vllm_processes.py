"""Processes of our vLLM servers: spawned behind a watchdog, stopped, swept up after kills.

Invariant: whatever is stopped here is gone, children and all, before its files are forgotten. No
HTTP: the command line stops servers with this alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from explorer import processes
from explorer.engines.base import EngineConfig
from explorer.engines.vllm_command import ServerCommand
from explorer.errors import EngineError
from explorer.store import server_files
from explorer.store.server_files import ServerFile

STOP_PATIENCE_S: Final = 30.0
"""A watchdog that was told to stop, or that is being started, has so long."""

_watchdogs: list[subprocess.Popen[bytes]] = []
"""Those that this process started, to collect their exit codes while it lives."""


def spawn(folder: Path, config: EngineConfig, command: ServerCommand) -> ServerFile:
    """Write the server's files and start its watchdog, which starts it."""
    _collect()
    name = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', command.served_as)[:40]}-{command.digest}"
    key = secrets.token_urlsafe(32)
    log = config.log_path or folder / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    server = ServerFile(
        name=name,
        model=config.source,
        digest=command.digest,
        host=socket.gethostname(),
        port=free_port(),
        served_as=command.served_as,
        adapters=tuple(adapter.name for adapter in command.adapters),
        place=_place(config, command),
        claim=round(config.server.memory_gb * 2**30),
        log=str(log),
        log_start=log.stat().st_size if log.is_file() else 0,
        started=time.time(),
        how=command.argv[4:],
    )
    server_files.forget(folder, name)
    server_files.write_private(server_files.key_path(folder, name), key.encode())
    server_files.write(server_files.state_path(folder, name), server)
    order = {
        "command": command.with_port(server.port),
        "env": command.environment(key),
        "idle_s": config.server_idle_s,
    }
    _run_watchdog(server_files.state_path(folder, name), order, log)
    return server


def _run_watchdog(path: Path, order: dict[str, object], log: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ)
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([root, inherited] if inherited else [root])
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "ab") as output:
        watchdog = subprocess.Popen(
            [sys.executable, "-P", "-m", "explorer.engines.vllm_watch", str(path)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=root if os.access(root, os.X_OK) else None,
            env=environment,
            start_new_session=True,
        )
    assert watchdog.stdin is not None
    with contextlib.suppress(BrokenPipeError), watchdog.stdin as pipe:
        pipe.write(json.dumps(order).encode())
    _watchdogs.append(watchdog)


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _place(config: EngineConfig, command: ServerCommand) -> str:
    if command.build.cpu:
        cache = dict(command.env)["VLLM_CPU_KVCACHE_SPACE"]
        return f"CPU, {cache} GiB for keys and values"
    devices = dict(command.env).get("CUDA_VISIBLE_DEVICES", "")
    share = f"{config.server.gpu_memory_utilization:.0%} of its memory"
    return f"GPU {devices}, {share}" if devices else f"GPU, {share}"


def stop_server(folder: Path, server: ServerFile) -> bool:
    """End a server and its watchdog and forget both; returns whether something ran.

    Blocks until all its processes are gone.

    Raises:
        EngineError: one of them cannot be ended.
    """
    ran = server.alive or server.watched
    if server.watched:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.watch_pid, signal.SIGTERM)
        _until(lambda: not server.watched)
        latest = server_files.read(server_files.state_path(folder, server.name)) or server
        if latest.watched:
            with contextlib.suppress(ProcessLookupError):
                os.kill(latest.watch_pid, signal.SIGKILL)
        server = latest
    if not processes.kill_session(server.pid, server.born):
        raise EngineError(
            "A model's server does not end",
            f"Process {server.pid} of {server.model} ignores being killed.",
            "It hangs in the kernel or a driver; the machine's administrator can tell more.",
        )
    _collect()
    server_files.forget(folder, server.name)
    return ran


def sweep(folder: Path) -> list[str]:
    """Clear away what earlier kills left: servers without a watchdog, files without a server.

    Returns the models whose servers were ended.
    """
    ended = []
    for server in server_files.servers(folder):
        if not server.is_here or server.watched or server.phase == server_files.FAILED:
            continue
        if not server.watch_pid and time.time() - server.started < STOP_PATIENCE_S:
            continue  # its watchdog is being started this moment
        left = processes.session_members(server.pid, server.born) if server.pid else []
        if stop_server(folder, server) or left:
            ended.append(server.model)
    return ended


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + STOP_PATIENCE_S
    while not condition() and time.monotonic() < end:
        _collect()
        time.sleep(0.05)


def _collect() -> None:
    _watchdogs[:] = [watchdog for watchdog in _watchdogs if watchdog.poll() is None]

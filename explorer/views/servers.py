"""vLLM servers of ours as lines for the Runs screen and the command line; never a key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from explorer import processes
from explorer.settings import Settings
from explorer.store import server_files
from explorer.store.server_files import ServerFile

GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class ServerLine:
    """A server that runs, or that ended while it started.

    Attributes:
        models: names in explorer.toml that it serves; its checkpoint's name if there are none.
        state: 'loading weights, part 2 of 4', 'ready', 'asleep', 'failed: …', 'gone (killed)'.
        running: whether its process is there.
        memory: what it holds of the machine's memory, and what it was given, for people.
        flags: how it was started.
    """

    models: tuple[str, ...]
    state: str
    running: bool
    pid: int
    port: int
    host: str
    memory: str
    log: Path
    started: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """All servers, and who shares the memory in a sentence ('' = nothing was planned yet)."""

    plan: str
    servers: tuple[ServerLine, ...]


def read_serving(settings: Settings) -> Serving:
    """Read the small files beside the cache; nobody is asked over a network."""
    folder = settings.workspace.servers
    by_source: dict[str, list[str]] = {}
    for name, model in settings.models.items():
        if model.engine == "vllm" and not model.urls:
            by_source.setdefault(model.source, []).append(name)
    lines = [_line(server, by_source) for server in server_files.servers(folder)]
    return Serving(server_files.read_plan(folder), tuple(lines))


@dataclass(frozen=True)
class ServingSubject:
    """Read the servers of a workspace, once: their watchdogs bump no counter."""

    settings: Settings

    @property
    def topics(self) -> frozenset[str]:
        return frozenset()

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        yield read_serving(self.settings)


def _line(server: ServerFile, by_source: Mapping[str, list[str]]) -> ServerLine:
    running = server.alive
    return ServerLine(
        models=tuple(by_source.get(server.model, ())) or (Path(server.model).name,),
        state=_state(server, running),
        running=running,
        pid=server.pid,
        port=server.port,
        host=server.host,
        memory=_memory(server, running),
        log=Path(server.log),
        started=server.started,
        flags=server.how,
    )


def _state(server: ServerFile, running: bool) -> str:
    if not server.is_here:
        return f"on {server.host}"
    if server.phase == server_files.FAILED:
        return f"failed: {server.detail}"
    if not running:
        return "gone (killed)" if server.watch_pid else server_files.STARTING
    return f"{server.phase}, {server.detail}" if server.detail else server.phase


def _memory(server: ServerFile, running: bool) -> str:
    """'CPU, 1 GiB for keys and values, holds 2.1 GiB': what was given, what is held."""
    held = processes.resident_bytes(server.pid, server.born) if running else 0
    return f"{server.place}, holds {held / GIB:.1f} GiB" if held else server.place

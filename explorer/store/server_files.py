"""What is known of vLLM servers that we started: one small file each, beside the cache.

The watchdog of a server writes its file, everybody reads it; the key lies in a file of its own,
which only the sampler reads. Invariant: files are 0600 and replaced whole, and one that speaks of
a process that is gone is told from one that speaks of a process that runs (`alive`).
Standard library only: the watchdog imports this.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from explorer import processes

STARTING: Final = "starting"
LOADING: Final = "loading weights"
COMPILING: Final = "compiling"
READY: Final = "ready"
ASLEEP: Final = "asleep"
STOPPING: Final = "stopping"
FAILED: Final = "failed"

UNDER_WAY: Final = (STARTING, LOADING, COMPILING)
"""Phases of a server that is not ready yet."""


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A server, as its watchdog last described it.

    Attributes:
        name: of the file, without its ending.
        model: the source that it serves; served_as: the name in its answers.
        adapters: names of the LoRA folders that it serves too.
        digest: of everything that it was started with, but port and key.
        host: name of the machine that it runs on.
        watch_pid, watch_born: the watchdog; see `processes.birth`.
        pid, born: the server, which leads a session of its own; 0 before it is started.
        phase, detail: what it is doing, for people; why it ended, once it failed.
        place: what it was given, for people: 'GPU 0, 28% of it' or 'memory, 2 GiB for the cache'.
        claim: bytes that it may take on its device; 0 = unknown.
        log, log_start: its log file, and the byte at which this server's part begins.
        started, ready: moments, epoch seconds; ready is 0 until it is.
        how: the flags, for people; never the key.
    """

    name: str
    model: str
    digest: str
    host: str
    port: int
    served_as: str = ""
    adapters: tuple[str, ...] = ()
    watch_pid: int = 0
    watch_born: str = ""
    pid: int = 0
    born: str = ""
    phase: str = STARTING
    detail: str = ""
    place: str = ""
    claim: int = 0
    log: str = ""
    log_start: int = 0
    started: float = 0.0
    ready: float = 0.0
    how: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine; on a shared disk it may not be."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether the server, or the watchdog that is about to start it, runs on this machine."""
        if not self.is_here:
            return False
        if self.pid:
            return processes.is_same(self.pid, self.born)
        return processes.is_same(self.watch_pid, self.watch_born)

    @property
    def watched(self) -> bool:
        return self.is_here and processes.is_same(self.watch_pid, self.watch_born)


def state_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def key_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def used_path(folder: Path, name: str) -> Path:
    """Touched by whoever uses the server; when that is long ago, the watchdog stops it."""
    return folder / f"{name}.used"


def asleep_path(folder: Path, name: str) -> Path:
    """There while the server sleeps."""
    return folder / f"{name}.asleep"


def servers(folder: Path) -> list[ServerFile]:
    """Every server that has a file, by name; unreadable files are left out."""
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return []
    return [found for path in paths if (found := read(path)) is not None]


def read(path: Path) -> ServerFile | None:
    """One server; None when there is no such file, or it is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        server = _server(value, path.stem)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    if server.phase == READY and asleep_path(path.parent, path.stem).exists():
        return _with(server, phase=ASLEEP)
    return server


def write(path: Path, server: ServerFile) -> None:
    """Replace a server's file."""
    write_private(path, json.dumps(asdict(server), indent=1).encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    os.replace(fresh, path)


def touch(path: Path) -> None:
    """Make a file, or renew its time."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(path)


def write_plan(folder: Path, text: str) -> None:
    """Say who shares the memory, for people."""
    with suppress(OSError):
        write_private(folder / "plan.txt", text.encode())


def read_plan(folder: Path) -> str:
    """What the sampler last said of who shares the memory; '' if nothing."""
    try:
        return (folder / "plan.txt").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def forget(folder: Path, name: str) -> None:
    """Remove what is known of a server; the state goes last."""
    for path in (
        *(key_path(folder, name), used_path(folder, name), asleep_path(folder, name)),
        state_path(folder, name),
    ):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _with(server: ServerFile, **changes: Any) -> ServerFile:
    return _server(asdict(server) | changes, server.name)


def _server(value: Mapping[str, Any], name: str) -> ServerFile:
    known = {field.name for field in fields(ServerFile)}
    kept = {key: entry for key, entry in value.items() if key in known}
    kept["name"] = name
    for key in ("adapters", "how"):
        kept[key] = tuple(str(entry) for entry in kept.get(key, ()))
    for key in ("port", "watch_pid", "pid", "claim", "log_start"):
        kept[key] = int(kept.get(key, 0))
    return ServerFile(**kept)

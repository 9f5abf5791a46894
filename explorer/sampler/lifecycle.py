"""Starting the sampler detached, and the lock that makes it one per cache.

Invariant: the lock is the kernel's (`flock`), so it goes with its process however that ends; the
pid in the file is for people. Light: the screen calls `ensure_running`.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from explorer.errors import BusyError, StoreError
from explorer.paths import Workspace
from explorer.settings import reader as settings_reader

LARGEST_LOG: Final = 4 << 20
"""Bytes; a larger log is set aside as `.1` before a sampler starts."""

_PATIENCE_S: Final = 1.0
"""Somebody who only looks whether the lock is held holds it for a moment."""

_started: list[subprocess.Popen[bytes]] = []
"""Samplers that this process started, to collect their exit codes while it lives."""


class SamplerLock:
    """Held by the one sampler of a cache."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            BusyError: another sampler has it.
            StoreError: the file cannot be made.
        """
        self._handle = _open(path)
        patience = time.monotonic() + _PATIENCE_S
        while not _try_lock(self._handle):
            if time.monotonic() > patience:
                pid = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
                os.close(self._handle)
                raise BusyError(
                    "Another sampler works on this cache",
                    f"Process {pid or 'unknown'} holds {path}.",
                    "One is enough: requests from every screen go to it. `rlvr-explorer stop`"
                    " ends it.",
                )
            time.sleep(0.02)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another sampler start; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def is_running(workspace: Workspace) -> bool:
    """Whether a sampler holds the lock of this workspace's cache."""
    if not workspace.sampler_lock.exists():
        return False
    handle = _open(workspace.sampler_lock)
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def ensure_running(settings_path: Path) -> bool:
    """Start a sampler for this explorer.toml unless one runs; returns whether one was started.

    It lives on when this process, its terminal or its SSH connection ends.

    Raises:
        SettingsError: explorer.toml is wrong.
        StoreError: the lock or the log cannot be made.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    workspace = settings_reader.load(settings_path).workspace
    if is_running(workspace):
        return False
    _started.append(_spawn(settings_path.resolve(), workspace))
    return True


def _spawn(settings_path: Path, workspace: Workspace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "explorer.sampler", "--settings", str(settings_path)]
    with _open_log(workspace) as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=workspace.root,
            env=child_environment(),
            start_new_session=True,
        )


def child_environment() -> dict[str, str]:
    """This process's environment, with the checkout on the path if that is where we run from."""
    environment = dict(os.environ)
    home = Path(__file__).resolve().parents[2]
    if home.name not in ("site-packages", "dist-packages"):
        rest = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{home}{os.pathsep}{rest}" if rest else str(home)
    return environment


def _open_log(workspace: Workspace) -> IO[bytes]:
    path = workspace.sampler_log
    with suppress(OSError):
        if path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(_open(path, os.O_APPEND), "ab")


def _open(path: Path, flags: int = 0) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    except OSError as error:
        raise StoreError(
            "The cache's folder cannot be written",
            f"{path}: {error.strerror}.",
            "Check its owner and mode; looking at what is stored works without.",
        ) from error


def _try_lock(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False

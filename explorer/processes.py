"""Processes of this machine by identity, so that a number used again is never taken for its former
owner.

Invariant: nothing is signalled whose start time is not the one that was written down. Standard
library only: the watchdog of a server imports this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_PROC = Path("/proc")
_START_FIELD: Final = 19
_SESSION_FIELD: Final = 3
_STATE_FIELD: Final = 0
"""Places in /proc/PID/stat after the name in brackets; see proc(5)."""

KILL_PATIENCE_S: Final = 10.0
"""A killed process that is still there after so long hangs in the kernel."""


def birth(pid: int) -> str:
    """What tells a process from an earlier or later one of the same number; '' = there is none.

    A zombie counts as gone.
    """
    fields = _stat(pid)
    if fields is not None:
        if fields[_STATE_FIELD] in ("Z", "X"):
            return ""
        return f"{fields[_START_FIELD]}@{_boot()}"
    if _PROC.joinpath("self", "stat").exists() or pid <= 0:
        return ""
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def is_same(pid: int, born: str) -> bool:
    """Whether the process that was written down still runs."""
    return bool(born) and birth(pid) == born


def session_members(session: int, born: str) -> list[int]:
    """Processes of the session that the process (session, born) opened, itself among them.

    They are found after that process is gone too: while one of them lives, the kernel gives the
    number of their session to nobody else.
    """
    leader = birth(session)
    if leader and leader != born:
        return []  # the number was used again, so nothing of the old session is left
    return [pid for pid, fields in _all() if int(fields[_SESSION_FIELD]) == session]


def kill_session(session: int, born: str) -> bool:
    """Kill every process of a session; returns whether all are gone.

    Python's resource trackers are killed last: they end by themselves and take shared memory
    with them.
    """
    if session <= 1 or not born:
        return True
    end = time.monotonic() + KILL_PATIENCE_S
    trackers_until = time.monotonic() + 1.0
    while members := session_members(session, born):
        now = time.monotonic()
        if now > end:
            return False
        for pid in members:
            if now > trackers_until or not _is_tracker(pid):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    if not _PROC.joinpath("self", "stat").exists():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
    return True


def resident_bytes(session: int, born: str) -> int:
    """Memory that the processes of a session hold, shared pages counted in each; 0 = unknown."""
    total = 0
    for pid in session_members(session, born):
        with suppress(OSError, ValueError, IndexError):
            pages = int(_PROC.joinpath(str(pid), "statm").read_text().split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def _is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in _PROC.joinpath(str(pid), "cmdline").read_bytes()
    except OSError:
        return False


def _all() -> Iterator[tuple[int, list[str]]]:
    if not _PROC.is_dir():
        return
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and fields[_STATE_FIELD] not in ("Z", "X"):
                yield int(entry.name), fields


def _stat(pid: int) -> list[str] | None:
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


@cache
def _boot() -> str:
    try:
        return _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""

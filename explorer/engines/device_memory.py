"""Memory of the devices of this machine: asked of nvidia-smi, or of /proc/meminfo for the CPU.

Invariant: no model library and no CUDA context in this process; what cannot be asked is unknown.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GIB: Final = 2**30
_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """One device's memory in bytes; `index` is its number for CUDA, or -1 for the machine's own."""

    index: int
    name: str
    total: int
    free: int


def gpus() -> tuple[DeviceMemory, ...]:
    """The NVIDIA devices that a process of ours would see; none without a driver."""
    query = "index,uuid,name,memory.total,memory.free"
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return _visible(answer.stdout, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _visible(table: str, chosen: str | None) -> tuple[DeviceMemory, ...]:
    found = []
    for line in table.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 5:
            continue
        index, uuid, name, total, free = parts
        try:
            device = DeviceMemory(int(index), name, int(total) << 20, int(free) << 20)
        except ValueError:  # '[N/A]' on devices that share the machine's memory
            continue
        found.append((uuid, device))
    if chosen is None:
        return tuple(device for _, device in found)
    wanted = [entry.strip() for entry in chosen.split(",") if entry.strip()]
    return tuple(
        device
        for entry in wanted
        for uuid, device in found
        if entry == str(device.index) or uuid.startswith(entry)
    )


def machine() -> DeviceMemory | None:
    """The machine's own memory, or what a container may use of it; None where nothing says."""
    try:
        lines = _MEMINFO.read_text().splitlines()
        told = {line.partition(":")[0]: int(line.split()[1]) << 10 for line in lines if ":" in line}
        total, free = told["MemTotal"], told["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    limit, used = _bytes(_CGROUP / "memory.max"), _bytes(_CGROUP / "memory.current")
    if limit is not None and limit < total:
        total, free = limit, min(free, max(0, limit - (used or 0)))
    return DeviceMemory(-1, "memory", total, free)


def _bytes(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # 'max'
        return None

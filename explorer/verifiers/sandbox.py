"""How untrusted Python is shut in: bubblewrap, a foreign user, limits, or not run at all.

The sandbox shows a program the system's libraries, this interpreter and its packages, read-only,
and one small folder in memory. No network, no environment, no file of the person, no process but
its own. Invariant: without bubblewrap nothing runs unless `permit_unprotected` was called, which
happens only when the person wrote so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import site
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from explorer.verifiers import sandbox_filter

HARNESS: Final = "/harness"
_CLOSED_OFF: Final = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"),
)
_FOLDER_BYTES: Final = 64 << 20
_SHARED_BYTES: Final = 16 << 20
_FIRST_USER: Final = 0x60000000
_SMALL_FIRST_USER: Final = 20_000
_PROBE_S: Final = 20.0


class Isolation(StrEnum):
    """How a program can be shut in here."""

    FOREIGN_USER = "as a user that owns nothing"
    NAMESPACE = "in a user namespace"
    UNPROTECTED = "unprotected"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use; bytes, seconds and counts."""

    memory: int = 2 << 30
    resident: int = 1 << 30
    processes: int = 32
    file: int = 32 << 20
    open_files: int = 64
    output: int = 8 << 20

    @property
    def most_seen(self) -> int:
        """Processes, bubblewrap's among them, with which a sandbox is ended from outside."""
        return 4 * self.processes

    def per_process(self, cpu_s: float, isolation: Isolation) -> dict[str, int]:
        """The limits that a process takes on itself, by the names of `inside.confine`."""
        limits = {
            "cpu_s": max(1, int(cpu_s + 1)),
            "memory": self.memory,
            "file": self.file,
            "open_files": self.open_files,
            "core": 0,
            "message_queues": 0,
            "locked": 0,
        }
        if isolation is not Isolation.UNPROTECTED:  # there it would count the person's own, too
            limits["processes"] = self.processes + _processes_of_user(isolation)
        return limits


@dataclass(frozen=True, slots=True)
class Found:
    """What `probe` found: the isolation, or why there is none."""

    isolation: Isolation
    reason: str = ""
    version: str = ""


_permitted = False


def permit_unprotected() -> None:
    """Run code without a sandbox where there is none: the person said so in so many words."""
    global _permitted
    _permitted = True


def probe() -> Found:
    """How programs are shut in here; the test is made once, by starting a sandbox."""
    found = _probe()
    if found.isolation is Isolation.NONE and _permitted:
        return Found(Isolation.UNPROTECTED, found.reason)
    return found


@cache
def _probe() -> Found:
    if not sys.platform.startswith("linux"):
        return Found(Isolation.NONE, "bubblewrap exists for Linux only")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Found(Isolation.NONE, "bubblewrap (bwrap) is not installed")
    try:
        _binds()
    except ValueError as error:
        return Found(Isolation.NONE, str(error))
    version = _said([bwrap, "--version"]).strip().removeprefix("bubblewrap ")
    for module in ("runner", "programs", "judge"):  # so that they lie compiled for each start
        import_module(f"explorer.verifiers.inside.{module}")
    reason = ""
    for isolation in _choices():
        reason = _try(isolation)
        if not reason:
            return Found(isolation, "", version)
    return Found(Isolation.NONE, f"bubblewrap cannot start here: {reason}")


def _choices(uid_map: Path = Path("/proc/self/uid_map")) -> list[Isolation]:
    """Ways to try, the best first.

    No limit on processes binds the machine's own root, so that a fork bomb in a mere namespace of
    its would take the machine's processes before it is counted.
    """
    if os.geteuid() != 0:
        return [Isolation.NAMESPACE]
    try:
        outside = uid_map.read_text().split()[1]  # of the first range, which holds root
    except (OSError, IndexError):
        outside = "0"
    is_the_machines = outside == "0"
    return [Isolation.FOREIGN_USER] + ([] if is_the_machines else [Isolation.NAMESPACE])


def _try(isolation: Isolation) -> str:
    """Start an interpreter the way that programs are started; what went wrong, '' if nothing."""
    change = (
        "import os; os.setgroups([]); os.setresgid(*[{0}] * 3); os.setresuid(*[{0}] * 3); "
        if isolation is Isolation.FOREIGN_USER
        else ""
    ).format(foreign_user(0))
    script = f"{change}import json, os; os.listdir('{HARNESS}'); print('started')"
    try:
        said = subprocess.run(
            [*command(isolation), "-c", script], env={}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_PROBE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if said.returncode == 0 and said.stdout == "started\n":
        return ""
    return (said.stderr.strip().splitlines() or [f"it ended with {said.returncode}"])[-1][:200]


def command(isolation: Isolation, seccomp_fd: int | None = None) -> list[str]:
    """The command line up to and with the Python interpreter."""
    python = [os.path.realpath(sys.executable), "-s", "-P", "-S", "-B", "-X", "utf8"]
    if isolation is Isolation.UNPROTECTED:
        return python
    arguments = [shutil.which("bwrap") or "bwrap", *_CLOSED_OFF]
    if isolation is Isolation.FOREIGN_USER:
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/dev/shm", _SHARED_BYTES), ("/tmp", _FOLDER_BYTES)):
        arguments += ["--size", str(size), "--perms", "1777", "--tmpfs", folder]
    for folder in _parents([target for _, target in _binds()]):
        arguments += ["--perms", "0755", "--dir", folder]  # else only root may enter them
    for source, target in _binds():
        arguments += ["--ro-bind", source, target]
    for target, link in _links():
        arguments += ["--symlink", target, link]
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    if seccomp_fd is not None:
        arguments += ["--seccomp", str(seccomp_fd)]
    return [*arguments, "--", *python]


def seccomp() -> int | None:
    """A descriptor of the filter to hand to `command`; the caller closes it."""
    code = sandbox_filter.program()
    if not code:
        return None
    with tempfile.TemporaryFile() as file:
        file.write(code)
        file.flush()
        descriptor = os.dup(file.fileno())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def environment() -> dict[str, str]:
    """All that a program finds in its environment; a fixed hash seed makes runs repeatable."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TMPDIR": "/tmp",
    }  # fmt: skip


def foreign_user(place: int) -> int:
    """A user id that nobody has: limits on processes count per user, so each sandbox has its own.

    Inside a container that maps few ids it lies within those.
    """
    first, count = _SMALL_FIRST_USER, 20_000
    with contextlib.suppress(OSError, ValueError, IndexError):
        own, _, length = (int(part) for part in Path("/proc/self/uid_map").read_text().split()[:3])
        if own == 0 and length > _FIRST_USER + (1 << 24):
            first, count = _FIRST_USER, 1 << 24
    return first + (os.getpid() * 4 + place) % count


def packages() -> list[str]:
    """Folders of installed packages; those of the person's own account stay out of sight."""
    own = os.path.realpath(site.getusersitepackages())
    return [
        path
        for path in sys.path
        if path.endswith(("site-packages", "dist-packages"))
        and os.path.isdir(path)
        and os.path.realpath(path) != own
    ]


@cache
def _binds() -> tuple[tuple[str, str], ...]:
    """What is shown, as (path here, path inside).

    Raises:
        ValueError: the interpreter lies so that showing it would show a whole home.
    """
    shown = ["/usr", *(path for path in ("/lib", "/lib64", "/lib32") if _is_own_folder(path))]
    shown += [path for path in ("/etc/ld.so.cache", "/nix/store", "/gnu/store") if _exists(path)]
    homes = {os.path.realpath(os.path.expanduser("~")), "/", "/home", "/root", "/etc", "/var"}
    prefix = os.path.realpath(sys.base_prefix)
    for path in dict.fromkeys([prefix, os.path.realpath(sys.base_exec_prefix), *packages()]):
        if any(home == path or home.startswith(f"{path.rstrip('/')}/") for home in homes):
            raise ValueError(f"the interpreter's folder {path} holds a home and is not shown")
        if not any(path == seen or path.startswith(f"{seen}/") for seen in shown):
            shown.append(path)
    here = str(Path(__file__).parent / "inside")
    return (*((path, path) for path in shown), (here, f"{HARNESS}/explorer/verifiers/inside"))


def _links() -> list[tuple[str, str]]:
    """`/lib` and its like, where they are links into /usr."""
    names = ("/bin", "/lib", "/lib64", "/lib32")
    return [(os.readlink(name), name) for name in names if os.path.islink(name)]


def _parents(paths: list[str]) -> list[str]:
    """Every folder above the paths, from the top down."""
    found = {str(folder) for path in paths for folder in Path(path).parents} - {"/"}
    return sorted(found)


def _is_own_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _exists(path: str) -> bool:
    return os.path.exists(path)


def _processes_of_user(isolation: Isolation) -> int:
    """Processes that an older kernel (before 5.14) counts against the same user elsewhere."""
    if isolation is Isolation.FOREIGN_USER:
        return 0
    major, minor = (int(part) for part in os.uname().release.split(".")[:2])
    if (major, minor) >= (5, 14):
        return 0
    own = os.getuid()
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == own:
                    count += len(os.listdir(f"{entry.path}/task"))
    return count


def _said(arguments: list[str]) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            arguments, capture_output=True, text=True, timeout=_PROBE_S, check=False
        ).stdout
    return ""

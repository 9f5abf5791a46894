"""The last steps into the sandbox, taken by our own code before any other is run.

bubblewrap has already closed off files, network and processes. Here the process gives up its user
id (a limit on processes does not bind root) and accepts limits that it cannot raise again.
"""

from __future__ import annotations

import builtins
import os
import resource
import sys
from _sitebuiltins import Quitter

TYPE_CHECKING = False  # as typing's, see `wire`
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

LIMITS: Final[dict[str, int]] = {
    "cpu_s": resource.RLIMIT_CPU,
    "memory": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "file": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "core": resource.RLIMIT_CORE,
    "message_queues": resource.RLIMIT_MSGQUEUE,
    "locked": resource.RLIMIT_MEMLOCK,
}
"""What a job may bound, by the names that the host's side uses."""

_PR_SET_DUMPABLE: Final = 4


def confine(job: Mapping[str, Any]) -> None:
    """Become the job's user, take on its limits and let it import what is installed."""
    if job["user"] is not None:
        os.setgroups([])
        os.setresgid(job["user"], job["user"], job["user"])
        os.setresuid(job["user"], job["user"], job["user"])
        if job["mode"] == "programs":
            _keep_own_files_open()
    for name, value in job["limits"].items():
        _, hard = resource.getrlimit(LIMITS[name])
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(LIMITS[name], (bound, bound))
    sys.path[:] = [path for path in sys.path if path != job["harness"]] + job["packages"]
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for the life of the process
    for name in ("exit", "quit"):  # what `site` defines, which is not imported for speed
        setattr(builtins, name, Quitter(name, "Ctrl-D"))
    sys.dont_write_bytecode = True


def _keep_own_files_open() -> None:
    """`/dev/stdin` leads through /proc/self, which a change of user closes to the process."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # an interpreter built without: such programs fail, all others run


def silence() -> tuple[int, int]:
    """Move the two protocol pipes off stdin and stdout, and lead the three streams nowhere."""
    ends = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return ends

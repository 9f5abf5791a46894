"""Runs a program once per input, each in a child process of its own, and returns what it wrote.

The program is compiled here and first executed in the child. Invariant: nothing that one run left
behind (processes, files) is there in the next, as far as the run let this process live.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import signal
import sys
import types
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from explorer.verifiers.inside.wire import Channel, WireError

_FIRST_IN_SANDBOX: Final = 2
"""Our process id inside bubblewrap; 2 is the kernel's own on a host, so the test is exact."""


def serve_programs(channel: Channel, job: Mapping[str, Any]) -> None:
    """Answer each `{"run": input}` with what the program printed and how it ended."""
    try:
        code = compile(f"{job['source']}\n", "<answer>", "exec", dont_inherit=True)
        prelude = compile(job["prelude"], "<prelude>", "exec", dont_inherit=True)
    except BaseException as error:
        said = str(error)[:300].encode("utf-8", "replace").decode()
        channel.send({"error": [[type(error).__name__], said]})
        return
    channel.send({"ready": 1})
    with contextlib.suppress(WireError):
        while True:
            given = base64.b64decode(channel.receive()["run"])
            child, out = _start(given)
            if not child:
                _become([prelude, code])
            channel.send(_finish(child, out, job["output"]))
            _clear_up(child)


def _start(given: bytes) -> tuple[int, int]:
    """Fork; the child has its input and output in place. The child's number is 0 in the child."""
    source = os.open("input", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink("input")
    with open(source, "wb", closefd=False) as file:
        file.write(given)
    os.lseek(source, 0, os.SEEK_SET)
    out, into = os.pipe()
    child = os.fork()
    if child:
        os.close(into)
        os.close(source)
        return child, out
    os.setsid()
    os.dup2(source, 0)
    os.dup2(into, 1)
    os.closerange(3, 256)
    return 0, -1


def _become(codes: list[types.CodeType]) -> NoReturn:
    """Be the program, and end as Python ends: threads joined, streams flushed."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.argv = ["answer.py"]
    with contextlib.suppress(SystemExit):  # `exit(1)` after a right output is no failure upstream
        for code in codes:
            exec(code, vars(module))
    sys.exit(0)


def _finish(child: int, out: int, most: int) -> dict[str, Any]:
    """Read until the child ends, or writes more than `most` bytes."""
    parts: list[bytes] = []
    length = 0
    watch = os.pidfd_open(child)
    ended = False
    while not ended and length <= most:
        ready, _, _ = select.select([out, watch], [], [])
        ended = out not in ready
        if out in ready:
            data = os.read(out, 1 << 16)
            ended = not data
            parts.append(data)
            length += len(data)
    os.close(watch)
    os.close(out)
    if length > most:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = base64.b64encode(b"".join(parts)[: most + 1]).decode()
    return {"out": text, "status": status, "too_long": length > most}


def _clear_up(child: int) -> None:
    """End what the run left behind and empty its folder."""
    if os.getpid() == _FIRST_IN_SANDBOX:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all of this process namespace but us and its init
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    for entry in os.scandir("."):
        if entry.is_dir(follow_symlinks=False):
            import shutil

            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)

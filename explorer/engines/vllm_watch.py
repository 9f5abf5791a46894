"""The parent of one vLLM server: `python -m explorer.engines.vllm_watch STATE`, order on stdin.

It owns the server's session of processes and ends it when told (SIGTERM), when nobody has used it
for a while, or when its state file vanishes; and it writes that file. Invariant: no kill leaves an
orphan. The server dies with its watchdog (PR_SET_PDEATHSIG); a second process, the guard, sees the
watchdog's end through a pipe and kills what is left of the session (vLLM's own children); a guard
that is killed is replaced. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from explorer import processes
from explorer.engines.vllm_phases import phase_of
from explorer.store import server_files
from explorer.store.server_files import ServerFile

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

TICK_S: Final = 0.2
METRICS_EVERY_S: Final = 5.0

TERM_PATIENCE_S: Final = 10.0
"""A server that was told to end has so long to do it in good order."""

_ACTIVITY = re.compile(
    rb"^vllm:(?:num_requests_running|num_requests_waiting|prompt_tokens_total"
    rb"|generation_tokens_total|request_success_total)\{[^}]*\} (\S+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run.

    Attributes:
        command: the server's command line.
        env: its whole environment, the key among it.
        server: the state file's first content.
        idle_s: seconds without use after which the server is stopped; 0 = never.
    """

    command: tuple[str, ...]
    env: Mapping[str, str]
    server: ServerFile
    idle_s: float


def main() -> int:
    """Watch until the server has ended."""
    path = Path(sys.argv[1])
    order = _read_order(path)
    os.umask(0o077)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # What the server leaves behind becomes our child, so that it can be collected.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    return Watch(path, order).run()


def _read_order(path: Path) -> Order:
    value = json.loads(sys.stdin.buffer.read())
    server = server_files.read(path)
    if server is None:
        raise SystemExit(f"{path} is gone before its server was started")
    return Order(tuple(value["command"]), value["env"], server, float(value["idle_s"]))


class Watch:
    """Starts the server, follows it, ends it."""

    def __init__(self, path: Path, order: Order) -> None:
        self._path = path
        self._order = order
        self._stop_reason = ""
        self._guard = Guard()
        self._log_read = order.server.log_start
        self._server = replace(
            order.server, watch_pid=os.getpid(), watch_born=processes.birth(os.getpid())
        )
        self._last_use = time.monotonic()
        self._used_mtime = 0.0
        self._metrics: bytes = b""
        self._next_metrics = 0.0

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._told)
        with open(self._server.log or os.devnull, "ab") as log:
            try:
                child = subprocess.Popen(
                    self._order.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(self._order.env),
                    start_new_session=True,
                    preexec_fn=_die_with(os.getpid()),
                )
            except OSError as error:
                self._say(server_files.FAILED, f"cannot be started: {error.strerror}")
                return 1
        self._server = replace(self._server, pid=child.pid, born=processes.birth(child.pid))
        self._guard.tell(self._server.pid, self._server.born)
        self._write()
        while (code := child.poll()) is None and not self._should_stop():
            self._follow()
            time.sleep(TICK_S)
        return self._end(child, code)

    def _told(self, number: int, frame: object) -> None:
        self._stop_reason = "told to stop"

    def _should_stop(self) -> bool:
        if not self._path.exists():
            self._stop_reason = self._stop_reason or "its state file is gone"
        elif self._order.idle_s and time.monotonic() - self._last_use > self._order.idle_s:
            self._stop_reason = self._stop_reason or f"not used for {self._order.idle_s:g} s"
        return bool(self._stop_reason)

    def _follow(self) -> None:
        """Note what the log says, whether it is ready, and whether somebody uses it."""
        self._guard.revive(self._server.pid, self._server.born)
        self._note_use()
        if self._server.phase in server_files.UNDER_WAY:
            phase, detail, self._log_read = phase_of(
                self._server.log, self._log_read, self._server.phase, self._server.detail
            )
            if self._get("/health") is not None:
                self._server = replace(self._server, ready=time.time())
                phase, detail = server_files.READY, ""
            self._say(phase, detail)
        elif time.monotonic() >= self._next_metrics:
            self._next_metrics = time.monotonic() + METRICS_EVERY_S
            self._note_activity()

    def _note_use(self) -> None:
        with contextlib.suppress(OSError):
            mtime = server_files.used_path(self._path.parent, self._path.stem).stat().st_mtime
            if mtime != self._used_mtime:
                self._used_mtime = mtime
                self._last_use = time.monotonic()

    def _note_activity(self) -> None:
        """Requests that somebody made by hand count as use, like the sampler's."""
        found = _ACTIVITY.findall(self._get("/metrics") or b"")
        counted = b" ".join(found)
        if found and counted != self._metrics:
            if self._metrics:
                self._last_use = time.monotonic()
            self._metrics = counted

    def _get(self, route: str) -> bytes | None:
        link = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=2.0)
        try:
            link.request("GET", route)
            answer = link.getresponse()
            return answer.read() if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            link.close()

    def _say(self, phase: str, detail: str) -> None:
        if (phase, detail) != (self._server.phase, self._server.detail):
            self._server = replace(self._server, phase=phase, detail=detail)
            self._write()

    def _write(self) -> None:
        if self._path.exists():
            server_files.write(self._path, self._server)

    def _end(self, child: subprocess.Popen[bytes], code: int | None) -> int:
        """End what still runs; a server that ended by itself leaves its file as evidence."""
        if code is None:
            self._say(server_files.STOPPING, self._stop_reason)
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(TERM_PATIENCE_S)
        gone = processes.kill_session(self._server.pid, self._server.born)
        child.poll()
        self._collect()
        if gone:
            self._guard.dismiss()
        if code is None:
            server_files.forget(self._path.parent, self._path.stem)
            return 0
        self._server = replace(self._server, phase=server_files.FAILED, detail=_manner(code))
        self._write()
        return 1

    def _collect(self) -> None:
        """Take the exit codes of what the server left behind."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


class Guard:
    """A process that lives on when the watchdog is killed, for as long as a killing takes."""

    def __init__(self) -> None:
        self._pid = 0
        self._pipe = -1
        self._start()

    def tell(self, session: int, born: str) -> None:
        """Which session of processes is to go with the watchdog."""
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{session} {born}\n".encode())

    def revive(self, session: int, born: str) -> None:
        """Replace the guard, should somebody have killed it."""
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(self._pid, os.WNOHANG)[0] == 0:
                return
        os.close(self._pipe)
        self._start()
        self.tell(session, born)

    def dismiss(self) -> None:
        """Nothing is left to guard."""
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"done\n")
            os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _guard(reading)


def _guard(pipe: int) -> None:
    """Wait for the watchdog's end, then kill the session that it spoke of last."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    heard = b""
    while data := os.read(pipe, 4096):
        heard += data
    lines = heard.decode().split("\n")[:-1]
    if lines and lines[-1] != "done":
        session, _, born = lines[-1].partition(" ")
        processes.kill_session(int(session), born)
    os._exit(0)


def _die_with(parent: int):  # type: ignore[no-untyped-def]
    def between_fork_and_exec() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return between_fork_and_exec


def _manner(code: int) -> str:
    if code >= 0:
        return f"it ended by itself, exit code {code}"
    return f"it was killed by {signal.Signals(-code).name}"


if __name__ == "__main__":
    sys.exit(main())

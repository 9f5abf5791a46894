"""The `transformers` engine's child process: its deaths, its orphans, its complaints."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.core.arm import Sampling
from explorer.engines.base import EngineConfig, SampleJob
from explorer.engines.registry import open_engine
from explorer.engines.transformers import TransformersEngine
from explorer.errors import EngineError
from tests.contract.tiny_model import make_tiny_model

pytest.importorskip("transformers", reason="the extra 'local' is not installed")

REPOSITORY = Path(__file__).parents[2]
ENDLESS = tuple(range(100_000))
PATIENCE_MS = 60_000


async def opened(folder: Path, tmp_path: Path) -> TransformersEngine:
    config = EngineConfig(str(folder), device="cpu", log_path=tmp_path / "engine.log", threads=1)
    engine = await open_engine(config)
    assert isinstance(engine, TransformersEngine)
    return engine


def wait_for_end(pid: int) -> bool:
    """Whether a process that need not be our child ends while we are patient."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        return bool(poll.poll(PATIENCE_MS))
    finally:
        os.close(handle)


async def test_a_killed_child_is_an_error_and_not_a_wait(tiny_folder: Path, tmp_path: Path) -> None:
    engine = await opened(tiny_folder, tmp_path)
    prompt = (await engine.encode("How many?")).ids
    job = SampleJob(prompt, Sampling(max_tokens=400), 1, ENDLESS)

    async def read() -> None:
        alive = True
        async for _ in engine.sample(job):  # what it had said already may still come
            if alive:
                os.kill(engine.pid, signal.SIGKILL)
                (tmp_path / "engine.log").open("a").write("last words\n")
            alive = False

    with pytest.raises(EngineError) as caught:
        await read()
    assert "SIGKILL" in caught.value.detail
    assert "last words" in caught.value.detail
    assert "memory" in caught.value.hint
    with pytest.raises(EngineError):
        await engine.encode("after death")
    await engine.close()
    await engine.close()


async def test_the_terminal_does_not_end_the_child_and_closing_does(
    tiny_folder: Path, tmp_path: Path
) -> None:
    engine = await opened(tiny_folder, tmp_path)
    for blow in (signal.SIGINT, signal.SIGHUP):
        os.kill(engine.pid, blow)
    assert (await engine.encode("still there")).ids
    assert os.getsid(engine.pid) != os.getsid(0)
    prompt = (await engine.encode("How many?")).ids
    started = asyncio.Event()

    async def read() -> None:
        job = SampleJob(prompt, Sampling(max_tokens=400), 1, ENDLESS)
        async for _ in engine.sample(job):
            started.set()

    reader = asyncio.create_task(read())
    await started.wait()
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await reader
    assert wait_for_end(engine.pid)
    with pytest.raises(EngineError, match="closed"):
        await engine.encode("after the end")


PARENT = """
import asyncio, sys
from explorer.core.arm import Sampling
from explorer.engines.base import EngineConfig, SampleJob
from explorer.engines.registry import open_engine

async def main():
    engine = await open_engine(EngineConfig(sys.argv[1], device="cpu", threads=1))
    prompt = (await engine.encode("How many?")).ids
    job = SampleJob(prompt, Sampling(max_tokens=400), 1, tuple(range(100_000)))
    async for _ in engine.sample(job):
        print(engine.pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux' pidfd")
def test_a_killed_parent_leaves_no_orphan(tiny_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tiny_folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert os.getppid() != child
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_for_end(child)


async def test_a_checkpoint_with_a_gap_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    """The library would fill the gap with random numbers; nobody would notice."""
    from safetensors.torch import load_file, save_file

    broken = make_tiny_model(tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineError) as caught:
        await opened(broken, tmp_path)
    assert "whole model" in caught.value.title
    assert "up_proj" in caught.value.detail

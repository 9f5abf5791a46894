"""A real vLLM server that comes late, is killed while it streams, and is left by its reader."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("httpx", reason="the extra 'vllm' is not installed")

from explorer.core.arm import Sampling
from explorer.engines import vllm, vllm_http
from explorer.engines.base import Engine, EngineConfig, Progress, Sampled, SampleJob
from explorer.engines.registry import open_engine
from explorer.errors import EngineError
from tests.contract.conftest import BUNDLED, KEY_NAME
from tests.vllm_process import KEY, READY_S, VllmProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "Question: How many are left?\nAnswer:"
SAMPLING = Sampling(temperature=1.0, max_tokens=300)


@pytest.fixture(scope="module")
def patience() -> Iterable[None]:
    """A busy machine takes minutes to load even a tiny model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm, "OPENING_PATIENCE_S", READY_S)
        patch.setattr(vllm, "PATIENCE_S", READY_S)
        patch.setattr(vllm_http, "LONGEST_REST_S", 0.5)
        patch.setenv(KEY_NAME, KEY)
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, patience: None) -> Iterable[VllmProcess]:
    log = tmp_path_factory.mktemp("logs") / "vllm.log"
    process = VllmProcess(BUNDLED, log, "--served-model-name", "tiny")
    process.start()  # and not waited for
    yield process
    process.stop()


def config(server: VllmProcess, source: str = "", key: str = KEY_NAME) -> EngineConfig:
    return EngineConfig(source, engine="vllm", urls=(server.url,), api_key_env=key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(server: VllmProcess) -> AsyncIterator[Engine]:
    """Opened while the server is still loading its model."""
    assert not server.answers()
    opened = await open_engine(config(server))
    yield opened
    await opened.close()


async def draw(engine: Engine, indices: Iterable[int], seed: int = 3) -> dict[int, Sampled]:
    ids = (await engine.encode(PROMPT)).ids
    job = SampleJob(ids, SAMPLING, seed, tuple(indices))
    done = [item async for item in engine.sample(job) if isinstance(item, Sampled)]
    assert sorted(item.index for item in done) == sorted(job.indices)
    return {item.index: item for item in done}


async def test_a_server_that_is_still_loading_is_waited_for(engine: Engine) -> None:
    assert engine.info.context == 512
    assert engine.info.checkpoint.startswith("local:")
    assert len(await draw(engine, range(4))) == 4


async def test_a_wrong_key_and_a_wrong_name_are_told(
    engine: Engine, server: VllmProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOTHER", "wrong-key")
    with pytest.raises(EngineError, match="refuses the key") as caught:
        await open_engine(config(server, key="ANOTHER"))
    assert "wrong-key" not in str(caught.value)
    with pytest.raises(EngineError, match="does not serve 'huge'") as caught:
        await open_engine(config(server, "huge"))
    assert "tiny" in caught.value.detail


async def test_leaving_frees_the_server(engine: Engine, server: VllmProcess) -> None:
    ids = (await engine.encode(PROMPT)).ids
    job = SampleJob(ids, SAMPLING, 3, tuple(range(100_000)))
    async with contextlib.aclosing(engine.sample(job)) as stream:  # type: ignore[type-var]
        async for item in stream:
            # What was asked for at once may be over by the time that the server is looked at.
            if isinstance(item, Progress) and await asyncio.to_thread(server.running_requests) > 0:
                break
    while await asyncio.to_thread(server.running_requests) > 0:  # pytest's timeout ends it
        await asyncio.sleep(0.05)


async def test_killed_while_it_streams_and_started_again_loses_nothing(
    engine: Engine, server: VllmProcess
) -> None:
    undisturbed = await draw(engine, range(48))
    ids = (await engine.encode(PROMPT)).ids
    done: list[Sampled] = []
    killed = False
    async for item in engine.sample(SampleJob(ids, SAMPLING, 3, tuple(range(48)))):
        if isinstance(item, Sampled):
            done.append(item)
        elif not killed:
            killed = True
            server.kill()
            server.start()
    assert killed
    assert sorted(item.index for item in done) == list(range(48))
    for item in done:
        assert item.text == undisturbed[item.index].text
        assert item.tokens.ids.tolist() == undisturbed[item.index].tokens.ids.tolist()


async def test_a_dead_server_is_named(
    engine: Engine, server: VllmProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm, "OPENING_PATIENCE_S", 0.1)
    server.stop()
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        await open_engine(config(server))
    assert server.url in caught.value.detail

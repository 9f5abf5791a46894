"""The engines that the contract tests run: another engine is one more entry of `ENGINES`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from explorer.engines.base import Engine, EngineConfig, ServerOptions
from explorer.engines.registry import open_engine
from tests.contract.tiny_model import make_tiny_model
from tests.vllm_process import KEY, VllmProcess, vllm_python

DEVICE = os.environ.get("RLVR_TEST_DEVICE", "cpu")
"""Where transformers computes; `cuda` puts a GPU through the same tests."""

BUNDLED = Path(__file__).parents[2] / "sample_data" / "models" / "base"


@asynccontextmanager
async def _transformers(folder: Path, log: Path) -> AsyncIterator[Engine]:
    if find_spec("torch") is None or find_spec("transformers") is None:
        pytest.skip("the extra 'local' (torch, transformers) is not installed")
    config = EngineConfig(str(folder), dtype="float32", device=DEVICE, log_path=log)
    async with _closing(await open_engine(config)) as engine:
        yield engine


@asynccontextmanager
async def _running_vllm(folder: Path, log: Path) -> AsyncIterator[Engine]:
    """A server that runs already; all that the engine is told is where, and the key."""
    server = VllmProcess(folder, log)
    server.start()
    try:
        await asyncio.to_thread(server.wait)
        os.environ[KEY_NAME] = KEY
        config = EngineConfig("", engine="vllm", urls=(server.url,), api_key_env=KEY_NAME)
        async with _closing(await open_engine(config)) as engine:
            yield engine
    finally:
        server.stop()


@asynccontextmanager
async def _started_vllm(folder: Path, log: Path) -> AsyncIterator[Engine]:
    """A server that the engine starts."""
    options = ServerOptions(
        vllm_python(), enforce_eager=True, env=(("VLLM_CPU_OMP_THREADS_BIND", "nobind"),)
    )
    config = EngineConfig(
        str(folder),
        engine="vllm",
        dtype="float32",
        log_path=log,
        threads=1,
        server=options,
        state_folder=log.parent / "servers",
    )
    from explorer.engines import vllm_server

    try:
        async with _closing(await open_engine(config)) as engine:
            yield engine
    finally:
        await vllm_server.stop(config)


@asynccontextmanager
async def _closing(engine: Engine) -> AsyncIterator[Engine]:
    try:
        yield engine
    finally:
        await engine.close()


KEY_NAME = "RLVR_TEST_VLLM_KEY"

ENGINES: dict[str, Callable[[Path, Path], AbstractAsyncContextManager[Engine]]] = {
    "transformers": _transformers,
    "vllm-running": _running_vllm,
    "vllm-started": _started_vllm,
}
"""Name -> what loads the checkpoint in a folder, logging to a file, and frees it after."""


class Reference:
    """A plain forward pass over the whole text, nothing shared with any engine."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
        self._model = model.eval()

    def logprobs(self, prompt: Sequence[int], response: Sequence[int]) -> NDArray[np.float64]:
        """[T + 1, V] log-probabilities of what follows each response token, the prompt first."""
        import torch

        with torch.inference_mode():
            logits = self._model(torch.tensor([[*prompt, *response]])).logits[0]
        kept = logits[len(prompt) - 1 :].double().log_softmax(-1).numpy()
        assert isinstance(kept, np.ndarray)
        return kept


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="the tiny model is made with transformers")
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def reference(tiny_folder: Path) -> Reference:
    return Reference(tiny_folder)


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(
    engine_name: str, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """One loaded tiny model for all tests that do not break it."""
    log = tmp_path_factory.mktemp("logs") / f"{engine_name}.log"
    async with ENGINES[engine_name](tiny_folder, log) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bundled_engine(
    engine_name: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """The base model that ships with the project."""
    if not (BUNDLED / "config.json").is_file():
        pytest.skip("sample_data/models/base is not there")
    log = tmp_path_factory.mktemp("logs") / f"{engine_name}.log"
    async with ENGINES[engine_name](BUNDLED, log) as opened:
        yield opened

"""The engines that the contract tests run: another engine is one more entry of `ENGINES`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from explorer.engines.base import Engine, EngineConfig
from explorer.engines.registry import open_engine
from tests.contract.tiny_model import make_tiny_model

BUNDLED = Path(__file__).parents[2] / "sample_data" / "models" / "base"


async def _transformers(folder: Path, log: Path) -> Engine:
    if find_spec("torch") is None or find_spec("transformers") is None:
        pytest.skip("the extra 'local' (torch, transformers) is not installed")
    return await open_engine(EngineConfig(str(folder), dtype="float32", device="cpu", log_path=log))


ENGINES: dict[str, Callable[[Path, Path], Awaitable[Engine]]] = {"transformers": _transformers}
"""Name -> a function that loads the checkpoint in a folder, logging to a file."""


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
    opened = await ENGINES[engine_name](tiny_folder, log)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bundled_engine(
    engine_name: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """The base model that ships with the project."""
    if not (BUNDLED / "config.json").is_file():
        pytest.skip("sample_data/models/base is not there")
    log = tmp_path_factory.mktemp("logs") / f"{engine_name}.log"
    opened = await ENGINES[engine_name](BUNDLED, log)
    yield opened
    await opened.close()

"""Images through every engine: they reach the model, and everything stays exact."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from explorer.core.arm import Sampling
from explorer.core.completion import Float32
from explorer.core.problem import Problem
from explorer.core.prompts import PLAIN, Message, PromptImage, RenderedPrompt, Template
from explorer.engines.base import (
    Engine,
    EngineConfig,
    Sampled,
    SampleJob,
    Scored,
    ScoreJob,
    ServerOptions,
)
from explorer.engines.registry import open_engine
from explorer.errors import EngineError
from explorer.pictures import decode_picture
from tests.tiny_vision import make_picture, make_tiny_llava, make_tiny_qwen2_vl
from tests.vllm_process import vllm_python

pytest.importorskip("transformers", reason="the extra 'local' is not installed")
pytestmark = pytest.mark.asyncio(loop_scope="session")

DEVICE = os.environ.get("RLVR_TEST_DEVICE", "cpu")  # of the transformers engine
TOLERANCE = 1e-4
MAKERS = {"llava": make_tiny_llava, "qwen2_vl": make_tiny_qwen2_vl}
RED, BLUE = (220, 30, 20), (20, 40, 230)
CHAT = Template("chat", "{question}", chat=True)


@pytest.fixture(scope="session", params=sorted(MAKERS))
def vision_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["transformers", "vllm"])
async def seeing(
    request: pytest.FixtureRequest, vision_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """A vision-language model in an engine; vLLM runs it only where it has torchvision."""
    log = tmp_path_factory.mktemp("logs") / "vision.log"
    config = EngineConfig(
        str(vision_folder), dtype="float32", device=DEVICE, log_path=log, threads=1
    )
    if request.param == "vllm":
        config = vllm_config(config, log)
    engine = await open_engine(config)
    yield engine
    await engine.close()
    if request.param == "vllm":
        from explorer.engines import vllm_server

        await vllm_server.stop(config)


def vllm_config(config: EngineConfig, log: Path) -> EngineConfig:
    """The same model on a server that the engine starts.

    torchvision may lie in a folder of its own, named by RLVR_TEST_VLLM_PYTHONPATH.
    """
    python, path = vllm_python(), os.environ.get("RLVR_TEST_VLLM_PYTHONPATH", "")
    there = subprocess.run(
        [python, "-P", "-c", "import torchvision"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
    )
    if there.returncode:
        pytest.skip("vLLM's vision models import torchvision, which this vLLM does not have")
    env = (("VLLM_CPU_OMP_THREADS_BIND", "nobind"), ("PYTHONPATH", path))
    options = ServerOptions(python, enforce_eager=True, env=env)
    return replace(
        config,
        engine="vllm",
        dtype="float32",
        context=512,
        server=options,
        state_folder=log.parent / "servers",
    )


def problem(*images: str, statement: str = "How many dots?\n<image1>") -> Problem:
    return Problem("pictures", "one", statement, "7", images=images)


async def rendered(engine: Engine, *images: str, statement: str = "How many?") -> RenderedPrompt:
    return await engine.encode(CHAT.fill(problem(*images, statement=statement)))


async def draw(
    engine: Engine, prompt: RenderedPrompt, indices: Sequence[int], tokens: int = 24
) -> dict[int, Sampled]:
    job = SampleJob(
        prompt.ids, Sampling(max_tokens=tokens), 7, tuple(indices), prompt.images, prompt.text
    )
    return {item.index: item async for item in engine.sample(job) if isinstance(item, Sampled)}


async def scores(
    engine: Engine, prompt: RenderedPrompt, responses: Sequence[Sequence[int]]
) -> list[Float32]:
    ids = tuple(tuple(map(int, response)) for response in responses)
    job = ScoreJob(prompt.ids, ids, 5, prompt.images, prompt.text)
    done: list[Scored] = [item async for item in engine.score(job)]
    return [item.scores.logprobs for item in sorted(done, key=lambda item: item.position)]


def plain_logprobs(folder: Path, prompt: RenderedPrompt, response: Sequence[int]) -> Any:
    """[T, V] of one forward pass over everything, no cache and nothing shared with the engine."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

    from explorer.engines.hf_images import load_processor

    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    processor = load_processor(str(folder), None, config, tokenizer)
    library: Any = AutoModelForImageTextToText
    model = library.from_pretrained(folder).eval()
    images = [decode_picture(image.path) for image in prompt.images]
    batch = processor(
        text=[prompt.text], images=images, add_special_tokens=False, return_tensors="pt"
    )
    assert batch["input_ids"][0].tolist() == list(prompt.ids)
    whole = torch.tensor([[*prompt.ids, *response]])
    inputs = {
        name: value for name, value in batch.items() if name not in ("input_ids", "attention_mask")
    }
    if "mm_token_type_ids" in inputs:
        filling = torch.zeros((1, len(response)), dtype=inputs["mm_token_type_ids"].dtype)
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], filling], 1)
    with torch.inference_mode():
        logits = model(input_ids=whole, **inputs).logits[0]
    return logits[len(prompt.ids) - 1 : -1].double().log_softmax(-1).numpy()


async def test_logprobs_are_those_of_a_plain_forward_pass(
    seeing: Engine, vision_folder: Path, tmp_path: Path
) -> None:
    """Drawn and scored, one image and two of different size, alone and in a batch.

    The sizes are such that Qwen2-VL need not resize them: vLLM resizes with torchvision, this
    process with Pillow, and their pixels differ in the last bits (up to 0.001 nats were seen).
    """
    one = make_picture(tmp_path / "1.png", RED, (56, 42))
    two = make_picture(tmp_path / "2.png", BLUE, (84, 28))
    for images in ((one,), (one, two)):
        prompt = await rendered(seeing, *images, statement="Look. <image1> Then? <image2> So?")
        done = await draw(seeing, prompt, range(6))
        found = await scores(seeing, prompt, [done[i].tokens.ids.tolist() for i in range(6)])
        for index, item in done.items():
            ids = item.tokens.ids
            truth = plain_logprobs(vision_folder, prompt, ids.tolist())[np.arange(len(ids)), ids]
            assert item.tokens.logprobs is not None
            np.testing.assert_allclose(item.tokens.logprobs, truth, atol=TOLERANCE)
            np.testing.assert_allclose(found[index], truth, atol=TOLERANCE)


async def test_the_image_reaches_the_model(seeing: Engine, tmp_path: Path) -> None:
    """The same text and the same tokens, another picture: another distribution."""
    red = await rendered(seeing, make_picture(tmp_path / "red.png", RED))
    blue = await rendered(seeing, make_picture(tmp_path / "blue.png", BLUE))
    assert red.ids == blue.ids
    assert red.digest != blue.digest
    response = [[40, 41, 42, 43]]
    (under_red,), (under_blue,) = (
        await scores(seeing, red, response),
        await scores(seeing, blue, response),
    )
    assert np.abs(under_red - under_blue).max() > 100 * TOLERANCE
    again = await scores(seeing, red, response)
    np.testing.assert_allclose(again[0], under_red, atol=1e-6)


async def test_alone_or_in_a_batch_the_same_completion(seeing: Engine, tmp_path: Path) -> None:
    prompt = await rendered(seeing, make_picture(tmp_path / "a.png", RED))
    together = await draw(seeing, prompt, range(9))
    alone = await draw(seeing, prompt, [5])
    assert alone[5].text == together[5].text
    assert alone[5].tokens.ids.tolist() == together[5].tokens.ids.tolist()
    assert len({item.text for item in together.values()}) > 1


async def test_text_after_images_is_as_without(seeing: Engine, tmp_path: Path) -> None:
    """Nothing of an image stays behind in the model."""
    prompt = await seeing.encode(CHAT.fill(Problem("d", "t", "How many?", "7")))
    before = await draw(seeing, prompt, range(3))
    shown = make_picture(tmp_path / "big.png", BLUE, (84, 84))
    await draw(seeing, await rendered(seeing, shown), range(3))
    after = await draw(seeing, prompt, range(3))
    assert [after[i].text for i in range(3)] == [before[i].text for i in range(3)]


async def test_a_plain_prompt_shows_its_images_too(seeing: Engine, tmp_path: Path) -> None:
    path = make_picture(tmp_path / "a.png", RED)
    filled = Template("plain", "Q: {question}\nA:").fill(problem(path, statement="See <image1>."))
    assert [message.role for message in filled if isinstance(message, Message)] == [PLAIN]
    if seeing.info.engine == "vllm":
        with pytest.raises(EngineError, match="plain prompt"):
            await seeing.encode(filled)
        return
    prompt = await seeing.encode(filled)
    assert prompt.text.startswith("Q: See ")
    assert len(prompt.ids) > len((await seeing.encode("Q: See .\nA:")).ids) + 3
    assert len(await draw(seeing, prompt, [0])) == 1


async def test_the_text_shows_each_image_once(seeing: Engine, tmp_path: Path) -> None:
    """So that what one engine rendered, another one can score."""
    paths = [make_picture(tmp_path / f"{number}.png", RED) for number in range(2)]
    prompt = await rendered(seeing, *paths, statement="<image1><image2> So?")
    marks = [mark for mark in ("<image>", "<|image_pad|>") if mark in prompt.text]
    assert len(marks) == 1
    assert prompt.text.count(marks[0]) == 2


async def test_a_completion_may_fill_the_context(seeing: Engine, tmp_path: Path) -> None:
    prompt = await rendered(seeing, make_picture(tmp_path / "a.png", RED))
    (found,) = await scores(seeing, prompt, [[9] * (512 - len(prompt.ids))])
    assert len(found) == 512 - len(prompt.ids)
    assert np.isfinite(found).all()


async def test_a_changed_image_is_refused(seeing: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    prompt = await rendered(seeing, make_picture(path, RED))
    make_picture(path, BLUE)
    with pytest.raises(EngineError, match="not the one"):
        await draw(seeing, prompt, [0])
    path.unlink()
    with pytest.raises(EngineError, match="no such image"):
        await scores(seeing, prompt, [[9]])


async def test_other_tokens_for_the_image_are_refused(seeing: Engine, tmp_path: Path) -> None:
    prompt = await rendered(seeing, make_picture(tmp_path / "a.png", RED))
    short = RenderedPrompt(prompt.text, prompt.ids[1:], prompt.images)
    with pytest.raises(EngineError, match="other tokens"):
        await scores(seeing, short, [[9]])


@pytest.mark.parametrize(
    "content", [b"", b"not an image at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 40]
)
async def test_a_broken_image_is_refused_and_the_next_one_is_read(
    seeing: Engine, tmp_path: Path, content: bytes
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(content)
    with pytest.raises(EngineError, match="image"):
        await rendered(seeing, str(broken))
    assert (await rendered(seeing, make_picture(tmp_path / "a.png", RED))).ids


async def test_a_statement_that_forges_the_placeholder_is_refused(
    seeing: Engine, tmp_path: Path
) -> None:
    path = make_picture(tmp_path / "a.png", RED)
    with pytest.raises(EngineError, match="does not show its images"):
        await rendered(seeing, path, statement="<image><image> <|image_pad|> how many?")


async def test_a_text_model_says_that_it_takes_no_images(tiny_folder: Path, tmp_path: Path) -> None:
    engine = await open_engine(EngineConfig(str(tiny_folder), device="cpu", threads=1))
    try:
        assert not engine.info.images
        with pytest.raises(EngineError, match="takes no images"):
            await rendered(engine, make_picture(tmp_path / "a.png", RED))
    finally:
        await engine.close()


async def test_a_vision_model_is_known_as_one(seeing: Engine, tmp_path: Path) -> None:
    assert seeing.info.images
    image = make_picture(tmp_path / "a.png", RED)
    prompt = await rendered(seeing, image)
    assert [one.path for one in prompt.images] == [image]
    assert all(isinstance(one, PromptImage) for one in prompt.images)

"""What is made of a vLLM server's answers about images; `tests/contract` has a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from explorer.core.prompts import IMAGE_SLOT, PLAIN, Message
from explorer.engines.vllm_http import Servers
from explorer.engines.vllm_images import GENERATE, ShownPrompt, encode_shown, takes_images
from explorer.engines.vllm_text import ServedText
from explorer.errors import EngineError
from tests.tiny_vision import make_picture

IMAGE, TILES = 5, 3
TURN = [1, 70, IMAGE, 71, IMAGE, 2]


class Told:
    """A server that gives every image three ids, and says of two ways which it is."""

    def __init__(self, expands: bool = True, ids: list[int] | None = None, shut: bool = False):
        self.expands = expands
        self.ids = ids or TURN
        self.shut = shut

    async def ask(self, path: str, body: Any = None) -> Any:
        if path == "/tokenize":
            if "messages" not in body:
                return {"tokens": [ord(one) for one in body["prompt"]]}
            return {"tokens": self._expanded(self.ids, 2)[0] if self.expands else self.ids}
        if path == "/detokenize":
            return {"prompt": " ".join(map(str, body["tokens"]))}
        assert path == GENERATE
        if self.shut:
            raise EngineError("The vLLM server refuses", "start it with --enable-scale-out")
        seen, places = self._expanded(body["token_ids"], len(body["content_parts"]))
        return {"prompt_token_ids": seen, "mm_placeholders": {"image": places}}

    def _expanded(self, ids: list[int], images: int) -> tuple[list[int], list[dict[str, int]]]:
        seen: list[int] = []
        places = []
        for one in ids:
            if one == IMAGE and images:
                images -= 1
                places.append({"offset": len(seen), "length": TILES})
                seen += [IMAGE] * TILES
            else:
                seen.append(one)
        return seen, places


async def encoded(told: Told, turns: list[Message]) -> Any:
    servers = cast("Servers", told)
    return await encode_shown(servers, ServedText(told.ask, "m"), "m", turns)


@pytest.fixture
def turns(tmp_path: Path) -> list[Message]:
    paths = [make_picture(tmp_path / f"{number}.png", (9, 9, 200)) for number in range(2)]
    return [Message("user", f"See {IMAGE_SLOT} and {IMAGE_SLOT}", tuple(paths))]


@pytest.mark.parametrize("expands", [True, False])
async def test_the_text_has_one_placeholder_each_however_it_is_tokenised(
    turns: list[Message], expands: bool
) -> None:
    prompt = await encoded(Told(expands), turns)
    assert prompt.text == "1 70 5 71 5 2"
    assert list(prompt.ids) == [1, 70, 5, 5, 5, 71, 5, 5, 5, 2]
    assert [image.path for image in prompt.images] == list(turns[0].images)


async def test_images_side_by_side_are_told_apart(turns: list[Message]) -> None:
    prompt = await encoded(Told(ids=[1, IMAGE, IMAGE, 2]), turns)
    assert prompt.text == "1 5 5 2"
    assert list(prompt.ids) == [1, *[IMAGE] * 6, 2]


async def test_a_placeholder_too_many_is_refused(turns: list[Message]) -> None:
    with pytest.raises(EngineError, match="does not show its images"):
        await encoded(Told(ids=[*TURN, IMAGE]), turns)


async def test_a_server_whose_route_is_shut_says_how_to_open_it(turns: list[Message]) -> None:
    with pytest.raises(EngineError) as caught:
        await encoded(Told(shut=True), turns)
    assert "--enable-scale-out" in caught.value.hint
    assert not await takes_images(cast("Servers", Told(shut=True)), "m")
    assert await takes_images(cast("Servers", Told(ids=[1, IMAGE, 2])), "m")


async def test_a_plain_prompt_is_refused() -> None:
    with pytest.raises(EngineError, match="plain prompt"):
        await encoded(Told(), [Message(PLAIN, IMAGE_SLOT, ("/a.png",))])


def test_what_the_server_saw_must_be_what_was_meant() -> None:
    prompt = ShownPrompt((1, 5, 2), (), (1, 5, 5, 5, 2))
    prompt.check([1, 5, 5, 5, 2, 9], [9])
    for seen in ([1, 5, 2, 9], [1, 5, 5, 5, 2, 8], None):
        with pytest.raises(EngineError, match="other tokens"):
            prompt.check(seen, [9])

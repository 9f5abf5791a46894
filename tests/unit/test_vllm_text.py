"""Text of tokens learned from a server alone, held against the tokenizer itself."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'local' is not installed")

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from explorer.engines.hf_text import TokenText
from explorer.engines.vllm_text import ServedText, aligned_ends, bytes_of
from explorer.errors import EngineError
from tests.unit.test_engine_text import HARD, _trained, byte_level, sentence_piece


class TokenizerServer:
    """What a vLLM server answers about its tokenizer, without the server."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.asked: Counter[str] = Counter()
        self.seen: Counter[int] = Counter()

    async def ask(self, path: str, body: Any) -> Any:
        self.asked[path] += 1
        if path == "/tokenize":
            special = body["add_special_tokens"]
            ids = self.tokenizer(body["prompt"], add_special_tokens=special)["input_ids"]
            return {"tokens": ids, "token_strs": self.tokenizer.convert_ids_to_tokens(ids)}
        if path == "/detokenize":
            self.seen.update(body["tokens"])
            return {"prompt": self.tokenizer.decode(body["tokens"], skip_special_tokens=False)}
        text = self.tokenizer.decode(body["allowed_token_ids"], skip_special_tokens=True)
        return {"choices": [{"text": text}]}


def partial_characters() -> Any:
    """Byte-level, with many tokens that begin or end inside a character, as big ones have."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    vocabulary = {name: at for at, name in enumerate(["<unk>", "</s>"])}
    for name in [*sorted(pre_tokenizers.ByteLevel.alphabet())]:
        vocabulary[name] = len(vocabulary)
    merges = []
    marks = random.Random(0)
    for text in ("二十四个苹果", "😀👩‍🏫🧮", "naïve Ελληνικά", "日本語テキスト", " x² ≤ √2"):
        names = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        for name in names:
            parts = list(name)
            while len(parts) > 1:
                at = marks.randrange(len(parts) - 1)
                pair = (parts[at], parts[at + 1])
                parts[at : at + 2] = [pair[0] + pair[1]]
                if parts[at] not in vocabulary:
                    vocabulary[parts[at]] = len(vocabulary)
                    merges.append(pair)
    tokenizer.model = models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>")
    from transformers import PreTrainedTokenizerFast

    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


KINDS = {
    "byte level": byte_level,
    "partial characters": partial_characters,
    "sentence piece": sentence_piece,
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request: pytest.FixtureRequest) -> TokenizerServer:
    return TokenizerServer(KINDS[request.param]())


@pytest.fixture
async def served(server: TokenizerServer) -> ServedText:
    text = ServedText(server.ask, "m")
    await text.prepare()
    return text


def lists_of_ids(rows: int) -> list[list[int]]:
    rng = random.Random(1)
    return [[rng.randrange(rows) for _ in range(rng.randrange(1, 60))] for _ in range(200)]


async def test_texts_and_ends_are_those_of_the_tokenizer(
    server: TokenizerServer, served: ServedText
) -> None:
    truth = TokenText(server.tokenizer, 0)
    samples = lists_of_ids(len(server.tokenizer))
    samples.append(server.tokenizer(HARD, add_special_tokens=False)["input_ids"])
    for ids in samples:
        await served.learn(ids)
        text, ends = served.decode(ids)
        assert text == truth.decode(ids)
        if "\N{REPLACEMENT CHARACTER}" not in text or not served._byte_tokens:
            assert ends.tolist() == truth.ends(ids, text).tolist()
        else:  # each byte is its own mark here; by decoding, the first takes all
            assert ends[-1] == len(text.encode())
            assert (np.diff(ends) >= 0).all()


async def test_growing_text_is_a_beginning_of_the_whole(
    server: TokenizerServer, served: ServedText
) -> None:
    await served.learn(range(len(server.tokenizer)))
    rng = random.Random(2)
    for ids in lists_of_ids(len(server.tokenizer)):
        whole, _ = served.decode(ids)
        growing, at = served.growing(), 0
        while at < len(ids):
            step = rng.randrange(1, 6)
            growing.feed(ids[at : at + step])
            at += step
            assert whole.startswith(growing.text)
        missing = whole.removeprefix(growing.text)
        assert len(missing.strip("\N{REPLACEMENT CHARACTER}")) <= len(ids)


async def test_an_id_is_asked_for_once_and_many_at_a_time(
    server: TokenizerServer, served: ServedText
) -> None:
    rows = range(len(server.tokenizer))
    await served.learn(rows)
    server.asked.clear()
    await served.learn(rows)
    await served.learn([3, 4, 5])
    assert not server.asked
    fresh = ServedText(server.ask, "m")
    await fresh.prepare()
    await fresh.learn(rows)
    assert server.asked["/detokenize"] < 40


async def test_control_tokens_are_silent_and_have_a_name(
    server: TokenizerServer, served: ServedText
) -> None:
    tokenizer = server.tokenizer
    end = tokenizer.convert_tokens_to_ids("</s>")
    (seven,) = tokenizer("7", add_special_tokens=False)["input_ids"][-1:]
    await served.learn([end, seven])
    text, ends = served.decode([seven, end])
    assert text.strip() == "7"
    assert ends.tolist() == [len(text), len(text)]
    assert served.display(end) == "</s>"


async def test_what_looks_like_a_control_token_and_is_none_is_text() -> None:
    tokenizer = byte_level()
    served = ServedText(TokenizerServer(tokenizer).ask, "m")
    await served.prepare()
    think = tokenizer.convert_tokens_to_ids("<think>")
    await served.learn([think])
    assert served.decode([think])[0] == "<think>"


async def test_a_control_token_that_looks_like_text_is_found_by_the_servers_text() -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens({"additional_special_tokens": ["HALT"]})
    served = ServedText(TokenizerServer(tokenizer).ask, "m")
    await served.prepare()
    halt = tokenizer.convert_tokens_to_ids("HALT")
    ids = [*tokenizer("Ann has")["input_ids"], halt]
    await served.learn(ids)
    own, _ = served.decode(ids)
    assert own.endswith("HALT")
    assert await served.compare(ids, own, "Ann has")
    assert served.decode(ids)[0] == "Ann has"
    assert not await served.compare(ids, "Ann has", "Ann has")


async def test_a_tokenizer_that_changes_its_input_still_has_ends_in_that_input() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = _trained(tokenizer, pre_tokenizers.ByteLevel.alphabet())
    text = "na\u0069\u0308ve cafe\u0301 ok"
    served = ServedText(TokenizerServer(fast).ask, "m")
    await served.prepare()
    ids = await served.tokenise(text, False)
    await served.learn(ids)
    ends = aligned_ends(served.pieces(ids), text)
    assert (np.diff(ends) >= 0).all()
    assert ends[-1] == len(text.encode())
    pieces = [text.encode()[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert b"".join(pieces) == text.encode()
    assert b"ok" in b"".join(pieces[-3:])


async def test_a_server_that_mangles_text_is_refused() -> None:
    async def ask(path: str, body: Any) -> Any:
        return {"tokens": [1, 2], "prompt": "something else"}

    with pytest.raises(EngineError, match="another text"):
        await ServedText(ask, "m").prepare()


@pytest.mark.parametrize(
    "data",
    [
        b"\xf0\x9f",
        b"\x98\x80",
        b" \xf0\x9f\x98",
        b"\x80 and \xe4\xba",
        b"\xbc\x8c",
        b"\xed\x95",
        b"\xf4\x8f",
        b"\xe0\xa4",
        b"\xc3",
        b"\x80",
        b"\x9f\x98\x80!",
        "\N{REPLACEMENT CHARACTER}".encode(),
        b"\xff",
    ],
)
def test_parts_of_characters_are_found_by_completing_them(data: bytes) -> None:
    from explorer.engines.vllm_text import _HEADS, _TAILS

    def shown(value: bytes) -> str:
        return value.decode("utf-8", "replace")

    found = bytes_of(
        shown(data), [shown(head + data) for head in _HEADS], [shown(data + t) for t in _TAILS]
    )
    whole = data.strip(b"\xff")
    assert found == data or (not whole and shown(found) == shown(data)) or data == b"\xef\xbf\xbd"

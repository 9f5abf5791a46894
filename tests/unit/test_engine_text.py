"""Token text: spans that make the text, for every kind of tokenizer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'local' is not installed")

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from explorer.engines.hf_text import GrowingText, Scribe, TokenText
from tests.contract.tiny_model import SENTENCES

HARD = "Ann has 二十四 apples 😀👩‍🏫 naïve\n\n\ttab  end "


def byte_level() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(tokenizer, pre_tokenizers.ByteLevel.alphabet())


def sentence_piece() -> Any:
    """As Llama 2 has it: spaces as marks, unknown characters as bytes, no space at the start."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return _trained(tokenizer, [], [f"<0x{byte:02X}>" for byte in range(256)])


def word_piece() -> Any:
    """Of a kind that the exact way does not know."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return _fast(tokenizer, unk_token="<unk>")


def _trained(tokenizer: Tokenizer, alphabet: list[str], byte_names: list[str] | None = None) -> Any:
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<unk>", "</s>", *(byte_names or [])],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if byte_names:  # bytes are ordinary tokens; training could only add them as special ones
        state = _without_special(tokenizer, set(byte_names))
        tokenizer = Tokenizer.from_str(state)
    fast = _fast(tokenizer, unk_token="<unk>", eos_token="</s>")
    fast.add_tokens(["<think>"])
    return fast


def _fast(tokenizer: Tokenizer, **special: str) -> Any:
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=tokenizer, **special)


def _without_special(tokenizer: Tokenizer, names: set[str]) -> str:
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] not in names]
    return json.dumps(state)


@pytest.fixture(params=[byte_level, sentence_piece, word_piece], ids=lambda make: make.__name__)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.param()


def spans(text: str, ends: Any) -> list[bytes]:
    starts = [0, *ends.tolist()[:-1]]
    return [text.encode()[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]


def test_spans_make_the_text(tokenizer: Any) -> None:
    ids = tokenizer(f"<think>{HARD}", add_special_tokens=False)["input_ids"]
    text = TokenText(tokenizer, len(tokenizer))
    decoded = text.decode(ids)
    assert b"".join(spans(decoded, text.ends(ids, decoded))) == decoded.encode()


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_a_character_of_several_tokens_is_split_between_them(make: Any) -> None:
    tokenizer = make()
    text = TokenText(tokenizer, len(tokenizer))
    ids = tokenizer("a😀b", add_special_tokens=False)["input_ids"]
    assert text.decode(ids) == "a😀b"
    found = spans("a😀b", text.ends(ids, "a😀b"))
    assert [found[0].strip(), *found[1:]][-5:] == [b"\xf0", b"\x9f", b"\x98", b"\x80", b"b"]


def test_random_tokens_keep_the_rules(tokenizer: Any) -> None:
    """Broken UTF-8 and control tokens in any order: ends never fall and reach the end."""
    text = TokenText(tokenizer, len(tokenizer))
    rng = np.random.default_rng(0)
    for _ in range(200):
        ids = rng.integers(0, len(tokenizer), 12).tolist()
        decoded = text.decode(ids)
        ends = text.ends(ids, decoded)
        assert (np.diff(ends) >= 0).all()
        assert ends[-1] == len(decoded.encode())


def test_control_tokens_have_no_span(tokenizer: Any) -> None:
    text = TokenText(tokenizer, len(tokenizer))
    unknown = tokenizer.unk_token_id
    ids = tokenizer("Ann has", add_special_tokens=False)["input_ids"]
    ids = [unknown, *ids, unknown]
    ends = text.ends(ids, text.decode(ids))
    assert ends[0] == 0
    assert ends[-1] == ends[-2]
    assert text.display(unknown) == "<unk>"


def test_growing_text_only_grows_and_ends_as_the_whole(tokenizer: Any) -> None:
    text = TokenText(tokenizer, len(tokenizer))
    ids = tokenizer(HARD * 3, add_special_tokens=False)["input_ids"]
    growing, before = GrowingText(text), ""
    for length in [*range(1, len(ids), 3), len(ids)]:
        now = growing.update(ids[:length])
        assert now.startswith(before)
        before = now
    assert before == text.decode(ids)


def test_ids_beyond_the_tokenizer_are_silent() -> None:
    """Output layers are often padded; such an id can be drawn, if hardly ever."""
    tokenizer = byte_level()
    text = TokenText(tokenizer, len(tokenizer) + 64)
    ids = [*tokenizer("Ann")["input_ids"], len(tokenizer) + 9]
    assert text.decode(ids) == "Ann"
    assert text.ends(ids, "Ann")[-1] == 3
    assert text.display(len(tokenizer) + 9) == ""


def test_text_that_names_a_control_token_is_kept_whole(tokenizer: Any) -> None:
    said = "Ann wrote <unk> and 二."
    tokens = Scribe(tokenizer, len(tokenizer)).retokenise(said)
    assert not tokens.exact
    assert b"".join(spans(said, tokens.ends)) == said.encode()

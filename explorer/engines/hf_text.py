"""Text of tokens: what a completion says, and which bytes of it each token is.

Invariant: the spans of a completion's tokens, put together, are its text. Three ways lead there,
from exact to careful: the tokenizer's own byte alphabet; the same with broken UTF-8 replaced as
decoding does; and, for a tokenizer of an unknown kind, decoding ever longer beginnings.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.core.completion import Int32, Tokens
from explorer.core.prompts import Message, RenderedPrompt
from explorer.errors import EngineError

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SPACE_MARK = "▁"  # what SentencePiece writes for a space


class TokenText:
    """Decoding with one tokenizer (a `transformers` one); `rows` ids exist."""

    def __init__(self, tokenizer: Any, rows: int) -> None:
        self._tokenizer = tokenizer
        self._rows = max(rows, len(tokenizer))
        self._displayed: dict[int, str] = {}

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these tokens, control tokens left out."""
        text = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        assert isinstance(text, str)
        return text

    def ends(self, ids: Sequence[int], text: str) -> Int32:
        """[T] byte offset in `text`, which is these tokens decoded, at which each token ends."""
        if not len(ids):
            return np.empty(0, np.int32)
        if self.pieces is not None:
            found = _ends_of_pieces([self.pieces[token] for token in ids], text.encode())
            if found is not None:
                return found
        return self._ends_by_decoding(ids, text)

    def display(self, token: int) -> str:
        """One token as a person is shown it: its text, or the name of a control token."""
        if token not in self._displayed:
            piece = self.pieces[token] if self.pieces is not None else self.decode([token]).encode()
            shown = piece.decode("utf-8", "replace")
            self._displayed[token] = shown or self._tokenizer.convert_ids_to_tokens(token) or ""
        return self._displayed[token]

    @cached_property
    def pieces(self) -> list[bytes] | None:
        """The bytes of every token, control tokens empty; None for an unknown kind of tokenizer."""
        to_bytes = _alphabet(self._tokenizer)
        if to_bytes is None:
            return None
        silent = _control_ids(self._tokenizer)
        names = self._tokenizer.convert_ids_to_tokens(list(range(len(self._tokenizer))))
        known = [
            b"" if name is None or token in silent else to_bytes(name)
            for token, name in enumerate(names)
        ]
        return known + [b""] * (self._rows - len(known))

    def _ends_by_decoding(self, ids: Sequence[int], text: str) -> Int32:
        growing = GrowingText(self)
        total = len(text.encode())
        ends = [len(growing.update(ids[: n + 1]).encode()) for n in range(len(ids))]
        return np.minimum([*ends[:-1], total], total).astype(np.int32)


class GrowingText:
    """The text of a growing list of tokens, decoding little more than what is new.

    Characters that are not complete yet are held back, so each text begins with the one before.
    """

    def __init__(self, text: TokenText) -> None:
        self._decode = text.decode
        self._settled = ""
        self._context = 0  # tokens before this do not change how later ones are decoded
        self._read = 0  # tokens whose text is settled

    def update(self, ids: Sequence[int]) -> str:
        """The text of `ids`, which begin with the ids of the call before."""
        before = self._decode(ids[self._context : self._read]) if self._read else ""
        new = self._decode(ids[self._context :])[len(before) :]
        whole = new.rstrip(_REPLACEMENT)
        if whole and whole == new:
            self._settled += new
            self._context, self._read = self._read, len(ids)
            return self._settled
        return self._settled + whole


class Scribe:
    """Encodes prompts and texts with a tokenizer of its own: fast ones are not thread-safe."""

    def __init__(self, tokenizer: Any, rows: int) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        self._text = TokenText(self._tokenizer, rows)

    def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        """Chat turns through the chat template; plain text with the tokenizer's own additions."""
        if not isinstance(prompt, str):
            text = self._render(prompt)
            return RenderedPrompt(text, tuple(self._ids(text, False)))
        plain = self._ids(prompt, False)
        ids = self._ids(prompt, True)
        for start in range(len(ids) - len(plain) + 1):
            if ids[start : start + len(plain)] == plain:
                before = self._names(ids[:start])
                after = self._names(ids[start + len(plain) :])
                return RenderedPrompt(before + prompt + after, tuple(ids))
        return RenderedPrompt(prompt, tuple(ids))

    def retokenise(self, text: str) -> Tokens:
        """The tokens that this tokenizer would give the text; the model may have drawn others."""
        fast = bool(self._tokenizer.is_fast)
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast)
        ids = list(encoded["input_ids"])
        decoded = self._text.decode(ids)
        if decoded == text or not fast:
            ends = self._text.ends(ids, text)
        else:
            ends = _ends_of_offsets([end for _, end in encoded["offset_mapping"]], text)
        return Tokens(np.asarray(ids, np.int32), ends, None, exact=False)

    def _render(self, turns: Sequence[Message]) -> str:
        prefilled = bool(turns) and turns[-1].role == "assistant"
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        if not self._tokenizer.chat_template:
            raise EngineError(
                "This model has no chat template",
                "Its tokenizer does not say how chat turns are written.",
                "Use a prompt template with chat = false.",
            )
        try:
            text = self._tokenizer.apply_chat_template(
                chat,
                tokenize=False,
                add_generation_prompt=not prefilled,
                continue_final_message=prefilled,
            )
        except Exception as error:  # Jinja's own errors, and whatever a template raises
            raise EngineError(
                "The model's chat template refuses this prompt",
                f"{type(error).__name__}: {error}",
                "Some models take no system turn or no prefilled answer; change the template.",
            ) from error
        assert isinstance(text, str)
        return text

    def _ids(self, text: str, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])

    def _names(self, ids: list[int]) -> str:
        return "".join(self._tokenizer.convert_ids_to_tokens(ids))


def _control_ids(tokenizer: Any) -> set[int]:
    """Ids that decoding leaves out."""
    added = tokenizer.added_tokens_decoder
    return {token for token, entry in added.items() if entry.special} | set(
        tokenizer.all_special_ids
    )


def _alphabet(tokenizer: Any) -> Callable[[str], bytes] | None:
    """How this tokenizer writes bytes as token names, None if it is of no kind known here."""
    if not tokenizer.is_fast:
        return None
    decoder = tokenizer.backend_tokenizer.decoder
    state = json.loads(decoder.__getstate__()) if decoder is not None else {}
    kinds = {part["type"] for part in state.get("decoders", [state]) if "type" in part}
    if "ByteLevel" in kinds:
        return _byte_level
    if kinds & {"ByteFallback", "Metaspace"}:
        return _sentence_piece
    return None


def _byte_level(name: str) -> bytes:
    """GPT-2's alphabet: every byte is a printable character; a foreign one makes it plain text."""
    try:
        return bytes(_GPT2_BYTES[character] for character in name)
    except KeyError:
        return name.encode()


def _sentence_piece(name: str) -> bytes:
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return bytes([int(name[3:5], 16)])
    return name.replace(_SPACE_MARK, " ").encode()


def _gpt2_bytes() -> dict[str, int]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(0x100 + position): byte for position, byte in enumerate(others)}
    return {chr(byte): byte for byte in printable} | shifted


_GPT2_BYTES = _gpt2_bytes()


def _ends_of_pieces(pieces: Sequence[bytes], text: bytes) -> Int32 | None:
    """Where each piece ends in the text, None if the pieces do not make the text."""
    joined = b"".join(pieces)
    ends = np.fromiter(accumulate(map(len, pieces)), np.int64, len(pieces))
    # SentencePiece decoders leave out the space before the first word.
    dropped = 1 if joined.startswith(b" ") and not text.startswith(b" ") else 0
    joined, ends = joined[dropped:], np.maximum(ends - dropped, 0)
    if joined == text:
        return ends.astype(np.int32)
    replaced, places = _replace_broken(joined)
    return places[ends].astype(np.int32) if replaced == text else None


def _replace_broken(data: bytes) -> tuple[bytes, NDArray[np.int64]]:
    """UTF-8 with each broken sequence replaced by U+FFFD, and where each offset went."""
    mark = _REPLACEMENT.encode()
    places = np.zeros(len(data) + 1, np.int64)
    parts: list[bytes] = []
    start = length = 0
    while start < len(data):
        try:
            data[start:].decode()
            good, bad = len(data) - start, 0
        except UnicodeDecodeError as error:
            good, bad = error.start, error.end - error.start
        places[start : start + good + 1] = length + np.arange(good + 1)
        parts.append(data[start : start + good])
        start, length = start + good, length + good
        if bad:
            places[start : start + bad + 1] = length + np.minimum(np.arange(bad + 1), 2)
            parts.append(mark)
            start, length = start + bad, length + len(mark)
            places[start] = length
    return b"".join(parts), places


def _ends_of_offsets(character_ends: Sequence[int], text: str) -> Int32:
    """Byte ends from a tokenizer's character offsets; the last token takes what is left."""
    if not character_ends:
        return np.empty(0, np.int32)
    sizes = np.fromiter((len(character.encode()) for character in text), np.int64, len(text))
    byte_at = np.concatenate([[0], np.cumsum(sizes)])
    ends = np.maximum.accumulate(byte_at[np.asarray(character_ends)])
    ends[-1] = byte_at[-1]
    return ends.astype(np.int32)

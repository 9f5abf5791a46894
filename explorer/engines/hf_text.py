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
from typing import Any

import numpy as np

from explorer.core.completion import Int32, Tokens
from explorer.core.prompts import Message, RenderedPrompt
from explorer.engines import chat_templates
from explorer.engines.hf_images import ImageReader, usable
from explorer.engines.token_bytes import (
    byte_level,
    ends_of_offsets,
    ends_of_pieces,
    sentence_piece,
)
from explorer.errors import EngineError

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


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
            found = ends_of_pieces([self.pieces[token] for token in ids], text.encode())
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

    def __init__(
        self, tokenizer: Any, rows: int, images: ImageReader | EngineError | None = None
    ) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        self._text = TokenText(self._tokenizer, rows)
        self._images = copy.deepcopy(images)

    def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        """Chat turns through the chat template; plain text with the tokenizer's own additions."""
        if not isinstance(prompt, str):
            if any(turn.images for turn in prompt):
                return usable(self._images).encode(prompt)
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
            ends = ends_of_offsets([end for _, end in encoded["offset_mapping"]], text)
        return Tokens(np.asarray(ids, np.int32), ends, None, exact=False)

    def _render(self, turns: Sequence[Message]) -> str:
        prefilled = bool(turns) and turns[-1].role == "assistant"
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        return chat_templates.write(self._tokenizer, chat, prefilled)

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
        return byte_level
    if kinds & {"ByteFallback", "Metaspace"}:
        return sentence_piece
    return None

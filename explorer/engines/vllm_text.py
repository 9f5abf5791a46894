"""Text of tokens whose tokenizer only a server has: bytes of each id, learned by asking.

`/detokenize` gives text, in which a token that holds a part of a character is U+FFFD. Such a token
is put beside bytes that complete the character, and the answer tells what it held. So nothing but
HTTP is needed here, and ends are as exact as with the tokenizer at hand.

Invariant: the pieces of a completion's ids, put together, are its text; an id is asked for once.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np

from explorer.core.completion import Int32
from explorer.engines.token_bytes import (
    REPLACEMENT,
    byte_level,
    ends_of_pieces,
    sentence_piece,
)
from explorer.errors import EngineError

Ask = Callable[[str, Any], Awaitable[Any]]

SEPARATORS: Final = ("~|#|~", "|=|=|", "Question", "apples", "the", "e")
"""One is put between tokens that are asked for together: the first that is made of characters.
Where one is a token's text too, fewer are asked for together."""

MOST_AT_ONCE: Final = 500
"""Ids in one question."""

_CONTROL = re.compile(r"\s*(<[^<>\s]+>|\[[^\[\]\s]+\])\s*")
"""What the text of a control token looks like; the server then says whether it is one."""

_HEADS: Final = (b"\xc2", b"\xe1", b"\xf1")
"""Bytes that begin a character of two, three and four bytes, whatever follows."""

_TAILS: Final = (b"\x80", b"\xa0", b"\x80\x80", b"\xa0\x80", b"\x80\x80\x80", b"\xa0\x80\x80")
"""Bytes that end a character, for any byte that it may have begun with."""

_LOST: Final = b"\xff"
"""Stands for a byte that is in no character."""


class ServedText:
    """Decoding with the tokenizer of a server."""

    def __init__(self, ask: Ask, model: str) -> None:
        self._ask = ask
        self._model = model
        self._pieces: dict[int, bytes] = {}
        self._names: dict[int, str] = {}  # of control tokens
        self._proven: set[int] = set()  # known to be no control tokens
        self._byte_ids: dict[int, int] = {}
        self._byte_tokens: set[int] = set()  # tokens that are a single byte, where that matters
        self._separator: list[int] = []
        self._first = self._between = ""
        self._learning = asyncio.Lock()

    async def prepare(self) -> None:
        """Find out what kind of tokenizer it is.

        Raises:
            EngineError: the server cannot tokenise.
        """
        await self._learn_bytes()
        for separator in SEPARATORS:
            self._separator = await self.tokenise(separator, False)
            if not self._byte_tokens.intersection(self._separator):
                break
        self._first = await self.detokenise(self._separator)
        twice = await self.detokenise(self._separator * 2)
        self._between = twice.removeprefix(self._first)
        if separator not in self._first or separator not in self._between:
            raise EngineError(
                "The vLLM server's tokenizer gives back another text than it was given",
                f"'{separator}' came back as '{self._first}'.",
                "Serve the model with its own tokenizer.",
            )

    async def tokenise(self, text: str, special: bool) -> list[int]:
        """The ids of a text, with or without the tokenizer's own additions."""
        body = {"model": self._model, "prompt": text, "add_special_tokens": special}
        return await self.tokenised(body)

    async def tokenised(self, body: Any) -> list[int]:
        """The ids that `/tokenize` gives for a request."""
        return _ids(await self._ask("/tokenize", body))

    async def detokenise(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens by their names."""
        answer = await self._ask("/detokenize", {"model": self._model, "tokens": list(ids)})
        text = answer.get("prompt") if isinstance(answer, dict) else None
        if not isinstance(text, str):
            raise _no_tokenizer("/detokenize gave no text.")
        return text

    async def learn(self, ids: Iterable[int]) -> None:
        """Get to know these ids; after that they can be decoded."""
        if self._pieces.keys() >= (wanted := set(ids)):
            return
        async with self._learning:
            unknown = sorted(wanted - self._pieces.keys())
            for start in range(0, len(unknown), MOST_AT_ONCE):
                await self._learn_some(unknown[start : start + MOST_AT_ONCE])

    def decode(self, ids: Sequence[int], silent_end: bool = False) -> tuple[str, Int32]:
        """The text of known ids, and the byte at which each ends in it.

        Args:
            ids: tokens of a completion.
            silent_end: the last one ended the completion and is no part of its text.
        """
        pieces = self._whole([self._pieces[one] for one in ids], ids)
        if silent_end and pieces:
            pieces[-1] = b""
        joined = b"".join(pieces)
        if self._drops_space and joined.startswith(b" "):
            joined = joined[1:]
        text = joined.decode("utf-8", "replace")
        ends = ends_of_pieces(pieces, text.encode())
        assert ends is not None, "the text is made of these pieces"
        return text, ends

    def growing(self) -> GrowingPieces:
        return GrowingPieces(self)

    def display(self, token: int) -> str:
        """A known token as a person is shown it: its text, or the name of a control token."""
        return self._names.get(token) or self._pieces[token].decode("utf-8", "replace")

    def pieces(self, ids: Iterable[int]) -> list[bytes]:
        """The bytes of known ids, control tokens empty."""
        return [self._pieces[one] for one in ids]

    async def compare(self, ids: Collection[int], own: str, served: str) -> bool:
        """Check a text against the server's; where they differ, look for control tokens.

        Returns:
            Whether something was learned, so that the ids should be decoded again.
        """
        if REPLACEMENT in own or REPLACEMENT in served:
            return False  # the server drops or repeats what is broken, as it comes
        if own.strip() == served.strip():
            self._proven.update(ids)
            return False
        suspects = [one for one in set(ids) - self._proven if self._pieces[one]]
        silent = await self._which_are_silent(suspects)
        self._proven.update(set(suspects) - silent)
        for one in silent:
            self._silence(one, self._pieces[one].decode("utf-8", "replace"))
        return bool(silent)

    @property
    def _drops_space(self) -> bool:
        """Whether decoding leaves out a space at the very start."""
        return self._first != self._between and self._between == " " + self._first

    def _whole(self, pieces: list[bytes], ids: Sequence[int]) -> list[bytes]:
        """Where bytes are tokens of their own, a run that is no text is U+FFFD byte by byte."""
        if not self._byte_tokens:
            return pieces
        pieces = list(pieces)
        start = 0
        while start < len(ids):
            end = start
            while end < len(ids) and ids[end] in self._byte_tokens:
                end += 1
            try:
                b"".join(pieces[start:end]).decode()
            except UnicodeDecodeError:
                pieces[start:end] = [REPLACEMENT.encode()] * (end - start)
            start = max(end, start + 1)
        return pieces

    async def _learn_bytes(self) -> None:
        """Which tokens are single bytes: rare characters are written with them."""
        answer = await self._ask(
            "/tokenize",
            {
                "model": self._model,
                "prompt": rare_text(),
                "add_special_tokens": False,
                "return_token_strs": True,
            },
        )
        names = answer.get("token_strs") if isinstance(answer, dict) else None
        named = dict(zip(_ids(answer), names or [], strict=False))
        fallback = {one: name for one, name in named.items() if re.fullmatch("<0x..>", name)}
        for token, name in (fallback or named).items():
            data = sentence_piece(name) if fallback else byte_level(name)
            if len(data) == 1 and data[0] >= 0x80:
                self._byte_ids[data[0]] = token
                self._pieces[token] = data
        if fallback:
            self._take_byte_tokens(fallback)

    def _take_byte_tokens(self, names: dict[int, str]) -> None:
        """These, and where they stand in order, those that no text is written with."""
        offsets = {token - sentence_piece(name)[0] for token, name in names.items()}
        if len(offsets) == 1:
            start = offsets.pop()
            names = {start + byte: f"<0x{byte:02X}>" for byte in range(256)}
        self._byte_tokens = set(names)
        self._pieces.update({token: sentence_piece(name) for token, name in names.items()})

    async def _learn_some(self, ids: Sequence[int]) -> None:
        texts = dict(zip(ids, await self._texts([[one] for one in ids]), strict=True))
        looks = [one for one, text in texts.items() if _CONTROL.fullmatch(text)]
        silent = await self._which_are_silent(looks)
        for one in silent:
            self._silence(one, texts.pop(one))
        self._proven.update(set(looks) - silent)
        broken = [one for one, text in texts.items() if REPLACEMENT in text]
        solved = await self._solve({one: texts[one] for one in broken})
        for one, text in texts.items():
            self._pieces[one] = solved.get(one) or text.encode()

    def _silence(self, token: int, name: str) -> None:
        self._pieces[token] = b""
        self._names[token] = name

    async def _texts(self, groups: Sequence[Sequence[int]]) -> list[str]:
        """The text of each group of ids, as it stands inside a text."""
        asked = list(self._separator)
        for group in groups:
            asked += [*group, *self._separator]
        text = await self.detokenise(asked)
        parts = text.removeprefix(self._first).split(self._between)
        if len(parts) == len(groups) + 1 and not parts[-1]:
            return parts[:-1]
        if len(groups) > 1:
            half = len(groups) // 2
            return await self._texts(groups[:half]) + await self._texts(groups[half:])
        return [text.removeprefix(self._first).removesuffix(self._between)]

    async def _which_are_silent(self, ids: Sequence[int]) -> set[int]:
        """Which of these the server leaves out of a text: it is made to draw each."""

        async def draw(token: int) -> bool:
            answer = await self._ask(
                "/v1/completions",
                {
                    "model": self._model,
                    "prompt": self._separator,
                    "max_tokens": 1,
                    "temperature": 0,
                    "allowed_token_ids": [token],
                },
            )
            try:
                return not answer["choices"][0]["text"]
            except (KeyError, IndexError, TypeError) as error:
                raise _no_tokenizer("/v1/completions gave no text.") from error

        found = await asyncio.gather(*(draw(one) for one in ids))
        return {one for one, silent in zip(ids, found, strict=True) if silent}

    async def _solve(self, broken: dict[int, str]) -> dict[int, bytes]:
        """The bytes of tokens that begin or end within a character."""
        heads = [self._ids_of(head) for head in _HEADS]
        tails = [self._ids_of(tail) for tail in _TAILS]
        groups = [[*head, one] for one in broken for head in heads]
        groups += [[one, *tail] for one in broken for tail in tails]
        answers = iter(await self._texts(groups) if groups else [])
        headed = {one: [next(answers) for _ in heads] for one in broken}
        tailed = {one: [next(answers) for _ in tails] for one in broken}
        return {one: bytes_of(text, headed[one], tailed[one]) for one, text in broken.items()}

    def _ids_of(self, data: bytes) -> list[int]:
        return [self._byte_ids[byte] for byte in data if byte in self._byte_ids]


def bytes_of(alone: str, headed: Sequence[str], tailed: Sequence[str]) -> bytes:
    """What a token holds whose text is broken at an end.

    Args:
        alone: its text.
        headed, tailed: its text with each of `_HEADS` before it, and each of `_TAILS` after it.
    """
    middle = alone.strip(REPLACEMENT)
    head = tail = b""
    if alone.startswith(REPLACEMENT):
        head = _completed(headed, _HEADS, first=True)
    if alone.endswith(REPLACEMENT):
        tail = _completed(tailed, _TAILS, first=False)
    found = head + middle.encode() + tail
    if found.decode("utf-8", "replace") == alone:
        return found
    return alone.replace(REPLACEMENT, "\0").encode().replace(b"\0", _LOST)


def _completed(texts: Sequence[str], added: Sequence[bytes], first: bool) -> bytes:
    """The bytes that made a whole character with what was added, b'' if none did."""
    for text, part in sorted(
        zip(texts, added, strict=True), key=lambda pair: pair[0].count(REPLACEMENT)
    ):
        edge = (text[:1] if first else text[-1:]).encode()
        whole = edge.startswith(part) if first else edge.endswith(part)
        if len(edge) > len(part) and whole and edge != REPLACEMENT.encode():
            return edge[len(part) :] if first else edge[: -len(part)]
    return b""


class GrowingPieces:
    """The text of a growing list of known ids; each text begins with the one before.

    Attributes:
        text: so far, without a character that is not complete yet.
    """

    def __init__(self, served: ServedText) -> None:
        self._served = served
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._run: list[int] = []  # bytes that may still come to be a character
        self._parts: list[str] = []
        self.text = ""

    def feed(self, ids: Sequence[int]) -> None:
        """Add ids, which are known."""
        data = b"".join(self._settled(ids))
        if not self.text and data.startswith(b" ") and self._served._drops_space:
            data = data[1:]
        self.text += self._decoder.decode(data)

    def _settled(self, ids: Sequence[int]) -> list[bytes]:
        byte_tokens = self._served._byte_tokens
        if not byte_tokens:
            return self._served.pieces(ids)
        waiting = [*self._run, *ids]
        end = len(waiting)
        while end and waiting[end - 1] in byte_tokens:
            end -= 1
        self._run = waiting[end:]
        return self._served._whole(self._served.pieces(waiting[:end]), waiting[:end])


def rare_text() -> str:
    """Characters that tokenizers rarely have as one token, with every byte that UTF-8 uses."""
    rare = [chr(first << 6 | last) for first in range(2, 32) for last in (0, 9, 27, 54)]
    rare += [
        chr(first << 12 | middle << 6 | last)
        for first in range(16)
        for middle, last in ((0x21, 0x3B), (0x2E, 0x17), (0x36, 0x02))
        if not 0xD800 <= first << 12 | middle << 6 | last < 0xE000
    ]
    rare += [chr(0xF0000 + (byte << 6) + byte) for byte in range(0x40)]
    rare += [chr(code) for code in (0x2F811, 0x5A123, 0x8B456, 0xC1234, 0x10ABCD)]
    rare += [chr(0xD000 + (byte << 6) + byte) for byte in range(0x20)]
    return " ".join(rare)


def _ids(answer: Any) -> list[int]:
    ids = answer.get("tokens") if isinstance(answer, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, int) for one in ids):
        raise _no_tokenizer("/tokenize gave no token ids.")
    return ids


def aligned_ends(pieces: Sequence[bytes], text: str) -> Int32:
    """Where pieces end in a text that the tokenizer changed before it cut it (as NFC does)."""
    import difflib

    own = b"".join(pieces).decode("utf-8", "replace")
    matcher = difflib.SequenceMatcher(None, own, text, autojunk=False)
    at = np.zeros(len(own) + 1, np.int64)
    for _, own_start, own_end, start, end in matcher.get_opcodes():
        steps = np.linspace(start, end, own_end - own_start + 1).astype(np.int64)
        at[own_start : own_end + 1] = steps
    sizes = np.array([0, *(len(one.encode()) for one in text)]).cumsum()
    characters = np.array([0, *(len(one.encode()) for one in own)]).cumsum()
    bytes_so_far = np.array([len(piece) for piece in pieces]).cumsum()
    places = np.searchsorted(characters, bytes_so_far, side="right") - 1
    ends = np.maximum.accumulate(sizes[at[np.minimum(places, len(own))]])
    if len(ends):
        ends[-1] = sizes[-1]
    return ends.astype(np.int32)


def _no_tokenizer(detail: str) -> EngineError:
    return EngineError(
        "This server does not answer as a vLLM server does",
        detail,
        "Check `url` of this model; a router in front must pass on /tokenize and /detokenize.",
    )

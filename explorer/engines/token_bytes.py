"""Bytes of tokens: how tokenizers write them as names, and where tokens end in a text.

Pure functions, shared by the engines that hold a tokenizer and those that only ask for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from explorer.core.completion import Int32

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SPACE_MARK = "▁"  # what SentencePiece writes for a space


def byte_level(name: str) -> bytes:
    """GPT-2's alphabet: every byte is a printable character; a foreign one makes it plain text."""
    try:
        return bytes(_GPT2_BYTES[character] for character in name)
    except KeyError:
        return name.encode()


def sentence_piece(name: str) -> bytes:
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return bytes([int(name[3:5], 16)])
    return name.replace(_SPACE_MARK, " ").encode()


def gpt2_bytes() -> dict[str, int]:
    """The character that stands for each byte in the names of byte-level tokens."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(0x100 + position): byte for position, byte in enumerate(others)}
    return {chr(byte): byte for byte in printable} | shifted


_GPT2_BYTES = gpt2_bytes()


def ends_of_pieces(pieces: Sequence[bytes], text: bytes) -> Int32 | None:
    """Where each piece ends in the text, None if the pieces do not make the text."""
    joined = b"".join(pieces)
    ends = np.fromiter(accumulate(map(len, pieces)), np.int64, len(pieces))
    # SentencePiece decoders leave out the space before the first word.
    dropped = 1 if joined.startswith(b" ") and not text.startswith(b" ") else 0
    joined, ends = joined[dropped:], np.maximum(ends - dropped, 0)
    if joined == text:
        return ends.astype(np.int32)
    replaced, places = replace_broken(joined)
    return places[ends].astype(np.int32) if replaced == text else None


def replace_broken(data: bytes) -> tuple[bytes, NDArray[np.int64]]:
    """UTF-8 with each broken sequence replaced by U+FFFD, and where each offset went."""
    mark = REPLACEMENT.encode()
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


def ends_of_offsets(character_ends: Sequence[int], text: str) -> Int32:
    """Byte ends from a tokenizer's character offsets; the last token takes what is left."""
    if not character_ends:
        return np.empty(0, np.int32)
    sizes = np.fromiter((len(character.encode()) for character in text), np.int64, len(text))
    byte_at = np.concatenate([[0], np.cumsum(sizes)])
    ends = np.maximum.accumulate(byte_at[np.asarray(character_ends)])
    ends[-1] = byte_at[-1]
    return ends.astype(np.int32)

"""The words that a model would rather have written, read a token at a time.

A trace of 16,000 tokens has 80,000 of them: to decode all before the first line is drawn costs
more than the rest of opening, and as much again in garbage collection. Invariant: what is read is
what was stored, whichever token is asked for first.
"""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, overload

_DECODER: Final = json.JSONDecoder()


class StoredAlternatives(Sequence[list[str]]):
    """`[T, K]` texts as `blobs.pack_texts` stored them.

    Args:
        blob: the stored bytes; decoded when a token is first asked about.
    """

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._written: str | None = None
        self._places = array("L")
        """Where the texts of each token that has been passed begin in what is written."""
        self._next = 1
        self._ended = False

    @overload
    def __getitem__(self, token: int) -> list[str]: ...

    @overload
    def __getitem__(self, token: slice) -> list[list[str]]: ...

    def __getitem__(self, token: int | slice) -> list[str] | list[list[str]]:
        if isinstance(token, slice):
            return [self[one] for one in range(*token.indices(len(self)))]
        if token < 0:
            token += len(self)
        if token < 0 or not self._reach(token):
            raise IndexError(f"token {token} has no alternatives")
        return self._row(self._places[token])[0]

    def __len__(self) -> int:
        while self._reach(len(self._places)):
            pass
        return len(self._places)

    def __iter__(self) -> Iterator[list[str]]:
        rows: list[list[str]] = json.loads(self._text())
        return iter(rows)

    def __bool__(self) -> bool:
        return self._reach(0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _reach(self, token: int) -> bool:
        """Pass over the tokens up to this one; False if there are not as many."""
        while len(self._places) <= token and not self._ended:
            self._step()
        return token < len(self._places)

    def _step(self) -> None:
        written = self._text()
        place = self._next
        while place < len(written) and written[place] in ", \n":
            place += 1
        if place >= len(written) or written[place] == "]":
            self._ended = True
            return
        self._places.append(place)
        self._next = self._row(place)[1]

    def _row(self, place: int) -> tuple[list[str], int]:
        return _DECODER.raw_decode(self._text(), place)

    def _text(self) -> str:
        if self._written is None:
            self._written = zlib.decompress(self._blob).decode()
            self._blob = b""
        return self._written

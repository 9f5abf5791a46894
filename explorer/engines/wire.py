"""What the parent and the child of an engine say to each other, and how it is framed.

One frame is a length (4 bytes, big-endian) and a pickle of a `Request` or a `Reply`. Both ends are
ours, started from one installation, over a private socket pair; nothing from outside is unpickled.
Every reply names the request it answers, so that what a cancelled job still says is ignored.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_LENGTH = struct.Struct("!I")


class Verb(StrEnum):
    """What the parent asks."""

    LOAD = "load"  # EngineConfig
    SAMPLE = "sample"  # SampleJob
    SCORE = "score"  # ScoreJob
    ENCODE = "encode"  # str or list[Message]
    RETOKENISE = "retokenise"  # str
    CANCEL = "cancel"  # None; the number is that of the job to stop


class Kind(StrEnum):
    """What the child answers."""

    PROGRESS = "progress"  # list[TextChange]
    ITEM = "item"  # a result of the job
    DONE = "done"  # None
    ERROR = "error"  # Failure


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the parent, numbered by it."""

    number: int
    verb: Verb
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to the request of that number."""

    number: int
    kind: Kind
    payload: Any = None


@dataclass(frozen=True, slots=True)
class TextChange:
    """A running stream's text: keep `kept` characters of what was known, then append `added`."""

    index: int
    kept: int
    added: str
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """The parts of an EngineError."""

    title: str
    detail: str = ""
    hint: str = ""


def pack(message: Request | Reply) -> bytes:
    """The message as one frame."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def read_reply(stream: asyncio.StreamReader) -> Reply | None:
    """The child's next reply, None when it has gone."""
    try:
        (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
        body = await stream.readexactly(length)
    except (asyncio.IncompleteReadError, OSError):
        return None
    reply = pickle.loads(body)
    assert isinstance(reply, Reply)
    return reply


class ChildEnd:
    """The child's end of the socket pair, blocking; any thread may send."""

    def __init__(self, handle: int) -> None:
        self._socket = socket.socket(fileno=handle)
        self._socket.setblocking(True)
        self._incoming = self._socket.makefile("rb")
        # Keeps a frame whole when the tokenizer's thread and the model's thread both answer.
        self._sending = threading.Lock()

    def read_request(self) -> Request | None:
        """The parent's next request, None when the parent has gone."""
        try:
            head = self._incoming.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack(head)
            body = self._incoming.read(length)
        except OSError:
            return None
        if len(body) < length:
            return None
        request = pickle.loads(body)
        assert isinstance(request, Request)
        return request

    def send(self, number: int, kind: Kind, payload: Any = None) -> None:
        frame = pack(Reply(number, kind, payload))
        with self._sending:
            self._socket.sendall(frame)

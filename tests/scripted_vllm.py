"""A server that speaks as vLLM does, and fails on command where a real one cannot be made to.

Its tokens are bytes; 256 ends a completion. A completion is a function of its seed, as vLLM's is.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from explorer.engines.token_bytes import gpt2_bytes

END = 256
CONTEXT = 200
NAME = "scripted"

_NAMES = {byte: name for name, byte in gpt2_bytes().items()}


@dataclass
class Script:
    """What goes wrong; each fault is used up by one completion request, in order.

    Attributes:
        faults: 'cut' (in the middle of the stream), 'garbled' (an event that is no JSON), 'hang',
            'no ids', or the status of a refusal, such as '500', '429'.
        most_tokens: a cap that the server has on its own.
        processed: log-probabilities as after temperature and masks.
        key: what is asked for, '' = nothing.
        models: names that are served.
        impossible: token whose log-probability is minus infinity.
        misplaced: rows of prompt_logprobs are about other tokens, in so many requests.
        max_logprobs: most alternatives.
    """

    faults: deque[str] = field(default_factory=deque)
    most_tokens: int = 10**9
    processed: bool = False
    key: str = ""
    models: tuple[str, ...] = (NAME,)
    impossible: int = -1
    misplaced: int = 0
    max_logprobs: int = 20


class ScriptedVllm:
    """The server.

    Attributes:
        requests: the completion requests that it got.
        finished: how often the last token of a completion was sent, by its seed.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.requests: list[dict[str, Any]] = []
        self.finished: Counter[int] = Counter()
        self.left_early = asyncio.Event()
        self.hanging = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection, as a killed process does."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def __aenter__(self) -> ScriptedVllm:
        await self.start()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            key = next((x[22:] for x in head if x.lower().startswith("authorization: bearer")), "")
            await self._answer(head[0].split()[1], json.loads(body or "{}"), key, reader, writer)
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left_early.set()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(
        self,
        path: str,
        body: dict[str, Any],
        key: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self.script.key and key != self.script.key and path.startswith("/v1"):
            return _send(writer, 401, {"error": "Unauthorized"})
        if path == "/v1/models":
            entries = [
                {"id": name, "root": f"/models/{name}", "parent": None, "max_model_len": CONTEXT}
                for name in self.script.models
            ]
            return _send(writer, 200, {"data": entries})
        if path == "/version":
            return _send(writer, 200, {"version": "0.0.scripted"})
        if path == "/tokenize":
            if "messages" in body:
                return _refuse(writer, 400, "you must provide a chat template")
            ids = list(body["prompt"].encode())
            return _send(writer, 200, {"tokens": ids, "token_strs": [_NAMES[one] for one in ids]})
        if path == "/detokenize":
            return _send(writer, 200, {"prompt": _text(body["tokens"], "</s>")})
        if path != "/v1/completions":
            return _send(writer, 404, {"detail": "Not Found"})
        if "allowed_token_ids" not in body:
            self.requests.append(body)
        return await self._complete(body, reader, writer)

    async def _complete(
        self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        forced = body.get("allowed_token_ids")
        if not forced and self.script.faults and self.script.faults[0].isdigit():
            return _refuse(writer, int(self.script.faults.popleft()), "not now")
        most = max(body.get("logprobs") or 0, body.get("prompt_logprobs") or 0)
        if most > self.script.max_logprobs:
            return _refuse(
                writer, 400, f"logprobs of {most}, which is greater than max allowed: 20"
            )
        if body.get("stream"):
            return await self._stream(body, reader, writer)
        if forced:
            shown = {f"token_id:{forced[0]}": -2.5, "token_id:1": -0.5}
            choice = {"text": _text(forced, ""), "logprobs": {"top_logprobs": [shown]}}
            return _send(writer, 200, {"choices": [choice]})
        return _send(writer, 200, {"choices": [{"prompt_logprobs": self._rows(body)}]})

    def _rows(self, body: dict[str, Any]) -> list[Any]:
        off = 0
        if self.script.misplaced:
            self.script.misplaced, off = self.script.misplaced - 1, 1
        rows: list[Any] = [None]
        for token in body["prompt"][1:]:
            value = -9999.0 if token == self.script.impossible else -token / 100
            row = {str(token + off): {"logprob": value, "rank": token + 1, "decoded_token": "x"}}
            for rank in range(1, body["prompt_logprobs"] + 1):
                row.setdefault(str(rank - 1), {"logprob": -(rank - 1) / 100, "rank": rank})
            rows.append(row)
        return rows

    async def _stream(
        self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        forced = body.get("allowed_token_ids")
        fault = "" if forced or not self.script.faults else self.script.faults.popleft()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        events = _events(body, self.script, fault == "no ids")
        for number, event in enumerate(events):
            if fault and 2 * number >= len(events) and fault != "no ids":
                if fault == "garbled":
                    writer.write(b'data: {"choices": [{"ind\n\n')
                if fault == "hang":
                    await writer.drain()
                    self.hanging.set()
                    await reader.read()  # until whoever asked has gone
                    self.left_early.set()
                return
            writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            await writer.drain()
            part = event["choices"][0]
            if part["finish_reason"] and not forced:
                self.finished[body["seed"] + part["index"]] += 1
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()


def completion(seed: int, limit: int) -> tuple[list[int], str]:
    """The tokens of a completion and why it ends; half of them with the end token."""
    rng = random.Random(seed)
    ids = [rng.choice(b"abcdefgh \n\xf0\x9f\x98\x80") for _ in range(rng.randrange(4, 40))]
    ids.append(END)
    return (ids, "stop") if len(ids) <= limit else (ids[:limit], "length")


def _events(body: dict[str, Any], script: Script, bare: bool) -> list[dict[str, Any]]:
    """Three tokens at a time from each choice in turn."""
    limit = min(body["max_tokens"], script.most_tokens)
    forced = body.get("allowed_token_ids")
    parts: list[list[dict[str, Any]]] = []
    for number in range(body.get("n", 1)):
        if forced:
            ids, finish = list(forced[:1]), "length"
        else:
            ids, finish = completion(body["seed"] + number, limit)
        steps = [ids[start : start + 3] for start in range(0, len(ids), 3)]
        choice = []
        for step in steps:
            value = 0.0 if script.processed else -0.25
            part = {"index": number, "text": _text(step, ""), "finish_reason": None}
            if not bare:
                part |= {"token_ids": step, "logprobs": {"token_logprobs": [value] * len(step)}}
            choice.append(part)
        choice[-1]["finish_reason"] = finish
        parts.append(choice)
    longest = max(map(len, parts))
    turns = [choice[turn] for turn in range(longest) for choice in parts if turn < len(choice)]
    return [{"choices": [part]} for part in turns]


def _text(ids: list[int], end: str) -> str:
    parts, data = [], b""
    for token in [*ids, END]:
        if token < END:
            data += bytes([token])
            continue
        parts += [data.decode("utf-8", "replace"), end]
        data = b""
    return "".join(parts[:-1])


def _refuse(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    _send(writer, status, {"error": {"message": message, "code": status}})


def _send(writer: asyncio.StreamWriter, status: int, value: Any) -> None:
    data = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    if status == 429:
        head += "Retry-After: 0.01\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

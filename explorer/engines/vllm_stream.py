"""A streamed completion request: server-sent events in, tokens per choice out.

Invariant: what is not exactly what vLLM sends is an error, never a guess: every token has an id
and a log-probability, and a stream that ends without saying so was cut off.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from explorer.engines.vllm_http import AttemptError, Server
from explorer.errors import EngineError

MOST_OF_EVENT: Final = 64 * 2**20
"""Bytes of one event; more means that this is no event stream."""

CLAMPED: Final = -9999.0
"""vLLM writes an impossible token's log-probability so, because JSON has no infinity."""


@dataclass(slots=True)
class Choice:
    """One completion of a request, as far as it has come.

    Attributes:
        text: what the server decoded.
        finish, stop_reason: as the server says; finish is '' while it runs.
    """

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    finish: str = ""
    stop_reason: Any = None


async def read_choices(
    server: Server,
    path: str,
    body: dict[str, Any],
    count: int,
    look: Callable[[dict[str, Any]], None] = lambda event: None,
) -> AsyncIterator[list[tuple[int, Choice]]]:
    """Send a request and yield, per event, the choices that have grown, by their number.

    Args:
        look: shown each event; what it raises ends the reading.

    Raises:
        AttemptError: the answer was cut off or garbled.
        EngineError: the server refuses, or is no vLLM server.
    """
    choices = [Choice() for _ in range(count)]
    async with server.stream(path, body) as chunks:
        async for event in _events(chunks):
            if "error" in event:
                raise _told(server, event["error"])
            look(event)
            grown = []
            for part in _list(event.get("choices")):
                number = part.get("index")
                if not isinstance(number, int) or not 0 <= number < count:
                    raise AttemptError("the answer is about a choice that was not asked for")
                _add(choices[number], part, server)
                grown.append((number, choices[number]))
            if grown:
                yield grown
    if any(not choice.finish for choice in choices):
        raise AttemptError("the stream ended before its completions did")


def logprob(value: Any) -> float:
    """A log-probability as the model had it.

    Raises:
        EngineError: it is no number.
    """
    if not isinstance(value, int | float) or math.isnan(value):
        raise EngineError(
            "The model computes no numbers",
            "A log-probability in the vLLM server's answer is not a number.",
            "float16 can overflow; serve the model with --dtype bfloat16 or float32.",
        )
    return -math.inf if value <= CLAMPED else float(value)


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each event, up to the one that says that all is told."""
    waiting = b""
    async for chunk in chunks:
        *whole, waiting = (waiting + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in whole:
            for line in event.split(b"\n"):
                if not line.startswith(b"data:"):
                    continue  # a comment, or a field that says nothing here
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                yield _object(data)
        if len(waiting) > MOST_OF_EVENT:
            raise AttemptError("the answer is no stream of events")
    raise AttemptError("the stream was cut off")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise AttemptError("an event in the stream is not JSON") from error
    if not isinstance(value, dict):
        raise AttemptError("an event in the stream is no JSON object")
    return value


def _list(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise AttemptError("an event in the stream has no choices")
    return value


def _add(choice: Choice, part: dict[str, Any], server: Server) -> None:
    if choice.finish:
        raise AttemptError("a completion went on after its end")
    ids = part.get("token_ids")
    shown = part.get("logprobs")
    logprobs = _logprobs(shown) if isinstance(shown, dict) else None
    if ids is None and part.get("text"):
        raise not_vllm(server, "It sent text without token ids.")
    ids, logprobs = ids or [], logprobs or []
    if len(ids) != len(logprobs):
        raise not_vllm(server, f"It sent {len(ids)} token ids and {len(logprobs)} probabilities.")
    choice.ids += ids
    choice.logprobs += map(logprob, logprobs)
    choice.text += part.get("text") or ""
    finish = part.get("finish_reason")
    if finish in ("abort", "error"):
        raise AttemptError(f"the server ended a completion: {finish}")
    choice.finish, choice.stop_reason = finish or "", part.get("stop_reason")


def _logprobs(shown: dict[str, Any]) -> Any:
    """Those of the tokens, in the form of either route."""
    content = shown.get("content")
    if isinstance(content, list):
        return [one.get("logprob") if isinstance(one, dict) else None for one in content]
    return shown.get("token_logprobs")


def not_vllm(server: Server, detail: str) -> EngineError:
    """The error for a server that does not answer as vLLM does."""
    return EngineError(
        "This server does not give token ids and their log-probabilities as vLLM does",
        f"{server.url}: {detail}",
        "Use a vLLM server of version 0.10.2 or later; nothing between it and us may rewrite "
        "its answers.",
    )


def _told(server: Server, error: Any) -> Exception:
    """An error that the server reports in the middle of a stream."""
    error = error if isinstance(error, dict) else {"message": str(error)}
    code = error.get("code")
    return server.refusal(
        code if isinstance(code, int) and code >= 400 else 500, str(error.get("message", ""))
    )

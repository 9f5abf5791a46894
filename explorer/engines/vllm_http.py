"""Requests to vLLM servers: which server gets one, when it is asked again, what a refusal means.

Invariant: whoever asks learns in the end either an answer or an `EngineError` that names the
cause; a key is sent to the server and appears nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from explorer.errors import EngineError

log = logging.getLogger(__name__)

READ_S: Final = 600.0
"""A server that is silent for so long while it owes an answer is taken for lost."""

LONGEST_REST_S: Final = 8.0
"""Most seconds between two attempts."""

PATIENCE_S: Final = 180.0
"""A job is given up when no server has answered for so long: time for a restart."""

MOST_BAD_ANSWERS: Final = 8
"""A job is given up after so many failures in a row of servers that do answer."""

MOST_SHOWN: Final = 600
"""Characters of a server's own message that are shown."""

_BUSY: Final = frozenset({408, 425, 429})

Result = TypeVar("Result")


class AttemptError(Exception):
    """Something that may go well the next time.

    Attributes:
        said: what happened.
        reached: whether a server answered at all.
        wait_s: how long the server asks to be left alone.
    """

    def __init__(self, said: str, reached: bool = True, wait_s: float = 0.0) -> None:
        super().__init__(said)
        self.said = said
        self.reached = reached
        self.wait_s = wait_s


class Server:
    """One server: its connection, how much it does for us, and whether it is left alone."""

    def __init__(self, url: str, key: str, timeout: httpx.Timeout | None = None) -> None:
        self.url = url
        self._key = key
        self.busy = {"sample": 0, "score": 0}
        self.failures = 0
        self.rests_until = 0.0
        host = urlsplit(url).hostname or ""
        self.loopback = host in ("localhost", "::1") or host.startswith("127.")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=timeout or httpx.Timeout(READ_S, connect=10.0, pool=None),
            transport=_transport() if self.loopback else None,  # no proxy between us and ourselves
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        )

    def __repr__(self) -> str:
        return f"Server({self.url})"

    async def ask(self, path: str, body: Any = None) -> Any:
        """The JSON that the server answers; POST where there is a body.

        Raises:
            AttemptError: it may go well the next time.
            EngineError: the server refuses.
        """
        try:
            if body is None:
                response = await self._client.get(path)
            else:
                response = await self._client.post(path, json=body)
        except httpx.TransportError as error:
            raise self._lost(error) from error
        if response.status_code != 200:
            raise self._refusal(response.status_code, response.headers, response.text)
        return await parse_json(response.content)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, body: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an answer as they come; leaving early closes the connection.

        Raises:
            AttemptError, EngineError: as `ask`; also while the bytes are read.
        """
        try:
            async with self._client.stream("POST", path, json=body) as response:
                if response.status_code != 200:
                    text = (await response.aread()).decode("utf-8", "replace")
                    raise self._refusal(response.status_code, response.headers, text)
                yield response.aiter_bytes()
        except httpx.TransportError as error:
            raise self._lost(error) from error

    def refusal(self, status: int, message: str) -> AttemptError | EngineError:
        """What an error that the server reports inside an answer means."""
        return self._refusal(status, httpx.Headers(), json.dumps({"message": message}))

    async def close(self) -> None:
        await self._client.aclose()

    def rest(self, failure: AttemptError) -> None:
        """Leave the server alone for a while, longer each time it fails."""
        self.failures += 1
        pause = min(LONGEST_REST_S, 0.25 * 2 ** min(self.failures - 1, 10))
        self.rests_until = time.monotonic() + max(pause, failure.wait_s)

    def recovered(self) -> None:
        self.failures, self.rests_until = 0, 0.0

    def _lost(self, error: httpx.TransportError) -> AttemptError:
        reached = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        kind = "timed out" if isinstance(error, httpx.TimeoutException) else "was lost"
        what = f"the connection {kind}" if reached else "no server answers there"
        return AttemptError(f"{what} ({type(error).__name__})", reached)

    def _refusal(
        self, status: int, headers: httpx.Headers, text: str
    ) -> AttemptError | EngineError:
        said = self._shown(message_of(text))
        if status in _BUSY or status >= 500:
            return AttemptError(
                f"HTTP {status}: {said or 'no reason given'}", True, _seconds(headers)
            )
        return refused(self.url, status, said, bool(self._key))

    def _shown(self, message: str) -> str:
        """The server's words, printable, not too long, and without the key."""
        if self._key:
            message = message.replace(self._key, "…")
        words = "".join(one if one.isprintable() else " " for one in message).split()
        text = " ".join(words)
        return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


class Servers:
    """The servers of one model, used evenly; each at most so much at a time."""

    def __init__(
        self,
        servers: Sequence[Server],
        most: dict[str, int],
        *,
        note: Callable[[str], None] = lambda _: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Args:
        servers: at least one.
        most: requests of each kind ('sample', 'score') that one server gets at a time.
        note: told of trouble, for the log.
        patience_s: see `PATIENCE_S`.
        """
        self.all = tuple(servers)
        self.patience_s = patience_s
        self._most = most
        self._note = note
        self._changed = asyncio.Event()
        self._turn = 0

    async def close(self) -> None:
        for server in self.all:
            await server.close()

    def most(self, kind: str) -> int:
        """Requests of a kind that all servers together get at a time."""
        return self._most[kind] * len(self.all)

    def trouble(self) -> Trouble:
        """A fresh count of what goes wrong, for one job."""
        return Trouble(self.patience_s)

    async def ask(self, path: str, body: Any = None) -> Any:
        """A small question to any server, asked again while that may help.

        Raises:
            EngineError: the server refuses, or none can be reached.
        """
        return await self.run("", lambda server: server.ask(path, body), self.trouble())

    def alone(self, server: Server) -> Servers:
        """One of these, to be asked in particular."""
        return Servers([server], self._most, note=self._note, patience_s=self.patience_s)

    async def run(
        self, kind: str, work: Callable[[Server], Awaitable[Result]], trouble: Trouble
    ) -> Result:
        """Do a piece of work on the server that has least to do, again while that may help.

        Raises:
            EngineError: the server refuses, or the trouble has lasted too long.
        """
        while True:
            try:
                return await self.once(kind, work, trouble)
            except AttemptError:
                continue

    async def once(
        self, kind: str, work: Callable[[Server], Awaitable[Result]], trouble: Trouble
    ) -> Result:
        """One attempt.

        Raises:
            AttemptError: it went wrong and may be tried again, at once: the next attempt waits.
            EngineError: as `run`.
        """
        server = await self._free(kind)
        try:
            result = await work(server)
        except AttemptError as failure:
            server.rest(failure)
            self._note(f"{server.url}: {failure.said}; trying again")
            trouble.add(server.url, failure)
            raise
        else:
            server.recovered()
            trouble.over()
            return result
        finally:
            if kind:
                server.busy[kind] -= 1
            self._changed.set()
            self._changed = asyncio.Event()

    async def _free(self, kind: str) -> Server:
        """The least busy server that may be asked, reserved; waits until there is one."""
        while True:
            now = time.monotonic()
            awake = [server for server in self.all if server.rests_until <= now]
            free = [one for one in awake if not kind or one.busy[kind] < self._most[kind]]
            if free:
                self._turn += 1
                start = self._turn % len(free)
                free = free[start:] + free[:start]
                chosen = min(free, key=lambda one: sum(one.busy.values()))
                if kind:
                    chosen.busy[kind] += 1
                return chosen
            naps = [one.rests_until - now for one in self.all if one.rests_until > now]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(naps, default=None))


class Trouble:
    """How long a job has got nowhere; decides when it is given up."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self.over()

    def over(self) -> None:
        """Something went well."""
        self._since: float | None = None
        self._bad_answers = 0

    def add(self, url: str, failure: AttemptError) -> None:
        """Note a failure.

        Raises:
            EngineError: it has gone wrong for too long.
        """
        now = time.monotonic()
        self._since = self._since or now
        self._bad_answers += failure.reached and not failure.wait_s
        if self._bad_answers >= MOST_BAD_ANSWERS:
            raise EngineError(
                "The vLLM server keeps failing",
                f"{url}, {self._bad_answers} times in a row, at last: {failure.said}",
                "Its own log says why. What was drawn is kept; ask again when it works.",
            ) from failure
        if now - self._since >= self._patience_s:
            raise EngineError(
                "The vLLM server cannot be reached",
                f"{url}: {failure.said}; tried for {now - self._since:.0f} s.",
                "Start it, or check `url` of this model and any tunnel to it; then ask again. "
                "What was drawn is kept.",
            ) from failure


FEWER_ALTERNATIVES: Final = "The vLLM server gives fewer alternatives per token than were asked for"
"""Title of the error of a server whose --max-logprobs is too low."""


def refused(url: str, status: int, said: str, had_key: bool) -> EngineError:
    """The error for a request that this server will never answer."""
    quoted = f"{url} says: {said}" if said else f"{url} answers HTTP {status}."
    if status in (401, 403):
        return EngineError(
            "The vLLM server refuses the key" if had_key else "The vLLM server wants a key",
            quoted,
            "Put the key into an environment variable where the sampler runs, and name that "
            "variable as api_key_env of this model.",
        )
    if "greater than max allowed" in said and "logprobs" in said:
        return EngineError(
            FEWER_ALTERNATIVES,
            quoted,
            "Start it with a higher --max-logprobs (max_logprobs in [vllm]).",
        )
    if "chat template" in said:
        return EngineError(
            "This model has no chat template, or it refuses this prompt",
            quoted,
            "Use a prompt template with chat = false, or one without system turn or prefill.",
        )
    if status == 404 and "does not exist" in said:
        return EngineError(
            "The vLLM server does not serve this model",
            quoted,
            "Set `source` of this model to the name that the server gives it.",
        )
    if status in (404, 405):
        return EngineError(
            "This server is not a vLLM server",
            quoted,
            "Check `url` of this model; it is the address without /v1.",
        )
    if "out of vocabulary" in said:
        return EngineError(
            "A token id is outside the vocabulary", quoted, "Another model wrote these tokens."
        )
    return EngineError("The vLLM server refuses the request", quoted)


def message_of(text: str) -> str:
    """The message in an error's JSON, in any of the forms that servers use; else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    while isinstance(value, dict):
        value = value.get("error") or value.get("message") or value.get("detail") or ""
    return value if isinstance(value, str) else json.dumps(value)


async def parse_json(content: bytes) -> Any:
    """Parse an answer, a big one beside the event loop.

    Raises:
        AttemptError: it is not JSON.
    """
    try:
        if len(content) > 2**18:
            return await asyncio.to_thread(json.loads, content)
        return json.loads(content)
    except ValueError as error:
        raise AttemptError("the answer is not JSON, or was cut off") from error


def _transport() -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        trust_env=False,
    )


def _seconds(headers: httpx.Headers) -> float:
    """How long a busy server asks to be left alone, at most a minute."""
    try:
        return min(60.0, max(0.0, float(headers.get("retry-after", "0"))))
    except ValueError:
        return 0.0

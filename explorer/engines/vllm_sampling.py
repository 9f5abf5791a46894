"""Draws the completions of one job on vLLM servers, streaming each as it ends.

vLLM gives choice i of a request the seed `seed + i`. So contiguous indices become requests with
`n > 1`, and index i gets the same seed whether it is drawn alone or among others.

Invariant: each index is yielded once. When a stream breaks, what it had finished stays, and only
the rest is asked for again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from hashlib import blake2b
from itertools import chain, pairwise
from typing import Any, Final

import numpy as np

from explorer.core.arm import Sampling
from explorer.core.completion import FinishReason, Tokens
from explorer.engines.base import Progress, Sampled, SampleJob
from explorer.engines.stops import Stops
from explorer.engines.vllm_http import AttemptError, Server, Servers
from explorer.engines.vllm_stream import Choice, read_choices
from explorer.engines.vllm_text import GrowingPieces, ServedText
from explorer.errors import EngineError

MOST_PER_REQUEST: Final = 32
"""Completions in one request: few requests, and little to ask again when one is lost."""

TOKENS_PER_EVENT: Final = 16
"""Tokens that the server gathers before it sends them: an event costs it as much as a token."""

PROGRESS_SECONDS: Final = 0.25
"""Shortest time between two reports on a running stream."""

PROGRESS_SHARE: Final = 0.05
"""Most of the time that reporting may take."""


class Drawing:
    """One job at work."""

    def __init__(
        self, job: SampleJob, servers: Servers, text: ServedText, model: str, context: int
    ) -> None:
        self._job = job
        self._servers = servers
        self._text = text
        self._limit = min(job.sampling.max_tokens, context - len(job.prompt_ids))
        self._body = request_body(job, model, self._limit)
        self._stops = Stops(job.sampling.stop)
        self._base = seed_base(job.seed)
        self._trouble = servers.trouble()
        self._news: asyncio.Queue[Progress | Sampled | BaseException] = asyncio.Queue()
        self._done: set[int] = set()
        self._shown: dict[int, int] = {}

    async def run(self, most_per_request: int) -> AsyncGenerator[Progress | Sampled, None]:
        """Yield what happens; leaving early closes the connections, which frees the server."""
        runs = contiguous(self._job.indices, most_per_request)
        tasks = [asyncio.create_task(self._guarded(run)) for run in runs]
        wanted = len(set(self._job.indices))
        try:
            while wanted:
                news = await self._news.get()
                if isinstance(news, BaseException):
                    raise news
                wanted -= isinstance(news, Sampled)
                yield news
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, run: range) -> None:
        try:
            await self._draw(run)
        except Exception as error:  # told to whoever reads, who raises it
            self._news.put_nowait(error)

    async def _draw(self, run: range) -> None:
        """Draw contiguous indices, again and in parts as often as it takes."""
        missing = [run]
        while missing:
            part = missing.pop()
            try:
                await self._servers.once("sample", self._stream_of(part), self._trouble)
            except AttemptError:
                left = [index for index in part if index not in self._done]
                missing += contiguous(left, len(part))

    def _stream_of(self, run: range) -> Any:
        async def work(server: Server) -> None:
            await self._stream(server, run)

        return work

    async def _stream(self, server: Server, run: range) -> None:
        path, body = self._request(run)
        streams = _Streams({index: self._text.growing() for index in run})
        choices = read_choices(server, path, body, len(run), self._saw)
        async with aclosing(_generator(choices)) as events:
            async for event in events:
                for number, choice in event:
                    index = run.start + number
                    streams.running[index] = choice
                    if choice.finish:
                        del streams.running[index]
                        await self._finish(index, choice, server)
                if time.monotonic() >= streams.next_report:
                    await self._report(streams)

    def _request(self, run: range) -> tuple[str, dict[str, Any]]:
        """Where a request for these indices goes, and what it says."""
        return "/v1/completions", self._body | {"n": len(run), "seed": self._base + run.start}

    def _saw(self, event: dict[str, Any]) -> None:
        """Look at an event of a stream before it is used."""

    async def _finish(self, index: int, choice: Choice, server: Server) -> None:
        if index in self._done:
            return
        sampled = await self._sampled(index, choice)
        if sampled.finish is FinishReason.LENGTH and len(choice.ids) < self._limit:
            raise EngineError(
                "The vLLM server cuts completions short",
                f"{server.url} ended one after {len(choice.ids)} tokens; {self._limit} were asked "
                "for.",
                "Start it with --generation-config vllm: the checkpoint's own file has a limit.",
            )
        self._done.add(index)
        self._trouble.over()
        self._news.put_nowait(sampled)

    async def _sampled(self, index: int, choice: Choice) -> Sampled:
        ids = choice.ids
        await self._text.learn(ids)
        # The token that ended it is no part of the text, special or not; a stop string is cut.
        silent_end = choice.finish == "stop" and not isinstance(choice.stop_reason, str)
        text, ends = self._text.decode(ids, silent_end)
        if not self._stops.strings and await self._text.compare(ids, text, choice.text):
            text, ends = self._text.decode(ids, silent_end)
        finish = _FINISH.get(choice.finish, FinishReason.UNKNOWN)
        count = len(ids)
        stop_end = self._stops.first_end(text)
        if stop_end >= 0:
            last = len(text[:stop_end].encode())
            count = int(np.searchsorted(ends, last)) + 1
            text = text.encode()[: ends[count - 1]].decode("utf-8", "ignore")
            text = text[: self._stops.find(text)]
            ends = np.minimum(ends[:count], len(text.encode())).astype(np.int32)
            finish = FinishReason.STOP
        tokens = Tokens(
            np.array(ids[:count], np.int32), ends, np.array(choice.logprobs[:count], np.float32)
        )
        return Sampled(index, text, tokens, finish)

    async def _report(self, streams: _Streams) -> None:
        """Tell how far these have come; after a broken stream, only what is news again."""
        started = time.monotonic()
        new = {
            index: choice.ids[streams.read[index] :] for index, choice in streams.running.items()
        }
        await self._text.learn(chain.from_iterable(new.values()))
        for index, ids in new.items():
            streams.growing[index].feed(ids)
            streams.read[index] += len(ids)
            if streams.read[index] > self._shown.get(index, 0):
                self._shown[index] = streams.read[index]
                text = self._stops.safe(streams.growing[index].text)
                self._news.put_nowait(Progress(index, text, streams.read[index]))
        now = time.monotonic()
        streams.next_report = now + max(PROGRESS_SECONDS, (now - started) / PROGRESS_SHARE)


class _Streams:
    """The completions of one request, as they are reported on.

    Attributes:
        growing: the text of each, by index.
        read: how many of its tokens that text has.
        running: those that have begun and not ended.
    """

    def __init__(self, growing: dict[int, GrowingPieces]) -> None:
        self.growing = growing
        self.read = dict.fromkeys(growing, 0)
        self.running: dict[int, Choice] = {}
        self.next_report = 0.0


_FINISH: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


def request_body(job: SampleJob, model: str, limit: int) -> dict[str, Any]:
    """All that decides the distribution, stated: a server's defaults may come from a checkpoint."""
    sampling = job.sampling
    return {
        "model": model,
        "prompt": list(job.prompt_ids),
        "max_tokens": limit,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "stop": [stop for stop in sampling.stop if stop],
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "min_tokens": 0,
        "logprobs": 0,
        "return_token_ids": True,
        "stream": True,
        "stream_interval": TOKENS_PER_EVENT,
    }


def seed_base(seed: int) -> int:
    """Where the seeds of a job begin: far from those of any other, and inside 64 bits."""
    return int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest()) >> 2


def contiguous(indices: Sequence[int], most: int) -> list[range]:
    """The indices as runs without gaps, none longer than `most`."""
    ordered = sorted(set(indices))
    cuts = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(ordered)) if b != a + 1)]
    runs = []
    for start, end in pairwise([*cuts, len(ordered)]):
        for part in range(start, end, most):
            stop = min(part + most, end)
            runs.append(range(ordered[part], ordered[stop - 1] + 1))
    return runs


def per_request(sampling: Sampling, wanted: int, servers: int, batch_size: int) -> int:
    """Completions in one request, so that every server gets some."""
    if sampling.temperature == 0:
        return 1  # vLLM draws greedily one at a time
    share = -(-wanted // servers)
    return max(1, min(MOST_PER_REQUEST, share, batch_size or share))


def _generator(events: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    assert isinstance(events, AsyncGenerator)
    return events

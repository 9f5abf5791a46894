"""Scores responses on vLLM servers with `prompt_logprobs`: one response, one request.

Invariant: a row is only believed if it names the token that it is about. Rows are counted from
the end, because a server may have put more tokens in place of one (images); log-probabilities of
prompts are raw whatever the server's settings, and -9999.0 stands for an impossible token.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import numpy as np

from explorer.core.completion import TokenScores
from explorer.engines.base import TOP_FOR_BOUNDS, EngineInfo, Scored, ScoreJob
from explorer.engines.vllm_http import FEWER_ALTERNATIVES, AttemptError, Server, Servers
from explorer.engines.vllm_stream import CLAMPED, not_vllm
from explorer.engines.vllm_text import ServedText
from explorer.errors import EngineError

Row = dict[int, tuple[float, int]]
"""Token id -> (log-probability, rank from 1; 0 = not told)."""

MOST_FOR_LAST: Final = 20
"""Alternatives asked for to rank a token that fills the context: vLLM's own default limit."""


class Scoring:
    """One job at work."""

    def __init__(
        self, job: ScoreJob, servers: Servers, text: ServedText, model: str, info: EngineInfo
    ) -> None:
        self._job = job
        self._servers = servers
        self._text = text
        self._model = model
        self._context = info.context
        top = job.top if job.sampling is None else max(job.top, TOP_FOR_BOUNDS)
        self._top = min(top, info.vocab_size or top)
        self._trouble = servers.trouble()

    async def run(self, at_once: int) -> AsyncGenerator[Scored, None]:
        """Yield each response's scores once; at most `at_once` are held at a time."""
        waiting = iter(enumerate(self._job.responses))
        running: set[asyncio.Task[Scored]] = set()
        try:
            while True:
                for position, response in waiting:
                    running.add(asyncio.create_task(self._score(position, response)))
                    if len(running) >= at_once:
                        break
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _score(self, position: int, response: Sequence[int]) -> Scored:
        rows: list[Row] = []
        if response:
            rows = await self._told(response)
        return Scored(position, await self._scores(response, rows))

    async def _told(self, response: Sequence[int]) -> list[Row]:
        """The rows of a response; with fewer alternatives where more only tighten bounds."""
        asked = self._top
        try:
            return await self._servers.run("score", self._rows_of(response), self._trouble)
        except EngineError as error:
            if error.title != FEWER_ALTERNATIVES or asked <= self._job.top:
                raise
            self._top = self._job.top
        return await self._servers.run("score", self._rows_of(response), self._trouble)

    def _rows_of(self, response: Sequence[int]) -> Any:
        async def work(server: Server) -> list[Row]:
            return await self._rows(server, response)

        return work

    async def _rows(self, server: Server, response: Sequence[int]) -> list[Row]:
        ids = [*self._job.prompt_ids, *response]
        # The server must draw a token after the prompt. Where none fits, the last one is drawn.
        last = [await self._last_row(server, ids)] if len(ids) >= self._context else []
        scored = response[: len(response) - len(last)]
        if not scored:
            return last
        answer = await server.ask(
            "/v1/completions",
            {
                "model": self._model,
                "prompt": ids[: len(ids) - len(last)],
                "max_tokens": 1,
                "temperature": 0,
                "prompt_logprobs": self._top,
            },
        )
        told = _choice(answer, server).get("prompt_logprobs")
        if not isinstance(told, list) or len(told) <= len(scored):
            raise not_vllm(server, "It gave no prompt_logprobs.")
        rows = [parse_row(row) for row in told[-len(scored) :]]
        for row, token in zip(rows, scored, strict=True):
            if token not in row:
                raise AttemptError("a row of prompt_logprobs is not about its token")
        return [*rows, *last]

    async def _last_row(self, server: Server, ids: Sequence[int]) -> Row:
        """The row of a last token that fills the context: the server is made to draw it."""
        most = max(self._top, MOST_FOR_LAST)
        body = {
            "model": self._model,
            "prompt": list(ids[:-1]),
            "max_tokens": 1,
            "temperature": 0,
            "allowed_token_ids": [ids[-1]],
            "logprobs": most,
            "return_tokens_as_token_ids": True,
        }
        shown = _choice(await server.ask("/v1/completions", body), server).get("logprobs") or {}
        told = (shown.get("top_logprobs") or [{}])[0]
        values = {
            int(name.removeprefix("token_id:")): _value(value) for name, value in told.items()
        }
        if ids[-1] not in values:
            raise not_vllm(server, "It gave no log-probability of the token that it drew.")
        # Beyond the alternatives, the rank is the lowest that it can be.
        order = sorted(values.values(), reverse=True)
        return {token: (value, 1 + order.index(value)) for token, value in values.items()}

    async def _scores(self, response: Sequence[int], rows: Sequence[Row]) -> TokenScores:
        best = [
            sorted(row.items(), key=lambda item: (-item[1][0], item[1][1]))[: self._top]
            for row in rows
        ]
        width = min((len(row) for row in best), default=0)
        ids = np.array([[token for token, _ in row[:width]] for row in best], np.int32)
        await self._text.learn(set(ids.ravel().tolist()))
        shape = (len(response), width)
        own = [row[token] for row, token in zip(rows, response, strict=True)]
        return TokenScores(
            logprobs=np.array([value for value, _ in own], np.float32),
            ranks=np.array([rank for _, rank in own], np.int32),
            entropies=np.full(len(response), math.nan, np.float32),
            top_ids=ids.reshape(shape),
            top_logprobs=np.array(
                [[value for _, (value, _) in row[:width]] for row in best], np.float32
            ).reshape(shape),
            top_texts=[[self._text.display(token) for token, _ in row[:width]] for row in best],
        )


def _choice(answer: Any, server: Server) -> dict[str, Any]:
    try:
        choice = answer["choices"][0]
    except (KeyError, IndexError, TypeError):
        choice = None
    if not isinstance(choice, dict):
        raise not_vllm(server, "Its answer has no choices.")
    return choice


def parse_row(row: Any) -> Row:
    """A position's alternatives.

    Raises:
        AttemptError: it is garbled.
    """
    try:
        return {
            int(token): (_value(told["logprob"]), int(told["rank"])) for token, told in row.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AttemptError("a row of prompt_logprobs is garbled") from error


def _value(told: float) -> float:
    return -math.inf if told <= CLAMPED else float(told)

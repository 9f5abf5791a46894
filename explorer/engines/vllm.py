"""The `vllm` engine: a model on vLLM servers, reached over HTTP; no model library is needed here.

The servers run already (`urls`), or `vllm_server` starts one, which outlives this engine.

Invariant: token ids go end to end; text and spans are made of what the server's own tokenizer
says, and everything that decides a distribution is sent with the request.
"""

from __future__ import annotations

import datetime
import logging
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from explorer.core.completion import Tokens
from explorer.core.prompts import Message, RenderedPrompt
from explorer.engines.base import (
    EngineConfig,
    EngineInfo,
    Progress,
    Sampled,
    SampleJob,
    Scored,
    ScoreJob,
)
from explorer.errors import EngineError, MissingExtraError, SettingsError

try:
    import httpx  # noqa: F401 - says what is missing before anything else is loaded
except ImportError as missing:
    raise MissingExtraError("A model on a vLLM server", "vllm") from missing

import numpy as np

from explorer.engines.adapters import refuse_scoring
from explorer.engines.job_checks import check_sample_job, check_score_job
from explorer.engines.token_bytes import ends_of_pieces
from explorer.engines.vllm_http import PATIENCE_S, Server, Servers
from explorer.engines.vllm_identity import chat_body, check_answers, describe, served_model
from explorer.engines.vllm_images import (
    ImageDrawing,
    ImageScoring,
    encode_shown,
    shown_prompt,
    takes_images,
)
from explorer.engines.vllm_sampling import Drawing, per_request
from explorer.engines.vllm_scoring import Scoring
from explorer.engines.vllm_text import ServedText, aligned_ends

REQUESTS_AT_ONCE: Final = 16
"""Most sampling requests that one server gets at a time; vLLM queues what it cannot run."""

SCORES_AT_ONCE: Final = 1
"""Scoring requests at a time: they make logits of every position that a step takes, and memory
for those is not planned for (vllm-project/vllm#1532, #5907)."""

OUR_SCORES_AT_ONCE: Final = 4
"""The same on a server of ours, whose steps are small (`max_num_batched_tokens`) however many
requests share them."""

OPENING_PATIENCE_S: Final = 60.0
"""How long a server that does not answer is waited for when its model is opened."""

TOUCH_S: Final = 30.0
"""How often a server of ours is told that it is needed."""


async def open_vllm(config: EngineConfig) -> VllmEngine:
    """Reach the servers of a model, starting one where none is named, and see what they run.

    Raises:
        SettingsError: a value of `config` makes no sense, or the key is not in the environment.
        EngineError: no server answers, or it is not what was asked for.
    """
    if config.context < 0 or config.batch_size < 0:
        raise SettingsError("context and batch_size cannot be negative")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every request
    urls, key, model, ours = config.urls, _key(config), config.source, False
    facts: Mapping[str, str] = {}
    if not urls:
        from explorer.engines.vllm_server import ensure

        endpoint = await ensure(config)
        urls, key, model, ours = (endpoint.url,), endpoint.key, endpoint.model, True
        facts = endpoint.facts
    servers = Servers(
        [Server(url, key) for url in urls],
        {"sample": REQUESTS_AT_ONCE, "score": OUR_SCORES_AT_ONCE if ours else SCORES_AT_ONCE},
        note=_Log(config),
        patience_s=OPENING_PATIENCE_S,
    )
    engine = VllmEngine(servers, config, ours)
    try:
        await engine.load(model, facts)
    except BaseException:
        await engine.close()
        raise
    return engine


class VllmEngine:
    """A model on vLLM servers; keeps the contract of `explorer.engines.base.Engine`.

    Several jobs may run at a time; the servers batch them together.
    """

    def __init__(self, servers: Servers, config: EngineConfig, ours: bool) -> None:
        self._servers = servers
        self._config = config
        self._ours = ours
        self._model = ""
        self._text = ServedText(servers.ask, "")
        self._info: EngineInfo | None = None
        self._touched = 0.0

    @property
    def info(self) -> EngineInfo:
        assert self._info is not None, "the model is not loaded yet"
        return self._info

    async def load(self, wanted: str, facts: Mapping[str, str]) -> None:
        """Learn what the servers run and check that they answer as vLLM does.

        Args:
            wanted: the name that the servers give the model.
            facts: how a server of ours was started, to be kept with what is known of the model.
        """
        served = await served_model(self._servers, wanted)
        self._model = served.name
        self._text = ServedText(self._servers.ask, served.name)
        await self._text.prepare()

        async def check(server: Server) -> None:
            await check_answers(server, served.name, self._text)

        for server in self._servers.all:
            await self._servers.alone(server).run("", check, self._servers.trouble())
        info = await describe(self._servers, served, self._config, self._text, self._ours)
        images = await takes_images(self._servers, served.name)
        self._info = replace(info, facts={**info.facts, **facts}, images=images)
        self._servers.patience_s = PATIENCE_S

    async def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        """Render chat turns with the server's chat template if need be, and tokenise.

        Raises:
            EngineError: the model has no chat template, or it refuses these turns.
        """
        if not isinstance(prompt, str):
            if any(turn.images for turn in prompt):
                _refuse_images(self.info)
                return await encode_shown(self._servers, self._text, self._model, prompt)
            ids = await self._text.tokenised(chat_body(self._model, prompt))
            return RenderedPrompt(await self._text.detokenise(ids), tuple(ids))
        plain = await self._text.tokenise(prompt, False)
        ids = await self._text.tokenise(prompt, True)
        for start in range(len(ids) - len(plain) + 1):
            if ids[start : start + len(plain)] == plain:
                before, after = ids[:start], ids[start + len(plain) :]
                text = await self._names(before) + prompt + await self._names(after)
                return RenderedPrompt(text, tuple(ids))
        return RenderedPrompt(prompt, tuple(ids))

    async def retokenise(self, text: str) -> Tokens:
        """Tokenise a response text that came without ids."""
        ids = await self._text.tokenise(text, False)
        await self._text.learn(ids)
        pieces = self._text.pieces(ids)
        ends = ends_of_pieces(pieces, text.encode()) if ids else np.empty(0, np.int32)
        if ends is None:
            ends = aligned_ends(pieces, text)
        return Tokens(np.asarray(ids, np.int32), ends, None, exact=False)

    async def sample(self, job: SampleJob) -> AsyncGenerator[Progress | Sampled, None]:
        """Yield progress a few times a second and each completion once, as it finishes."""
        check_sample_job(self.info, job)
        if not job.indices:
            return
        most = per_request(
            job.sampling, len(job.indices), len(self._servers.all), self._config.batch_size
        )
        drawing = await self._drawing(job)
        news = drawing.run(most)
        try:
            async for item in news:
                self._touch()
                yield item
        finally:
            await news.aclose()

    async def score(self, job: ScoreJob) -> AsyncGenerator[Scored, None]:
        """Yield the scores of each response once, in bounded memory."""
        check_score_job(self.info, job)
        if self._config.adapter:
            refuse_scoring(self._config.adapter)
        scoring = await self._scoring(job)
        scored = scoring.run(self._servers.most("score"))
        try:
            async for item in scored:
                self._touch()
                yield item
        finally:
            await scored.aclose()

    async def close(self) -> None:
        """Close the connections. A server of ours goes on: it is stopped when idle, or asked to."""
        await self._servers.close()

    async def _drawing(self, job: SampleJob) -> Drawing:
        given = (job, self._servers, self._text, self._model, self.info.context)
        if not job.images:
            return Drawing(*given)
        _refuse_images(self.info)
        drawing = ImageDrawing(*given)
        drawing.show(await shown_prompt(self._text, job))
        return drawing

    async def _scoring(self, job: ScoreJob) -> Scoring:
        given = (job, self._servers, self._text, self._model, self.info)
        if not job.images:
            return Scoring(*given)
        _refuse_images(self.info)
        scoring = ImageScoring(*given)
        scoring.show(await shown_prompt(self._text, job))
        return scoring

    async def _names(self, ids: Sequence[int]) -> str:
        return await self._text.detokenise(ids) if ids else ""

    def _touch(self) -> None:
        now = time.monotonic()
        if self._ours and now - self._touched >= TOUCH_S:
            from explorer.engines.vllm_server import touch

            self._touched = now
            touch(self._config)


class _Log:
    """Writes what goes wrong on the way to a server into the model's log, which Runs shows."""

    def __init__(self, config: EngineConfig) -> None:
        self._path = config.log_path

    def __call__(self, line: str) -> None:
        if self._path is None:
            return
        stamp = datetime.datetime.now().isoformat(" ", "seconds")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")


def _key(config: EngineConfig) -> str:
    if not config.api_key_env:
        return ""
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        raise SettingsError(
            f"The environment variable {config.api_key_env} is not set",
            "It should hold the key of this model's vLLM server (api_key_env).",
            "Set it where rlvr-explorer is started, and stop a sampler that was started without.",
        )
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"What {config.api_key_env} holds cannot be a key")
    return key


def _refuse_images(info: EngineInfo) -> None:
    if not info.images:
        raise EngineError(
            "This vLLM server takes no images",
            "Its model has no vision part, or the route for token ids with images is not open.",
            "A server of a vision-language model needs --enable-scale-out.",
        )

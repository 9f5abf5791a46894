"""An engine without a model: for tests of what surrounds engines.

What it draws is a function of (checkpoint, seed, index) only, as the contract asks, so a test can
tell whether a completion was redrawn, lost or swapped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import FinishReason, Tokens, TokenScores
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
from explorer.errors import EngineError

CONTEXT = 512
EOS = 256


@dataclass
class Script:
    """What the fake engines of a test do, and what was asked of them.

    Attributes:
        step_s: time that each of a completion's three steps takes.
        broken: sources that cannot be loaded.
        crashes: source -> how many of its next jobs crash after their first completion.
        rates: source -> how often it says 7; without one, it says 7 or 8 as `text_of` has it.
        jobs_at_once: how many jobs it says to gain from side by side.
        gate: when set, jobs wait for it before each completion.
        log: 'open x', 'sample x [..]', 'score x n', 'dropped x', 'close x', in order.
    """

    step_s: float = 0.0
    broken: set[str] = field(default_factory=set)
    crashes: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    jobs_at_once: int = 1
    gate: asyncio.Event | None = None
    log: list[str] = field(default_factory=list)

    async def open(self, config: EngineConfig) -> FakeEngine:
        name = Path(config.source).name
        self.log.append(f"open {name}")
        await asyncio.sleep(0)
        if name in self.broken:
            raise EngineError("The folder holds no model", config.source, "Name another folder.")
        return FakeEngine(name, self)


async def open_slow(config: EngineConfig) -> FakeEngine:
    """For processes: a real pace, no script."""
    return await Script(step_s=0.004).open(config)


def info(name: str) -> EngineInfo:
    return EngineInfo(
        engine="fake",
        version="1",
        dtype="float32",
        device="cpu",
        checkpoint=f"local:{name}",
        tokenizer="bytes",
        context=CONTEXT,
        vocab_size=257,
        eos_ids=(EOS,),
        parameters=0,
    )


def spec(name: str, template: str, sampling: Sampling) -> ArmSpec:
    return ArmSpec(f"local:{name}", "bytes", template, sampling, CONTEXT, "fake", "float32")


def text_of(name: str, seed: int, index: int) -> str:
    """What the model of this name draws at (seed, index)."""
    rng = Random(f"{name}/{seed}/{index}")
    return f" I say {rng.randrange(10**6)}, so the answer is \\boxed{{{rng.choice((7, 8))}}}."


def tokens_of(text: str) -> Tokens:
    data = text.encode()
    ids = np.array([*data, EOS], dtype=np.int32)
    ends = np.array([*range(1, len(data) + 1), len(data)], dtype=np.int32)
    logprobs = -np.linspace(0.1, 2.0, len(ids), dtype=np.float32)
    return Tokens(ids, ends, logprobs)


class FakeEngine:
    """Keeps the contract of `explorer.engines.base.Engine`."""

    def __init__(self, name: str, script: Script) -> None:
        self.name = name
        self.script = script
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return replace(info(self.name), jobs_at_once=self.script.jobs_at_once)

    async def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        text = prompt if isinstance(prompt, str) else "".join(turn.content for turn in prompt)
        return RenderedPrompt(text, tuple(text.encode()))

    async def retokenise(self, text: str) -> Tokens:
        data = text.encode()
        ends = np.arange(1, len(data) + 1, dtype=np.int32)
        return Tokens(np.array([*data], dtype=np.int32), ends, None, exact=False)

    async def sample(self, job: SampleJob) -> AsyncGenerator[Progress | Sampled, None]:
        self.script.log.append(f"sample {self.name} {list(job.indices)}")
        finished = False
        try:
            for index in job.indices:
                async for event in self._draw(job.seed, index):
                    yield event
                self._maybe_crash()
            finished = True
        finally:
            if not finished:
                self.script.log.append(f"dropped {self.name}")

    async def _draw(self, seed: int, index: int) -> AsyncGenerator[Progress | Sampled, None]:
        text = text_of(self.name, seed, index)
        if self.name in self.script.rates:
            right = Random(f"{self.name}/{seed}/{index}").random() < self.script.rates[self.name]
            text = f" \\boxed{{{7 if right else 8}}}"
        for part in (1, 2):
            yield Progress(index, text[: part * 6], part * 6)
            await asyncio.sleep(self.script.step_s)
        if self.script.gate is not None:
            await self.script.gate.wait()
        await asyncio.sleep(self.script.step_s)
        yield Sampled(index, text, tokens_of(text), FinishReason.STOP)

    def _maybe_crash(self) -> None:
        if self.script.crashes.get(self.name, 0) > 0:
            self.script.crashes[self.name] -= 1
            raise EngineError("The engine's process ended", self.name, "It was killed.")

    async def score(self, job: ScoreJob) -> AsyncGenerator[Scored, None]:
        self.script.log.append(f"score {self.name} {len(job.responses)}")
        for position, response in enumerate(job.responses):
            n = len(response)
            if self.script.gate is not None:
                await self.script.gate.wait()
            await asyncio.sleep(self.script.step_s)
            yield Scored(
                position,
                TokenScores(
                    logprobs=np.full(n, -1.5, np.float32),
                    ranks=np.ones(n, np.int32),
                    entropies=np.full(n, 0.5, np.float32),
                    top_ids=np.full((n, job.top), 65, np.int32),
                    top_logprobs=np.full((n, job.top), -2.0, np.float32),
                    top_texts=[["A"] * job.top for _ in range(n)],
                ),
            )

    async def close(self) -> None:
        if not self.closed:
            self.script.log.append(f"close {self.name}")
        self.closed = True

"""Finds the temperature at which a model's samples are as varied, token by token, as another's.

The measure is the mean of -ln p of the tokens that were drawn, p at the temperature that they were
drawn with and before any truncation: for untruncated settings that estimates the entropy of the
model's own next-token distribution while it samples. Source: the paper, appendix on entropy.

Invariant: every temperature is tried with the same seeds, so that what is compared is the
temperature and not luck.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np

from explorer.core.arm import Sampling, cell_seed
from explorer.core.prompts import RenderedPrompt
from explorer.engines.base import Engine, Progress, Sampled, SampleJob, Scored, ScoreJob
from explorer.errors import EngineError

COLDEST: Final = 0.05
HOTTEST: Final = 3.0
STEPS: Final = 8
"""Halvings of that range, on a logarithmic scale: to about 1.6 % of the temperature."""


@dataclass(frozen=True, slots=True)
class Entropy:
    """A measurement: nats a token, the standard error over completions, and what it rests on."""

    mean: float
    error: float
    tokens: int


async def measure(
    engine: Engine, prompts: Sequence[RenderedPrompt], sampling: Sampling, seed: int, each: int
) -> Entropy:
    """The entropy of a model on some prompts, from `each` completions of each.

    Raises:
        EngineError: the engine does not see the whole distribution.
    """
    sums: list[float] = []
    lengths: list[int] = []
    for prompt in prompts:
        own = cell_seed(seed, "entropy", prompt.digest)
        indices = tuple(range(each))
        job = SampleJob(prompt.ids, sampling, own, indices, prompt.images, prompt.text)
        drawn = await _drawn(engine, job)
        responses = tuple(tuple(one.tokens.ids.tolist()) for one in drawn if len(one.tokens))
        if not responses:
            continue
        scoring = ScoreJob(prompt.ids, responses, 0, prompt.images, prompt.text, sampling=sampling)
        scored = cast("AsyncGenerator[Scored, None]", engine.score(scoring))
        async with aclosing(scored) as events:
            async for event in events:
                if event.truncation is None:
                    raise EngineError(
                        "This engine cannot tell the entropy at another temperature",
                        f"{engine.info.engine} gives the most likely tokens, not all of them.",
                        "Use engine = 'transformers' for this model.",
                    )
                tempered = event.truncation.tempered.astype(np.float64)
                sums.append(float(-tempered.sum()))
                lengths.append(len(tempered))
    return _entropy(sums, lengths)


async def match(
    at: Callable[[float], Awaitable[Entropy]],
    target: float,
    *,
    steps: int = STEPS,
    tell: Callable[[float, Entropy], None] = lambda temperature, found: None,
) -> tuple[float, Entropy]:
    """The temperature at which `at` gives `target`, by bisection of its logarithm.

    Raises:
        EngineError: it lies outside of `COLDEST` to `HOTTEST`.
    """
    low, high = math.log(COLDEST), math.log(HOTTEST)
    best: tuple[float, Entropy] | None = None
    for _ in range(steps):
        middle = (low + high) / 2
        temperature = round(math.exp(middle), 3)
        found = await at(temperature)
        tell(temperature, found)
        if best is None or abs(found.mean - target) < abs(best[1].mean - target):
            best = temperature, found
        low, high = (middle, high) if found.mean < target else (low, middle)
    assert best is not None
    if abs(best[1].mean - target) > max(0.1 * target, 3 * best[1].error):
        raise EngineError(
            "No temperature gives that entropy",
            f"The nearest is {best[1].mean:.3f} nats a token at T {best[0]:g}, not {target:.3f}.",
            f"Tried from {COLDEST:g} to {HOTTEST:g}.",
        )
    return best


def suggested(sampling: Sampling, temperature: float) -> Sampling:
    """The same settings at that temperature."""
    return replace(sampling, temperature=temperature)


async def _drawn(engine: Engine, job: SampleJob) -> list[Sampled]:
    stream = cast("AsyncGenerator[Progress | Sampled, None]", engine.sample(job))
    async with aclosing(stream) as events:
        return [event async for event in events if isinstance(event, Sampled)]


def _entropy(sums: Sequence[float], lengths: Sequence[int]) -> Entropy:
    """Mean over tokens; its error by the ratio estimator over completions, which are independent.

    Raises:
        EngineError: nothing was drawn.
    """
    tokens = sum(lengths)
    if not tokens:
        raise EngineError("Nothing was drawn", "Every completion was empty.", "")
    mean = math.fsum(sums) / tokens
    rest = [total - mean * length for total, length in zip(sums, lengths, strict=True)]
    n = len(rest)
    spread = math.fsum(one * one for one in rest) / max(1, n - 1)
    return Entropy(mean, math.sqrt(n * spread) / tokens, tokens)

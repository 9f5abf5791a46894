"""Whether a sampler could have drawn each token, against brute force on the bundled base model.

An engine that sees the whole distribution must agree on every token; from one that does not, bounds
are worked out, and they must never contradict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.support import State, Support, bounded, plain
from explorer.engines.base import Engine, Sampled, SampleJob, Scored, ScoreJob
from tests.contract.conftest import BUNDLED, Reference

pytestmark = pytest.mark.asyncio(loop_scope="session")

Floats = NDArray[np.float64]

PROMPT = (
    "Question: Ann has 12 apples. She gives away 5 and buys 9. How many does she have?\nAnswer:"
)
SAMPLINGS = (
    Sampling(0.6, top_p=0.95),
    Sampling(1.0, top_p=0.8),
    Sampling(1.3, top_p=0.9, top_k=30),
    Sampling(0.8, top_k=4),
    Sampling(0.5),
    Sampling(0.0),
)
EDGE = 1e-4
"""Shares of probability within this of top-p are not decided by float32 models."""


@pytest.fixture(scope="module")
def truth() -> Reference:
    pytest.importorskip("transformers", reason="brute force needs transformers")
    if not (BUNDLED / "config.json").is_file():
        pytest.skip("sample_data/models/base is not there")
    return Reference(BUNDLED)


async def score(
    engine: Engine, responses: Sequence[Sequence[int]], sampling: Sampling
) -> list[Scored]:
    prompt = (await engine.encode(PROMPT)).ids
    job = ScoreJob(prompt, tuple(map(tuple, responses)), 10, sampling=sampling)
    found = [item async for item in engine.score(job)]
    return sorted(found, key=lambda item: item.position)


async def draw(engine: Engine, sampling: Sampling, n: int) -> list[list[int]]:
    prompt = (await engine.encode(PROMPT)).ids
    job = SampleJob(prompt, sampling, 5, tuple(range(n)))
    done = [item async for item in engine.sample(job) if isinstance(item, Sampled)]
    return [item.tokens.ids.tolist() for item in done]


def support_of(item: Scored, vocabulary: int, sampling: Sampling) -> Support:
    """As the views make it of what is stored."""
    if item.truncation is not None:
        return item.truncation.support(item.scores.ranks, sampling)
    return bounded(item.scores, vocabulary, sampling)


def brute_force(logprobs: Floats, token: int, sampling: Sampling) -> tuple[bool, float, float]:
    """(inside, ln q, distance of the mass above from top-p), the long way, by sorting all."""
    order = np.argsort(-logprobs, kind="stable")
    if sampling.temperature == 0:
        return bool(order[0] == token), 0.0, 1.0
    weights = np.exp((logprobs - logprobs.max()) / sampling.temperature)
    weights /= weights.sum()
    left = order[: sampling.top_k] if sampling.top_k else order
    whole = weights[left].sum()
    running, kept = 0.0, []
    for one in left:
        if sampling.top_p < 1 and running / whole >= sampling.top_p:
            break
        kept.append(int(one))
        running += weights[one]
    above = weights[left][weights[left] > weights[token]].sum() / whole
    inside = token in kept
    drawn = np.log(weights[token] / weights[kept].sum()) if inside else -np.inf
    margin = abs(above - sampling.top_p) if sampling.top_p < 1 else 1.0
    return inside, float(drawn), float(margin)


def is_tied(logprobs: Floats, token: int, sampling: Sampling) -> bool:
    """Whether top-k (or greedy) had to choose between this token and one as likely."""
    if sampling.top_k == 0 and sampling.temperature > 0:
        return False
    last = max(sampling.top_k, 1)
    best = np.sort(logprobs)[::-1][last - 1 : last + 1]
    return bool(best[0] - best[1] < 1e-3 and np.abs(best - logprobs[token]).min() < 1e-3)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda one: one.label())
async def test_verdicts_agree_with_brute_force(
    bundled_engine: Engine, truth: Reference, sampling: Sampling
) -> None:
    """On the base's own samples and on tokens that no sampler would have drawn."""
    prompt = (await bundled_engine.encode(PROMPT)).ids
    vocabulary = truth.logprobs(prompt, [1]).shape[1]
    rng = np.random.default_rng(2)
    responses = await draw(bundled_engine, Sampling(1.2, max_tokens=60), 3)
    responses += [rng.integers(0, vocabulary, length).tolist() for length in (1, 40)]
    compared = decided = 0
    for item in await score(bundled_engine, responses, sampling):
        ids = responses[item.position]
        found = support_of(item, vocabulary, sampling)
        full = truth.logprobs(prompt, ids)[:-1]
        assert (item.truncation is not None) == (bundled_engine.info.engine == "transformers")
        for t, token in enumerate(ids):
            inside, drawn, margin = brute_force(full[t], token, sampling)
            if margin < EDGE or is_tied(full[t], token, sampling):
                continue
            compared += 1
            if found.states[t] == State.UNDECIDED:
                assert item.truncation is None, "the whole distribution decides"
                continue
            decided += 1
            assert (found.states[t] == State.INSIDE) == inside
            if inside:
                assert found.lower[t] - 2e-3 <= drawn <= found.upper[t] + 2e-3
            if inside and item.truncation is not None:
                assert found.lower[t] == pytest.approx(drawn, abs=2e-3)
    assert decided > 0.6 * compared > 60


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda one: one.label())
async def test_what_a_sampler_drew_is_inside_its_own_support(
    bundled_engine: Engine, sampling: Sampling
) -> None:
    cut = Sampling(sampling.temperature, sampling.top_p, sampling.top_k, 80)
    drawn = await draw(bundled_engine, cut, 8)
    for item in await score(bundled_engine, drawn, cut):
        found = support_of(item, bundled_engine.info.vocab_size, cut)
        assert found.outside == 0
        if item.truncation is not None and sampling.top_p == 1:
            assert found.undecided == 0


async def test_the_plain_sampler_draws_with_the_raw_probabilities(bundled_engine: Engine) -> None:
    drawn = await draw(bundled_engine, Sampling(1.0, max_tokens=40), 2)
    job = await score(bundled_engine, drawn, Sampling(1.0))
    for item in job:
        found = plain(item.scores.logprobs)
        assert found.outside == 0
        np.testing.assert_allclose(found.lower, item.scores.logprobs, atol=1e-6)
        if item.truncation is not None:
            measured = item.truncation.support(item.scores.ranks, Sampling(1.0))
            np.testing.assert_allclose(measured.lower, found.lower, atol=1e-4)


async def test_without_a_sampler_nothing_is_measured(bundled_engine: Engine) -> None:
    prompt = (await bundled_engine.encode(PROMPT)).ids
    job = ScoreJob(prompt, ((5, 6, 7), ()), 3)
    found = [item async for item in bundled_engine.score(job)]
    assert [item.truncation for item in found] == [None, None]
    asked = ScoreJob(prompt, ((), (5, 6, 7)), 3, sampling=SAMPLINGS[0])
    both = [item async for item in bundled_engine.score(asked)]
    lengths = {item.position: item.truncation for item in both}
    if bundled_engine.info.engine == "transformers":
        assert {place: len(one or ()) for place, one in lengths.items()} == {0: 0, 1: 3}

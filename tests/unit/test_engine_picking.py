"""The picker: which tokens top-k and top-p keep, and where its random numbers come from."""

# ruff: noqa: E402 (without the extra this file is skipped before it imports more)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from explorer.core.arm import Sampling
from explorer.engines.hf_picking import UniformStreams, pick

CUTS = [
    (1.0, 1.0, 0),
    (0.6, 0.95, 0),
    (1.5, 0.999, 0),
    (1.0, 1.0, 7),
    (0.8, 0.5, 50),
    (1, 0.9, 300),
]


def warped(logits: Any, temperature: float, top_p: float, top_k: int) -> Any:
    """What the library's own warpers make of the distribution."""
    scores = TemperatureLogitsWarper(float(temperature))(None, logits)
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    return scores.double().softmax(-1)


@pytest.mark.parametrize(("temperature", "top_p", "top_k"), CUTS)
@pytest.mark.parametrize("vocabulary", [40, 2000])
@pytest.mark.parametrize("spread", [0.3, 4.0])
def test_each_token_gets_its_share_of_the_unit_interval(
    temperature: float, top_p: float, top_k: int, vocabulary: int, spread: float
) -> None:
    """A fine comb of uniform numbers measures the drawn distribution directly."""
    logits = spread * torch.randn(1, vocabulary, generator=torch.Generator().manual_seed(1))
    teeth = 4_000
    uniform = (torch.arange(teeth, dtype=torch.float64) + 0.5) / teeth
    sampling = Sampling(temperature, top_p, top_k)
    tokens = torch.cat(
        [pick(logits.expand(len(part), -1), part, sampling)[0] for part in uniform.split(2000)]
    )
    share = torch.bincount(tokens, minlength=vocabulary) / teeth
    expected = warped(logits, temperature, top_p, top_k)[0]
    assert float((share - expected).abs().max()) < 2 / teeth


def test_logprobs_are_raw_whatever_is_cut() -> None:
    logits = 3 * torch.randn(8, 500)
    uniform = torch.rand(8, dtype=torch.float64)
    for sampling in (Sampling(), Sampling(0.3, 0.5), Sampling(0), Sampling(2.0, top_k=3)):
        tokens, logprobs = pick(logits, uniform, sampling)
        raw = logits.log_softmax(-1).gather(1, tokens[:, None]).squeeze(1)
        torch.testing.assert_close(logprobs, raw, atol=1e-5, rtol=0)


def test_equal_logits_are_kept_or_cut_together() -> None:
    logits = torch.zeros(1, 400)
    logits[0, 100:103] = 5.0
    uniform = torch.linspace(0, 1 - 1e-9, 50, dtype=torch.float64)
    tokens, _ = pick(logits.expand(50, -1), uniform, Sampling(top_k=2))
    assert set(tokens.tolist()) == {100, 101, 102}


def test_the_ends_of_the_interval_are_tokens_that_can_be_drawn() -> None:
    logits = torch.full((2, 10), -torch.inf)
    logits[:, 3:6] = torch.tensor([0.0, 1.0, 0.0])
    uniform = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert pick(logits, uniform, Sampling())[0].tolist() == [3, 5]


def test_streams_belong_to_seed_and_index() -> None:
    streams = UniformStreams(5, [0, 1, 2])
    drawn = np.array([streams.next() for _ in range(300)])
    assert len(np.unique(drawn)) == drawn.size
    alone = UniformStreams(5, [2])
    np.testing.assert_array_equal([alone.next()[0] for _ in range(300)], drawn[:, 2])
    other = UniformStreams(6, [2])
    assert other.next()[0] != drawn[0, 2]
    streams = UniformStreams(5, [0, 1, 2])
    early = [streams.next() for _ in range(100)]
    streams.keep(np.array([2]))
    late = [streams.next()[0] for _ in range(200)]
    np.testing.assert_array_equal([*(row[2] for row in early), *late], drawn[:, 2])

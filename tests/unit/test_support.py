"""Support of a trace: bounds from the best K against the whole distribution."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import TokenScores
from explorer.core.support import State, Support, Truncation, bounded, exact, is_plain, plain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLINGS = [
    Sampling(1.0),
    Sampling(1.0, top_p=0.9),
    Sampling(0.6, top_p=0.95),
    Sampling(0.6, top_p=0.95, top_k=20),
    Sampling(1.5, top_p=0.8),
    Sampling(0.3),
    Sampling(1.0, top_k=3),
    Sampling(0.8, top_p=0.7, top_k=4),
    Sampling(0.0),
]


def kept_set(logits: Floats, sampling: Sampling) -> tuple[Floats, list[int]]:
    """Ids that the sampler keeps, and the distribution over them: written the long way."""
    if sampling.temperature == 0:
        best = int(logits.argmax())
        return np.eye(len(logits))[best], [best]
    scaled = logits / sampling.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    kept, before = [], 0.0
    for token in order:
        if sampling.top_p < 1 and before >= sampling.top_p:
            break
        kept.append(int(token))
        before += p[token] / p[order].sum()
    return p, kept


def measured(logits: Floats, targets: Ints, sampling: Sampling) -> Support:
    """What an engine with the whole distribution reports."""
    rows = []
    for line, token in zip(logits, targets, strict=True):
        p, kept = kept_set(line, sampling)
        rank = 1 + int((line > line[token]).sum())
        with np.errstate(divide="ignore"):
            own = np.log(p[token])
        left = np.sort(p)[::-1][: sampling.top_k or None]
        rows.append((own, left[left > p[token]].sum() / left.sum(), rank, p[kept].sum()))
    tempered, above, ranks, mass = map(np.array, zip(*rows, strict=True))
    return exact(tempered, above, ranks.astype(np.int32), mass, sampling)


def best_k(logits: Floats, targets: Ints, k: int) -> TokenScores:
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    order = np.argsort(-logs, axis=1, kind="stable")[:, :k]
    return TokenScores(
        logs[np.arange(len(targets)), targets].astype(np.float32),
        np.array(
            [1 + (row > row[t]).sum() for row, t in zip(logs, targets, strict=True)], np.int32
        ),
        np.zeros(len(targets), np.float32),
        order.astype(np.int32),
        np.take_along_axis(logs, order, 1).astype(np.float32),
        [[""] * k for _ in targets],
    )


def invented(seed: int, vocabulary: int = 200, length: int = 60) -> tuple[Floats, Ints]:
    random = np.random.default_rng(seed)
    logits = random.normal(0, random.uniform(0.5, 5), (length, vocabulary))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = [
        int(random.choice(vocabulary, p=row))
        if random.random() < 0.7
        else int(random.integers(200))
        for row in p
    ]
    return logits, np.array(targets)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s.label())
@pytest.mark.parametrize("seed", range(6))
def test_the_exact_state_is_membership_of_the_kept_set(seed: int, sampling: Sampling) -> None:
    logits, targets = invented(seed)
    support = measured(logits, targets, sampling)
    for t, (line, token) in enumerate(zip(logits, targets, strict=True)):
        p, kept = kept_set(line, sampling)
        assert (support.states[t] == State.INSIDE) == (token in kept)
        if token in kept:
            assert support.lower[t] == pytest.approx(np.log(p[token] / p[kept].sum()), abs=1e-9)


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s.label())
@pytest.mark.parametrize("seed", range(6))
def test_bounds_never_contradict_the_whole_distribution(
    seed: int, sampling: Sampling, k: int
) -> None:
    logits, targets = invented(seed)
    truth, found = measured(logits, targets, sampling), bounded(
        best_k(logits, targets, k), logits.shape[1], sampling
    )  # fmt: skip
    settled = found.states != State.UNDECIDED
    assert (found.states[settled] == truth.states[settled]).all()
    inside = truth.states == State.INSIDE
    assert (found.lower[inside] <= truth.lower[inside] + 1e-5).all()
    assert (found.upper[inside] >= truth.upper[inside] - 1e-5).all()


def test_twenty_alternatives_settle_nearly_everything_where_a_model_is_sure() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 1, (400, 1000))
    logits[np.arange(400), random.integers(0, 1000, 400)] += 12
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.array([random.choice(1000, p=row) for row in p])
    found = bounded(best_k(logits, targets, 20), 1000, Sampling(0.6, top_p=0.95))
    assert found.undecided <= 4


def test_without_a_known_vocabulary_a_bound_still_holds() -> None:
    logits, targets = invented(3)
    for sampling in SAMPLINGS:
        truth = measured(logits, targets, sampling)
        found = bounded(best_k(logits, targets, 5), 0, sampling)
        settled = found.states != State.UNDECIDED
        assert (found.states[settled] == truth.states[settled]).all()


def test_the_headline() -> None:
    q = np.log([0.5, 0.1, 0.2])
    support = Support(np.array([1, 1, 1], np.int8), q, q)
    assert support.first_outside is None
    assert support.log10_samples() == pytest.approx((2.0, 2.0))
    assert support.survival()[0] == pytest.approx(np.log10([0.5, 0.05, 0.01]))
    q = np.array([math.log(0.5), -math.inf, math.log(0.2)])
    support = Support(np.array([1, 0, 1], np.int8), q, q)
    assert (support.first_outside, support.outside) == (1, 1)
    assert support.log10_samples() == (math.inf, math.inf)
    assert support.survival()[1][1:].tolist() == [-math.inf, -math.inf]


def test_an_empty_trace_costs_one_sample() -> None:
    nothing = np.empty(0)
    support = Support(np.empty(0, np.int8), nothing, nothing)
    assert support.log10_samples() == (0.0, 0.0)
    assert support.first_outside is None


def truncation(logits: Floats, targets: Ints, sampling: Sampling) -> tuple[Truncation, Ints]:
    """What an engine that sees everything reports, in float32, and the ranks."""
    rows, ranks = [], []
    for line, token in zip(logits, targets, strict=True):
        p, kept = kept_set(line, sampling)
        order = np.sort(line)[::-1]
        edge = order[0] if sampling.temperature == 0 else order[max(sampling.top_k, 1) - 1]
        cut = sampling.temperature == 0 or sampling.top_k > 0
        left = np.sort(p)[::-1][: sampling.top_k or None]
        above = left[left > p[token]].sum() / left.sum()
        with np.errstate(divide="ignore"):
            rows.append((np.log(p[token]), above, p[kept].sum(), edge - line[token] if cut else 0))
        ranks.append(1 + int((line > line[token]).sum()))
    parts = [np.array(part, np.float32) for part in zip(*rows, strict=True)]
    return Truncation(*parts), np.array(ranks)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s.label())
def test_what_an_engine_measures_in_float32_is_the_exact_support(sampling: Sampling) -> None:
    logits, targets = invented(4)
    found, ranks = truncation(logits, targets, sampling)
    support, truth = found.support(ranks.astype(np.int32), sampling), measured(
        logits, targets, sampling
    )  # fmt: skip
    assert support.undecided <= 1
    settled = support.states != State.UNDECIDED
    assert (support.states[settled] == truth.states[settled]).all()
    np.testing.assert_allclose(support.lower[settled], truth.lower[settled], atol=1e-4)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s.label())
@pytest.mark.parametrize("size", [0.02, 0.1])
def test_noise_never_puts_a_token_further_outside_than_its_own_size_says(
    sampling: Sampling, size: float
) -> None:
    """What was inside before the logits shook is outside by no more than the noise allows."""
    logits, targets = invented(5)
    ranks = np.array([1 + (row > row[t]).sum() for row, t in zip(logits, targets, strict=True)])
    before = truncation(logits, targets, sampling)[0].support(ranks.astype(np.int32), sampling)
    shaken = logits + np.random.default_rng(6).uniform(-size, size, logits.shape)
    found, ranks = truncation(shaken, targets, sampling)
    after = found.support(ranks.astype(np.int32), sampling)
    put_out = (before.states == State.INSIDE) & (after.states == State.OUTSIDE)
    assert after.beyond is not None
    assert (after.beyond[put_out] <= 2 * size + 1e-4).all()
    assert (after.within_noise(2 * size + 1e-4) >= put_out).all()
    assert (after.beyond[after.states != State.OUTSIDE] == 0).all()


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: s.label())
def test_bounds_say_at_least_how_far_outside_a_token_is(sampling: Sampling) -> None:
    logits, targets = invented(2)
    found, ranks = truncation(logits, targets, sampling)
    truth = found.support(ranks.astype(np.int32), sampling)
    least = bounded(best_k(logits, targets, 20), logits.shape[1], sampling)
    assert truth.beyond is not None
    assert least.beyond is not None
    both = (truth.states == State.OUTSIDE) & (least.states == State.OUTSIDE)
    assert (least.beyond[both] <= truth.beyond[both] + 1e-3).all()


def test_the_plain_sampler() -> None:
    support = plain(np.array([-0.5, -9999.0, -np.inf, 0.0], np.float32))
    assert support.states.tolist() == [1, 0, 0, 1]
    assert support.beyond is not None
    assert support.beyond.tolist() == [0, np.inf, np.inf, 0]
    assert is_plain(Sampling(1.0))
    assert not is_plain(Sampling(1.0, top_k=5))

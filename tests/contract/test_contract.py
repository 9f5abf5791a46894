"""What every engine must do, whatever computes it: the contract of `explorer.engines.base`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import FinishReason
from explorer.core.prompts import Message
from explorer.engines.base import Engine, Progress, Sampled, SampleJob, Scored, ScoreJob
from explorer.errors import EngineError
from tests.contract.conftest import BUNDLED, Reference

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOLERANCE = 1e-4
PROMPT = "How many apples does Ann have now?"
ENDLESS = 100_000
"""More completions than any test has time for: only a cancellation ends such a job."""


async def draw(
    engine: Engine, sampling: Sampling, indices: Iterable[int], seed: int = 7, prompt: str = PROMPT
) -> dict[int, Sampled]:
    ids = (await engine.encode(prompt)).ids
    job = SampleJob(ids, sampling, seed, tuple(indices))
    done = [item async for item in engine.sample(job) if isinstance(item, Sampled)]
    assert sorted(item.index for item in done) == sorted(job.indices)
    return {item.index: item for item in done}


async def scores(
    engine: Engine, prompt: Sequence[int], responses: Sequence[Iterable[int]], top: int = 10
) -> list[Scored]:
    job = ScoreJob(tuple(prompt), tuple(tuple(map(int, ids)) for ids in responses), top)
    done = [item async for item in engine.score(job)]
    assert sorted(item.position for item in done) == list(range(len(responses)))
    return sorted(done, key=lambda item: item.position)


def p_value(drawn: Sequence[int], probabilities: NDArray[np.float64]) -> float:
    """Of a chi-square test; cells that expect fewer than five are pooled."""
    import torch

    expected = probabilities * len(drawn)
    observed = np.bincount(drawn, minlength=len(probabilities)).astype(float)
    if observed[probabilities == 0].any():
        return 0.0
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    observed = np.append(observed[~rare], observed[rare].sum())
    expected, observed = expected[expected > 0], observed[expected > 0]
    statistic = float(((observed - expected) ** 2 / expected).sum())
    freedom = torch.tensor((len(expected) - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(freedom, torch.tensor(statistic / 2).double()))


def filtered(logprobs: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """The distribution that temperature, top-k and top-p make, straight from their definitions."""
    weights = np.exp(logprobs / sampling.temperature)
    order = np.argsort(-weights)
    if sampling.top_k:
        weights[order[sampling.top_k :]] = 0
    weights /= weights.sum()
    before = np.cumsum(weights[order]) - weights[order]
    weights[order[before >= sampling.top_p]] = 0
    kept: NDArray[np.float64] = weights / weights.sum()
    return kept


class TestScores:
    async def test_agree_with_a_plain_forward_pass(
        self, engine: Engine, reference: Reference
    ) -> None:
        """Also across slices of positions and rows of very different length."""
        prompt = (await engine.encode(PROMPT)).ids
        rng = np.random.default_rng(1)
        vocabulary = engine.info.vocab_size
        responses = [rng.integers(0, vocabulary, length) for length in (1, 480, 33, 2, 300, 150)]
        responses += [rng.integers(0, vocabulary, 40) for _ in range(40)]
        for item in await scores(engine, prompt, responses):
            ids = responses[item.position]
            truth = reference.logprobs(prompt, ids.tolist())[:-1]
            own = truth[np.arange(len(ids)), ids]
            found = item.scores
            np.testing.assert_allclose(found.logprobs, own, atol=TOLERANCE)
            entropies = -(np.exp(truth) * truth).sum(1)
            if engine.info.engine == "vllm":  # it does not tell the entropy
                assert np.isnan(found.entropies).all()
            else:
                np.testing.assert_allclose(found.entropies, entropies, atol=TOLERANCE)
            best = -np.sort(-truth, axis=1)[:, :10]
            np.testing.assert_allclose(found.top_logprobs, best, atol=TOLERANCE)
            # A rank may differ only where another token is as likely, within the tolerance.
            above = (truth > own[:, None] + TOLERANCE).sum(1)
            level = (truth > own[:, None] - TOLERANCE).sum(1)
            assert ((above + 1 <= found.ranks) & (found.ranks <= level)).all()

    async def test_of_a_sampled_completion_are_its_own_logprobs(self, engine: Engine) -> None:
        sampling = Sampling(temperature=0.8, top_p=0.9, max_tokens=300)
        done = await draw(engine, sampling, range(24))
        prompt = (await engine.encode(PROMPT)).ids
        items = await scores(engine, prompt, [done[i].tokens.ids.tolist() for i in range(24)])
        for item in items:
            drawn = done[item.position].tokens.logprobs
            assert drawn is not None
            np.testing.assert_allclose(item.scores.logprobs, drawn, atol=TOLERANCE)

    async def test_ranks_count_from_one_and_alternatives_are_best_first(
        self, engine: Engine
    ) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        greedy = await draw(engine, Sampling(temperature=0, max_tokens=12), [0])
        ids = greedy[0].tokens.ids
        (item,) = await scores(engine, prompt, [ids.tolist()], top=4)
        assert item.scores.ranks.tolist() == [1] * len(ids)
        assert item.scores.top_ids[:, 0].tolist() == ids.tolist()
        assert item.scores.top_ids.shape == item.scores.top_logprobs.shape == (len(ids), 4)
        assert [len(texts) for texts in item.scores.top_texts] == [4] * len(ids)
        np.testing.assert_array_equal(item.scores.top_logprobs[:, 0], item.scores.logprobs)

    async def test_without_alternatives_and_without_tokens(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        empty, two = await scores(engine, prompt, [(), (8, 9)], top=0)
        assert len(empty.scores.logprobs) == 0
        assert empty.scores.top_ids.shape == (0, 0)
        assert two.scores.top_ids.shape == (2, 0)
        assert two.scores.top_texts == [[], []]
        assert np.isfinite(two.scores.logprobs).all()
        assert two.scores.entropies.shape == (2,)

    async def test_of_what_is_too_long_are_refused(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        with pytest.raises(EngineError, match="too long"):
            await scores(engine, prompt, [[9] * engine.info.context])

    async def test_of_foreign_ids_are_refused(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        with pytest.raises(EngineError, match="vocabulary"):
            await scores(engine, prompt, [[engine.info.vocab_size]])


class TestDraws:
    @pytest.mark.parametrize(
        "sampling",
        [
            Sampling(max_tokens=1),
            Sampling(temperature=0.7, top_p=0.9, max_tokens=1),
            Sampling(temperature=1.3, top_k=5, max_tokens=1),
            Sampling(temperature=0.9, top_k=20, top_p=0.8, max_tokens=1),
        ],
        ids=Sampling.label,
    )
    async def test_follow_the_distribution(
        self, engine: Engine, reference: Reference, sampling: Sampling
    ) -> None:
        """First tokens of a fixed seed against the model's own probabilities, filtered."""
        prompt = (await engine.encode(PROMPT)).ids
        done = await draw(engine, sampling, range(3000), seed=11)
        first = [int(item.tokens.ids[0]) for item in done.values()]
        logprobs = reference.logprobs(prompt, [])[0]
        assert p_value(first, filtered(logprobs, sampling)) > 1e-3
        # The test would notice another distribution.
        other = Sampling(temperature=sampling.temperature * 1.3)
        assert p_value(first, filtered(logprobs, other)) < 1e-6

    async def test_depend_on_seed_and_index_alone(self, engine: Engine) -> None:
        sampling = Sampling(temperature=0.9, max_tokens=60)
        together = await draw(engine, sampling, range(40))
        alone = await draw(engine, sampling, [33])
        topping_up = await draw(engine, sampling, [39, 2, 17, 1000])
        for index, item in [*alone.items(), *topping_up.items()]:
            if index in together:
                assert item.text == together[index].text
                assert item.tokens.ids.tolist() == together[index].tokens.ids.tolist()

    async def test_differ_between_indices_and_between_seeds(self, engine: Engine) -> None:
        sampling = Sampling(max_tokens=40)
        done = await draw(engine, sampling, range(30))
        assert len({item.tokens.ids.tobytes() for item in done.values()}) == 30
        other = await draw(engine, sampling, range(30), seed=8)
        assert not {item.text for item in done.values()} & {
            i.text for i in other.values() if i.text
        }

    async def test_at_temperature_zero_are_the_likeliest(
        self, engine: Engine, reference: Reference
    ) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        greedy = await draw(engine, Sampling(temperature=0, max_tokens=30), [0, 1])
        ids = greedy[0].tokens.ids.tolist()
        assert greedy[1].tokens.ids.tolist() == ids
        assert reference.logprobs(prompt, ids).argmax(1)[: len(ids)].tolist() == ids


class TestEnds:
    async def test_eos_stops_and_stays_among_the_tokens(self, engine: Engine) -> None:
        done = await draw(engine, Sampling(max_tokens=400), range(60))
        stopped = [item for item in done.values() if item.finish is FinishReason.STOP]
        seen = {int(item.tokens.ids[-1]) for item in stopped}
        assert seen == set(engine.info.eos_ids)  # the tiny model has two, and both occur
        for item in stopped:
            before = set(item.tokens.ids[:-1].tolist())
            assert not before & set(engine.info.eos_ids)
        assert all(len(item.tokens) == 400 for item in done.values() if item not in stopped)

    async def test_max_tokens_cut(self, engine: Engine) -> None:
        done = await draw(engine, Sampling(max_tokens=3), range(20))
        cut = [item for item in done.values() if item.finish is FinishReason.LENGTH]
        assert cut
        assert all(len(item.tokens) == 3 for item in cut)

    async def test_the_context_cuts(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        done = await draw(engine, Sampling(max_tokens=10_000), range(40))
        room = engine.info.context - len(prompt)
        cut = [item for item in done.values() if item.finish is FinishReason.LENGTH]
        assert cut
        assert all(len(item.tokens) == room for item in cut)

    async def test_a_stop_string_is_cut_from_the_text_and_kept_in_the_tokens(
        self, engine: Engine
    ) -> None:
        whole = await draw(engine, Sampling(max_tokens=60), range(30))
        item = max(whole.values(), key=lambda item: len(item.text))
        stops = (item.text[20:23], "never in the text")
        cut = (await draw(engine, Sampling(max_tokens=60, stop=stops), range(30)))[item.index]
        assert cut.finish is FinishReason.STOP
        assert cut.text == item.text[: item.text.index(stops[0])]
        length = len(cut.tokens)
        assert length < len(item.tokens)
        assert cut.tokens.ids.tolist() == item.tokens.ids[:length].tolist()
        assert cut.tokens.ends[-1] == len(cut.text.encode())

    async def test_a_prompt_without_room_is_refused(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as caught:
            await draw(engine, Sampling(), [0], prompt=PROMPT * 100)
        assert "no room" in caught.value.title
        assert str(engine.info.context) in caught.value.detail
        assert await draw(engine, Sampling(max_tokens=2), [0])  # and the engine goes on


class TestText:
    async def test_spans_make_the_text(self, engine: Engine) -> None:
        """Random weights draw many broken characters; every byte still has its token."""
        done = await draw(engine, Sampling(temperature=1.5, max_tokens=80), range(40))
        assert any("\N{REPLACEMENT CHARACTER}" in item.text for item in done.values())
        for item in done.values():
            ends = item.tokens.ends
            assert len(ends) == len(item.tokens.ids)
            assert (np.diff(ends) >= 0).all()
            assert ends[-1] == len(item.text.encode())
            if int(item.tokens.ids[-1]) in engine.info.eos_ids:
                assert ends[-1] == (ends[-2] if len(ends) > 1 else 0)

    @pytest.mark.parametrize(
        "text", ["Ann has 3 apples", "二十四个苹果 😀 naïve\n\ttab", "😀" * 5, ""]
    )
    async def test_text_without_ids_is_tokenised(self, engine: Engine, text: str) -> None:
        tokens = await engine.retokenise(text)
        assert not tokens.exact
        assert tokens.logprobs is None
        ends = [0, *tokens.ends.tolist()]
        spans = [text.encode()[start:end] for start, end in pairwise(ends)]
        assert b"".join(spans) == text.encode()
        assert not set(tokens.ids.tolist()) & set(engine.info.eos_ids)

    async def test_chat_turns_are_rendered(self, engine: Engine) -> None:
        asked = await engine.encode([Message("system", "Think."), Message("user", "2 + 2?")])
        assert asked.text == "<|system|>Think.<|end|><|user|>2 + 2?<|end|><|assistant|>"
        prefilled = await engine.encode([Message("user", "2?"), Message("assistant", "It is")])
        assert prefilled.text == "<|user|>2?<|end|><|assistant|>It is"
        plain = await engine.encode(PROMPT)
        assert plain.text == PROMPT
        assert len(plain.ids) > 3

    async def test_progress_only_grows_towards_the_text(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        sampling = Sampling(max_tokens=480, stop=("\n7", "the end"))
        seen: dict[int, list[Progress]] = {}
        done: dict[int, Sampled] = {}
        async for item in engine.sample(SampleJob(prompt, sampling, 3, tuple(range(48)))):
            if isinstance(item, Sampled):
                done[item.index] = item
            else:
                assert item.index not in done
                seen.setdefault(item.index, []).append(item)
        assert seen
        for index, reports in seen.items():
            texts = [report.text for report in reports] + [done[index].text]
            assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
            counts = [report.n_tokens for report in reports] + [len(done[index].tokens)]
            assert counts == sorted(counts)


class TestWork:
    async def test_leaving_the_iterator_stops_it(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        job = SampleJob(prompt, Sampling(max_tokens=400), 3, tuple(range(ENDLESS)))
        async with contextlib.aclosing(engine.sample(job)) as stream:  # type: ignore[type-var]
            async for _ in stream:
                break
        assert len(await draw(engine, Sampling(max_tokens=4), range(3))) == 3

    async def test_cancelling_the_reader_stops_it(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        started = asyncio.Event()

        async def read() -> None:
            job = SampleJob(prompt, Sampling(max_tokens=400), 3, tuple(range(ENDLESS)))
            async for _ in engine.sample(job):
                started.set()

        reader = asyncio.create_task(read())
        await started.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert len(await scores(engine, prompt, [[8, 9]])) == 1

    async def test_leaving_a_scoring_stops_it(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        job = ScoreJob(prompt, ((9,) * 400,) * ENDLESS, 0)
        async with contextlib.aclosing(engine.score(job)) as stream:  # type: ignore[type-var]
            async for _ in stream:
                break
        assert len(await draw(engine, Sampling(max_tokens=4), range(3))) == 3

    async def test_jobs_may_be_asked_for_together(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        sampling = Sampling(max_tokens=30)
        expected = await draw(engine, sampling, range(8))
        one, two, scored, encoded, text = await asyncio.gather(
            draw(engine, sampling, range(8)),
            draw(engine, sampling, range(4, 12)),
            scores(engine, prompt, [[8, 9], [10]]),
            engine.encode(PROMPT),
            engine.retokenise("Ann"),
        )
        assert {i: item.text for i, item in one.items()} == {
            i: item.text for i, item in expected.items()
        }
        assert [two[i].text for i in range(4, 8)] == [one[i].text for i in range(4, 8)]
        assert len(scored) == 2
        assert encoded.ids == prompt
        assert len(text.ids)

    async def test_nothing_asked_is_nothing_done(self, engine: Engine) -> None:
        prompt = (await engine.encode(PROMPT)).ids
        assert await draw(engine, Sampling(), []) == {}
        assert await scores(engine, prompt, []) == []


class TestBundledModel:
    async def test_its_completions_score_as_they_were_drawn(self, bundled_engine: Engine) -> None:
        sampling = Sampling(max_tokens=120)
        prompt = "Question: How many are left?\nAnswer:"
        done = await draw(bundled_engine, sampling, range(8), prompt=prompt)
        ids = (await bundled_engine.encode(prompt)).ids
        truth = Reference(BUNDLED)
        for item in await scores(bundled_engine, ids, [done[i].tokens.ids for i in range(8)]):
            drawn = done[item.position].tokens
            assert drawn.logprobs is not None
            np.testing.assert_allclose(item.scores.logprobs, drawn.logprobs, atol=TOLERANCE)
            plain = truth.logprobs(ids, drawn.ids.tolist())[np.arange(len(drawn)), drawn.ids]
            np.testing.assert_allclose(item.scores.logprobs, plain, atol=TOLERANCE)

    async def test_it_stops_by_itself(self, bundled_engine: Engine) -> None:
        done = await draw(
            bundled_engine, Sampling(max_tokens=300), range(8), prompt="Question: 2 + 3?\nAnswer:"
        )
        assert any(item.finish is FinishReason.STOP for item in done.values())

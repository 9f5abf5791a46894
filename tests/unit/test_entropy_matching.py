"""Searching the temperature at which a model is as varied as another."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import Sampling
from explorer.engines.base import EngineConfig, ScoreJob
from explorer.errors import EngineError
from explorer.paths import sample_data
from explorer.sampler.entropy import Entropy, match, measure, suggested
from explorer.store import matched
from explorer.store.connection import open_writer
from explorer.store.matched import Matched
from tests.fake_engine import Script


async def test_the_search_ends_where_the_entropy_is() -> None:
    tried: list[float] = []

    async def at(temperature: float) -> Entropy:
        tried.append(temperature)
        return Entropy(0.4 * temperature, 0.01, 1000)

    temperature, found = await match(at, 0.5)
    assert temperature == pytest.approx(1.25, rel=0.02)
    assert found.mean == pytest.approx(0.5, rel=0.02)
    assert len(tried) == 8


async def test_what_no_temperature_gives_is_said() -> None:
    async def at(temperature: float) -> Entropy:
        return Entropy(0.1, 0.001, 1000)

    with pytest.raises(EngineError, match="No temperature gives that entropy"):
        await match(at, 2.0)


async def test_an_engine_without_the_whole_distribution_is_refused() -> None:
    engine = await Script().open(EngineConfig(source="/m/base"))
    prompt = await engine.encode("Q: 1 + 1?")
    with pytest.raises(EngineError, match="cannot tell the entropy"):
        await measure(engine, [prompt], Sampling(max_tokens=8), 1, 2)


async def test_the_measure_is_the_entropy_of_what_is_drawn() -> None:
    """At temperature 1 it agrees with the full distribution's entropy along the same samples."""
    pytest.importorskip("torch", reason="needs the extra 'local'")
    if not (sample_data() / "models" / "base" / "config.json").is_file():
        pytest.skip("the bundled models are not in this checkout")
    from explorer.engines.registry import open_engine

    source = str(sample_data() / "models" / "base")
    engine = await open_engine(EngineConfig(source=source, device="cpu", dtype="float32"))
    try:
        prompt = await engine.encode("Question: How many is 3 + 4?\nAnswer:")
        sampling = Sampling(max_tokens=40)
        found = await measure(engine, [prompt], sampling, 5, 48)
        cold = await measure(engine, [prompt], suggested(sampling, 0.5), 5, 48)
        from explorer.core.arm import cell_seed
        from explorer.engines.base import SampleJob
        from explorer.sampler.entropy import _drawn

        seed = cell_seed(5, "entropy", prompt.digest)
        drawn = await _drawn(engine, SampleJob(prompt.ids, sampling, seed, tuple(range(48))))
        responses = tuple(tuple(one.tokens.ids.tolist()) for one in drawn)
        scores = [one.scores async for one in engine.score(ScoreJob(prompt.ids, responses, 0))]
    finally:
        await engine.close()
    exact = np.concatenate([one.entropies for one in scores])
    assert found.tokens == len(exact)
    assert abs(found.mean - float(exact.mean())) < 4 * found.error
    assert cold.mean < found.mean


def test_suggestions_are_kept_once_per_pair(tmp_path: Path) -> None:
    first = Matched("rl", "base", Sampling(), Sampling(1.2), 0.5, 0.1, 0.5, 0.1, 10, 8, 1.0)
    with closing(open_writer(tmp_path / "a.db")) as db:
        matched.keep(db, first)
        again = Matched("rl", "base", Sampling(), Sampling(1.3), 0.5, 0.1, 0.5, 0.1, 10, 8, 2.0)
        matched.keep(db, again)
        assert matched.suggestions(db) == [again]
        assert isinstance(db, sqlite3.Connection)
    assert math.isclose(again.sampling.temperature, 1.3)
    assert again.sentence() == (
        "rl at T 1.3 has 0.500 ± 0.100 nats a token, base at T 1 has 0.500 ± 0.100"
    )

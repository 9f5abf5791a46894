"""What samplers make of completions: stored, asked for, and worked out by the sampler process."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import Sampling
from explorer.core.support import Truncation
from explorer.engines.base import EngineConfig, Scored, ScoreJob
from explorer.store import catalog, completions, facts, queries, requests, support
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from tests import fake_cache, fake_engine, small_workspace
from tests.fake_engine import FakeEngine, Script, tokens_of
from tests.small_workspace import SAMPLING, TEMPLATE

CUT = Sampling(0.6, top_p=0.95)
SCORER = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(fake_cache.build(tmp_path / "a.db", problems=3, n=3, scored=1)) as made:
        yield made


def truncation(length: int, seed: int = 0) -> Truncation:
    rng = np.random.default_rng(seed)
    parts = [rng.random(length).astype(np.float32) for _ in range(4)]
    return Truncation(-parts[0], parts[1], parts[2], parts[3])


def scored_rl(db: sqlite3.Connection) -> int:
    """The one scored completion of rl on the first problem."""
    arm = next(arm for arm in queries.arms(db) if arm.model.name == "rl")
    return queries.heads(db, arm.id, 1)[0].id


class TestStored:
    def test_what_was_stored_comes_back(self, db: sqlite3.Connection) -> None:
        completion = scored_rl(db)
        scorer = catalog.put_scorer(db, SCORER)
        (before,) = support.scored(db, completion)
        length = len(before.scores.logprobs)
        assert dict(before.truncations) == {}
        stored = truncation(length)
        support.record(db, scorer, completion, CUT, stored, 512)
        support.record(db, scorer, completion, Sampling(0.3), None, 512)
        (row,) = support.scored(db, completion)
        found = row.truncations[support.sampler_key(CUT)]
        assert found is not None
        for name in ("tempered", "above", "kept", "short"):
            np.testing.assert_array_equal(getattr(found, name), getattr(stored, name))
        assert row.truncations[support.sampler_key(Sampling(0.3))] is None
        assert row.vocabulary == 512
        full = queries.trace(db, completion)
        assert full is not None
        (scores,) = full.scores.values()
        np.testing.assert_array_equal(row.scores.top_logprobs, scores.top_logprobs)
        np.testing.assert_array_equal(row.scores.ranks, scores.ranks)

    def test_only_what_decides_the_draw_tells_settings_apart(self, db: sqlite3.Connection) -> None:
        scorer, completion = catalog.put_scorer(db, SCORER), scored_rl(db)
        support.record(db, scorer, completion, CUT, None, 0)
        longer = Sampling(0.6, 0.95, 0, 7, ("stop",))
        assert support.missing(db, scorer, [completion], longer) == []
        assert support.missing(db, scorer, [completion], Sampling(0.6, 0.9)) == [completion]

    def test_a_row_that_fits_another_scoring_is_not_read(self, db: sqlite3.Connection) -> None:
        scorer, completion = catalog.put_scorer(db, SCORER), scored_rl(db)
        support.record(db, scorer, completion, CUT, truncation(3), 9)
        (row,) = support.scored(db, completion)
        assert dict(row.truncations) == {}

    def test_the_vocabulary_is_known_from_an_arm_of_the_same_weights(
        self, db: sqlite3.Connection
    ) -> None:
        completion = scored_rl(db)
        assert support.scored(db, completion)[0].vocabulary == 0
        base = next(arm for arm in queries.arms(db) if arm.model.name == "base")
        facts.put_facts(db, base.id, {"vocabulary": "777"})
        assert support.scored(db, completion)[0].vocabulary == 777

    def test_a_completion_takes_its_support_with_it(self, db: sqlite3.Connection) -> None:
        scorer, completion = catalog.put_scorer(db, SCORER), scored_rl(db)
        support.record(db, scorer, completion, CUT, None, 0)
        db.execute("DELETE FROM completion WHERE id = ?", (completion,))
        assert db.execute("SELECT COUNT(*) FROM support").fetchone() == (0,)


class TestRequests:
    def test_asking_with_a_sampler_is_another_request_than_asking_for_scores(
        self, db: sqlite3.Connection
    ) -> None:
        scores = requests.ask_for_scores(db, "base", 1, 2, 1, 5)
        asked = requests.ask_for_scores(db, "base", 1, 2, 1, 5, sampling=CUT)
        again = requests.ask_for_scores(db, "base", 1, 2, 1, 5, sampling=CUT)
        assert scores != asked == again
        samplings = {row.id: row.sampling for row in requests.open_requests(db)}
        assert samplings == {scores: None, asked: CUT}


class Measuring(FakeEngine):
    """Sees the whole distribution."""

    async def score(self, job: ScoreJob) -> AsyncGenerator[Scored, None]:
        async for scored in super().score(job):
            length = len(scored.scores.logprobs)
            found = truncation(length) if job.sampling is not None else None
            yield Scored(scored.position, scored.scores, found)


class MeasuringScript(Script):
    async def open(self, config: EngineConfig) -> FakeEngine:
        await super().open(config)
        return Measuring(config.source.rpartition("/")[2], self)


@pytest.mark.parametrize("measures", [True, False])
async def test_a_sampler_stores_what_the_engine_measures_and_asks_once(
    tmp_path: Path, measures: bool
) -> None:
    from dataclasses import replace

    from explorer.core.completion import Completion, FinishReason
    from explorer.sampler.runner import Runner

    settings = replace(small_workspace.settings(tmp_path), idle_exit_s=0.0)
    script = MeasuringScript() if measures else Script()
    with closing(open_writer(settings.workspace.cache)) as db:
        problem = catalog.put_problems(db, small_workspace.problems(1))["p0"]
        arm = catalog.put_arm(db, fake_engine.spec("rl", TEMPLATE, SAMPLING), "rl")
        texts = ["The answer is 7.", ""]
        cell = [
            (Completion(index, 0, text, FinishReason.STOP, tokens_of(text)), None)
            for index, text in enumerate(texts)
        ]
        completions.append(db, arm, problem, cell)
        for _ in range(2):
            asked = requests.ask_for_scores(db, "base", problem, arm, 2, sampling=CUT)
            await Runner(db, lambda: settings, open_engine=script.open).run()
            (request,) = requests.select(db, "id = ?", (asked,))
            assert request.state == "done"
        heads = queries.heads(db, arm, problem)
        for head in heads:
            (row,) = support.scored(db, head.id)
            assert row.vocabulary == 257
            found = row.truncations[support.sampler_key(CUT)]
            assert (found is not None) == measures
    assert len([line for line in script.log if line.startswith("score base")]) == 1

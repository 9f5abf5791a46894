"""Branches: identity, grids, joining, and pass rates that agree with direct sampling."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import ArmSpec, Sampling, prefix_digest
from explorer.core.branching import grid
from explorer.core.completion import Tokens
from explorer.core.guessing import is_ordinary
from explorer.engines.base import EngineConfig, Sampled, SampleJob
from explorer.errors import UsageError
from explorer.paths import sample_data
from explorer.sampler.beginnings import NoRoomError, beginning
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.store import branches, catalog, queries, requests
from explorer.store.branches import BranchRow
from explorer.store.connection import open_writer
from explorer.store.verify import verify
from explorer.views.branches import read_branches
from tests import small_workspace
from tests.fake_engine import Script
from tests.small_workspace import SAMPLING

Cache = tuple[sqlite3.Connection, Settings, int]


def branch_row(position: int, swapped: tuple[int, str] | None = None) -> BranchRow:
    swapped_id, text = swapped or (None, "")
    return BranchRow(1, 1, position, swapped_id, text, "base", Sampling(), None, 4, "queued", "")


class TestIdentity:
    def test_a_prefix_changes_the_key_and_none_keeps_it(self) -> None:
        spec = ArmSpec("local:x", "tok:1", "{question}", Sampling(), 512, "fake", "float32")
        begun = replace(spec, prefix=prefix_digest([1, 2]))
        assert "prefix" not in spec.to_json()
        assert len({spec.key(), begun.key(), replace(spec, prefix=prefix_digest([2])).key()}) == 3
        assert ArmSpec.from_json(begun.to_json()) == begun
        assert ArmSpec.from_json(spec.to_json()) == spec
        assert replace(spec, prefix=prefix_digest([])) == spec
        assert (is_ordinary(spec), is_ordinary(begun)) == (True, False)

    def test_a_grid_begins_with_nothing_and_ends_short_of_the_whole(self) -> None:
        assert grid(81) == (0, 10, 20, 30, 40, 50, 60, 70, 80)
        assert grid(4) == (0, 1, 2, 3)
        assert grid(1) == grid(0) == (0,)
        assert len(grid(16_384)) == 9


class TestJoining:
    def test_the_whole_answer_has_the_tokens_of_both(self) -> None:
        text = "héllo 12"
        ends = np.array([1, 3, 6, 7, 9], np.int32)  # h é llo ␠ 12
        tokens = Tokens(np.arange(5, dtype=np.int32), ends, None)
        begun = beginning(text, tokens, branch_row(3))
        rest = Tokens(np.array([9, 8], np.int32), np.array([1, 3], np.int32), None)
        whole, joined = begun.joined("!ab", rest)
        assert whole == "héllo!ab"
        assert joined.ids.tolist() == [0, 1, 2, 9, 8]
        assert joined.ends.tolist() == [1, 3, 6, 7, 9]
        assert joined.logprobs is None

    def test_a_swapped_token_stands_for_the_next(self) -> None:
        tokens = Tokens(np.arange(2, dtype=np.int32), np.array([1, 2], np.int32), None)
        begun = beginning("ab", tokens, branch_row(1, (77, "xyz")))
        assert (begun.ids, begun.ends, begun.data) == ((0, 77), (1, 4), b"axyz")

    def test_a_character_that_is_cut_in_two_is_left_out(self) -> None:
        tokens = Tokens(np.arange(3, dtype=np.int32), np.array([1, 2, 3], np.int32), None)
        begun = beginning("a\u00e9", tokens, branch_row(2))
        assert (begun.ends, begun.data) == ((1, 1), b"a")

    def test_max_tokens_counts_what_is_handed(self) -> None:
        tokens = Tokens(np.arange(3, dtype=np.int32), np.arange(1, 4, dtype=np.int32), None)
        begun = beginning("abc", tokens, branch_row(2))
        assert begun.rest_of(Sampling(max_tokens=5)).max_tokens == 3
        with pytest.raises(NoRoomError):
            begun.rest_of(Sampling(max_tokens=2))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    settings = small_workspace.settings(tmp_path, idle_exit_s=0.0)
    settings = replace(
        settings,
        models={name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()},
    )
    db = open_writer(settings.workspace.cache)
    (problem, *_) = catalog.put_problems(db, small_workspace.problems()).values()
    yield db, settings, problem
    db.close()


async def work(cache: Cache, script: Script) -> None:
    db, settings, _ = cache
    await Runner(db, lambda: settings, open_engine=script.open).run()


async def one_trace(cache: Cache) -> int:
    db, _, problem = cache
    requests.ask_for_completions(db, "rl", problem, SAMPLING, 1)
    await work(cache, Script(rates={"rl": 1.0}))
    (arm,) = queries.arms(db)
    return queries.heads(db, arm.id, problem)[0].id


class TestSampler:
    async def test_completions_begin_with_the_prefix_and_are_topped_up(self, cache: Cache) -> None:
        db, _, problem = cache
        trace = await one_trace(cache)
        asked = branches.ask_for_branch(db, trace, 4, "base", SAMPLING, 3)
        await work(cache, Script(rates={"base": 1.0}))
        row = branches.by_id(db, asked)
        assert row is not None
        assert row.arm_id is not None
        heads = queries.heads(db, row.arm_id, problem)
        texts = [found.text for head in heads if (found := queries.trace(db, head.id))]
        assert texts == [" \\bo \\boxed{7}"] * 3
        assert branches.ask_for_branch(db, trace, 4, "base", SAMPLING, 5) == asked
        script = Script(rates={"base": 1.0})
        await work(cache, script)
        assert [line for line in script.log if line.startswith("sample")] == ["sample base [3, 4]"]
        known = read_branches(db, trace)
        assert known is not None
        (line,) = known.lines
        assert (line.tally.correct, line.tally.n, line.branch.state) == (5, 5, "done")
        assert verify(db) == []

    async def test_handed_nothing_is_the_models_ordinary_arm(self, cache: Cache) -> None:
        db, _, problem = cache
        trace = await one_trace(cache)
        requests.ask_for_completions(db, "base", problem, SAMPLING, 4)
        asked = branches.ask_for_branch(db, trace, 0, "base", SAMPLING, 6)
        await work(cache, Script())
        row = branches.by_id(db, asked)
        arms = {arm.id: arm for arm in queries.arms(db)}
        assert row is not None
        assert row.arm_id is not None
        assert arms[row.arm_id].spec.prefix == ""
        assert queries.problem_tallies(db, problem)[row.arm_id].completions == 6

    async def test_cancelling_leaves_what_is_there(self, cache: Cache) -> None:
        db, _, problem = cache
        trace = await one_trace(cache)
        asked = branches.ask_for_branch(db, trace, 2, "base", SAMPLING, 3)
        requests.cancel(db, problem)
        await work(cache, Script())
        row = branches.by_id(db, asked)
        assert row is not None
        assert row.state == "cancelled"

    async def test_what_is_not_there_cannot_be_gone_on_from(self, cache: Cache) -> None:
        db, _, _ = cache
        trace = await one_trace(cache)
        with pytest.raises(UsageError, match="no token 99"):
            branches.ask_for_branch(db, trace, 99, "base", SAMPLING, 1)
        with pytest.raises(UsageError, match="not stored"):
            branches.ask_for_branch(db, 10_000, 0, "base", SAMPLING, 1)


async def test_rates_agree_with_the_same_prefix_sampled_directly(tmp_path: Path) -> None:
    """On a bundled model and problem: graded branches against continuations drawn by hand."""
    pytest.importorskip("torch", reason="needs the extra 'local'")
    source = sample_data() / "models" / "distilled"
    if not (source / "config.json").is_file():
        pytest.skip("the bundled models are not in this checkout")
    from explorer.engines.registry import open_engine
    from explorer.preparation import prepare
    from explorer.settings import reader
    from explorer.settings.template import demo

    text = demo(sample_data()).replace("recorded/*", "recorded/none-*")
    (tmp_path / "explorer.toml").write_text(text)
    settings = replace(reader.load(tmp_path / "explorer.toml"), idle_exit_s=0.0)
    prepare(settings)
    sampling, n = settings.presets[settings.default_preset], 64
    with closing(open_writer(settings.workspace.cache)) as db:
        problem = queries.problem(db, "twins", "hoard-001")
        assert problem is not None
        requests.ask_for_completions(db, "distilled", problem.id, sampling, 1)
        await Runner(db, lambda: settings).run()
        (arm,) = queries.arms(db)
        trace = queries.trace(db, queries.heads(db, arm.id, problem.id)[0].id)
        assert trace is not None
        assert trace.tokens is not None
        place = len(trace.tokens) // 4
        branches.ask_for_branch(db, trace.head.id, place, "distilled", sampling, n)
        await Runner(db, lambda: settings).run()
        found = read_branches(db, trace.head.id)
        prompt = queries.prompt(db, arm.id, problem.id)
    assert found is not None
    assert prompt is not None
    (line,) = found.lines
    assert line.tally.n == n

    begun = trace.text.encode()[: int(trace.tokens.ends[place - 1])].decode()
    prefix = tuple(trace.tokens.ids[:place].tolist())
    engine = await open_engine(EngineConfig(source=str(source), device="cpu", dtype="float32"))
    try:
        rest = replace(sampling, max_tokens=sampling.max_tokens - place)
        job = SampleJob(prompt.ids + prefix, rest, 12345, tuple(range(n)))
        whole = [begun + one.text async for one in engine.sample(job) if isinstance(one, Sampled)]
    finally:
        await engine.close()
    direct = np.mean([f"boxed{{{problem.problem.gold}}}" in one for one in whole])
    assert 0.05 < direct < 0.95, "a rate at the edge would compare nothing"
    # Two independent shares of n are further apart 3 times in 1,000; the seeds are fixed.
    assert abs(line.rate - direct) < 3 * np.sqrt(2 * 0.25 / n)

"""The sampler's loop in this process, with engines that a test scripts."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import cell_seed, prompt_digest
from explorer.core.completion import Completion, FinishReason, Origin, Outcome, Tokens
from explorer.core.prompts import RenderedPrompt
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.store import catalog, completions, queries, requests, status
from explorer.store.connection import open_writer
from explorer.store.rows import ModelRow, RequestRow
from explorer.store.verify import verify
from tests import fake_engine, small_workspace
from tests.fake_engine import Script, text_of
from tests.small_workspace import SAMPLING, TEMPLATE


@dataclass
class Bench:
    """A cache, the problems in it, and a runner that is not started yet."""

    db: sqlite3.Connection
    settings: Settings
    script: Script
    problems: list[int]

    def runner(self) -> Runner:
        return Runner(self.db, lambda: self.settings, open_engine=self.script.open)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Runner]:
        """A runner at work; stopped, or already idle and gone, afterwards."""
        runner = self.runner()
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            runner.stop()
            await task

    async def run(self) -> None:
        """Let a runner work until it exits because nothing is left to do."""
        self.settings = replace(self.settings, idle_exit_s=0.0)
        await self.runner().run()

    def ask(self, model: str, problem: int = 0, n: int = 4, priority: int = 0) -> int:
        return requests.ask_for_completions(
            self.db, model, self.problems[problem], SAMPLING, n, priority
        )

    def request(self, request_id: int) -> RequestRow:
        (row,) = requests.select(self.db, "id = ?", (request_id,))
        return row

    def texts(self, model: str, problem: int = 0) -> dict[int, str]:
        arm = fake_engine.spec(model, TEMPLATE, SAMPLING).key()
        rows = self.db.execute(
            "SELECT c.sample_index, c.text FROM completion c JOIN arm a ON a.id = c.arm_id"
            " WHERE a.key = ? AND c.problem_id = ?",
            (arm, self.problems[problem]),
        )
        return dict(rows.fetchall())

    def expected(self, model: str, n: int, problem: int = 0) -> dict[int, str]:
        """What the fake model draws for a cell whose prompt is stored, by its derived seed."""
        key = fake_engine.spec(model, TEMPLATE, SAMPLING).key()
        arm_id = next(arm.id for arm in queries.arms(self.db) if arm.key == key)
        prompt = queries.prompt(self.db, arm_id, self.problems[problem])
        assert prompt is not None
        seed = cell_seed(self.settings.seed, key, prompt_digest(prompt.ids))
        return {i: text_of(model, seed, i) for i in range(n)}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    settings = small_workspace.settings(tmp_path)
    settings = replace(
        settings,
        models={name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()},
    )
    db = open_writer(settings.workspace.cache)
    ids = catalog.put_problems(db, small_workspace.problems())
    yield Bench(db, settings, Script(), list(ids.values()))
    db.close()


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop room until something is true; pytest's timeout ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.005)


async def test_draws_grades_and_finishes(bench: Bench) -> None:
    asked = bench.ask("base", n=6)
    await bench.run()
    assert bench.texts("base") == bench.expected("base", 6)
    request = bench.request(asked)
    assert request.state == "done"
    assert request.arm_id is not None
    tally = queries.tallies(bench.db)[request.arm_id, bench.problems[0]]
    assert tally.n == 6
    assert tally.correct == sum("{7}" in text for text in bench.texts("base").values())
    prompt = queries.prompt(bench.db, request.arm_id, bench.problems[0])
    assert prompt is not None
    assert prompt.text == "Q: What is 0 + 7?\nA:"
    assert status.live_streams(bench.db) == []
    last = status.sampler(bench.db)
    assert last is not None
    assert last.state == "stopped"
    assert verify(bench.db) == []


async def test_asking_again_draws_only_what_is_missing(bench: Bench) -> None:
    bench.ask("base", n=3)
    await bench.run()
    bench.ask("base", n=3)
    bench.ask("base", n=5)
    await bench.run()
    assert [line for line in bench.script.log if line.startswith("sample")] == [
        "sample base [0, 1, 2]",
        "sample base [3, 4]",
    ]


async def test_tops_up_recorded_completions(bench: Bench) -> None:
    catalog.put_models(bench.db, [ModelRow("base", "base", "", "")])
    arm = catalog.put_arm(bench.db, fake_engine.spec("base", TEMPLATE, SAMPLING), "base")
    text = "Q: What is 0 + 7?\nA:"
    catalog.put_prompt(bench.db, arm, bench.problems[0], RenderedPrompt(text, tuple(text.encode())))
    recorded = [
        (Completion(i, 3, "7", FinishReason.STOP, None, Origin.RECORDED, "file"), None)
        for i in range(4)
    ]
    completions.append(bench.db, arm, bench.problems[0], recorded)
    bench.ask("base", n=6)
    await bench.run()
    assert "sample base [4, 5]" in bench.script.log
    tally = queries.tallies(bench.db)[arm, bench.problems[0]]
    assert (tally.completions, tally.recorded, tally.ungraded) == (6, 4, 0)


async def test_refuses_to_pool_over_a_changed_prompt(bench: Bench) -> None:
    bench.ask("base", n=2)
    await bench.run()
    changed = [replace(p, statement="Other?") for p in small_workspace.problems()]
    catalog.put_problems(bench.db, changed)
    asked = bench.ask("base", n=4)
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "prompt" in bench.request(asked).error["title"]
    assert len(bench.texts("base")) == 2


async def test_models_are_not_swapped_back_and_forth(bench: Bench) -> None:
    for problem in range(3):
        for model in ("base", "rl"):
            bench.ask(model, problem, n=2, priority=requests.BATCH)
    await bench.run()
    opened = [line for line in bench.script.log if line.startswith(("open", "close"))]
    assert opened == ["open base", "close base", "open rl", "close rl"]


async def test_an_interactive_request_interrupts_a_batch(bench: Bench) -> None:
    bench.script.gate = asyncio.Event()
    batch = bench.ask("base", 0, n=3, priority=requests.BATCH)
    async with bench.running():
        await until(lambda: "sample base [0, 1, 2]" in bench.script.log)
        urgent = bench.ask("rl", 1, n=1)
        await until(lambda: "sample rl [0]" in bench.script.log)
        bench.script.gate.set()
        await until(lambda: bench.request(batch).state == "done")
    assert bench.request(urgent).state == "done"
    assert bench.script.log.index("dropped base") < bench.script.log.index("open rl")
    assert bench.texts("base") == bench.expected("base", 3)


async def test_no_two_problems_or_arms_share_random_numbers(bench: Bench) -> None:
    for model in ("base", "rl"):
        bench.ask(model, 0, n=1)
        bench.ask(model, 1, n=1)
    await bench.run()
    seeds = bench.db.execute("SELECT seed FROM completion").fetchall()
    assert len(set(seeds)) == len(seeds) == 4


async def test_a_satisfied_interactive_request_does_not_interrupt(bench: Bench) -> None:
    bench.ask("base", 1, n=1)
    await bench.run()
    bench.script.gate = asyncio.Event()
    batch = bench.ask("base", 0, n=1, priority=requests.BATCH)
    async with bench.running():
        await until(lambda: "sample base [0]" in bench.script.log[2:])
        again = bench.ask("base", 1, n=1)
        await until(lambda: bench.request(again).state == "done")
        bench.script.gate.set()
        await until(lambda: bench.request(batch).state == "done")
    assert "dropped base" not in bench.script.log


async def test_cancelling_stops_the_running_request(bench: Bench) -> None:
    bench.script.gate = asyncio.Event()
    asked = bench.ask("base", n=3)
    async with bench.running():
        await until(lambda: len(status.live_streams(bench.db)) > 0)
        requests.cancel(bench.db)
        await until(lambda: "dropped base" in bench.script.log)
        await until(lambda: status.live_streams(bench.db) == [])
    assert bench.request(asked).state == "cancelled"


async def test_a_target_raised_while_it_runs_is_met(bench: Bench) -> None:
    bench.script.gate = asyncio.Event()
    asked = bench.ask("base", n=1)
    async with bench.running():
        await until(lambda: "sample base [0]" in bench.script.log)
        bench.ask("base", n=3)
        bench.script.gate.set()
        await until(lambda: bench.request(asked).state == "done")
    assert len(bench.texts("base")) == 3


async def test_one_crash_is_forgiven(bench: Bench) -> None:
    bench.script.crashes["base"] = 1
    asked = bench.ask("base", n=3)
    await bench.run()
    assert bench.request(asked).state == "done"
    assert len(bench.texts("base")) == 3
    assert bench.script.log.count("open base") == 2


async def test_two_crashes_fail_the_request_but_not_the_sampler(bench: Bench) -> None:
    bench.script.crashes["base"] = 2
    failing = bench.ask("base", n=9)
    other = bench.ask("rl", n=2)
    await bench.run()
    assert bench.request(failing).state == "failed"
    assert bench.request(failing).error["title"] == "The engine's process ended"
    assert bench.request(failing).error["hint"] == "It was killed."
    assert bench.request(other).state == "done"
    assert len(bench.texts("base")) == 2  # what had arrived before each crash


async def test_a_model_that_cannot_be_loaded_is_tried_once(bench: Bench) -> None:
    bench.script.broken.add("base")
    asked = [bench.ask("base", problem, priority=requests.BATCH) for problem in range(3)]
    other = bench.ask("rl", priority=requests.BATCH)
    await bench.run()
    assert [bench.request(one).state for one in asked] == ["failed"] * 3
    assert bench.script.log.count("open base") == 1
    assert bench.request(other).state == "done"


async def test_an_unknown_model_fails_with_a_hint(bench: Bench) -> None:
    asked = bench.ask("nobody")
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "nobody" in bench.request(asked).error["title"]


async def test_a_bug_in_an_engine_fails_only_its_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def buggy(*_: object) -> RenderedPrompt:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(fake_engine.FakeEngine, "encode", buggy)
    asked = bench.ask("base")
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "ZeroDivisionError: oops" in bench.request(asked).error["detail"]


async def test_a_prompt_that_does_not_fit_is_refused_without_reloading(bench: Bench) -> None:
    catalog.put_problems(
        bench.db, [replace(small_workspace.problems()[0], statement="x" * fake_engine.CONTEXT)]
    )
    asked = bench.ask("base")
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "context" in bench.request(asked).error["title"]
    assert bench.script.log == ["open base", "close base"]


async def test_scores_an_arm_under_another_model(bench: Bench) -> None:
    sampled = bench.ask("rl", n=3)
    await bench.run()
    arm = bench.request(sampled).arm_id
    assert arm is not None
    asked = requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, n=2)
    await bench.run()
    assert bench.request(asked).state == "done"
    heads = queries.heads(bench.db, arm, bench.problems[0])
    scored = [queries.trace(bench.db, head.id) for head in heads]
    assert [len(trace.scores) if trace else None for trace in scored] == [1, 1, 0]
    before = bench.script.log.count("score base 2")
    requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, n=2)
    await bench.run()
    assert bench.script.log.count("score base 2") == before == 1
    assert verify(bench.db) == []


async def test_scores_text_that_came_without_tokens(bench: Bench) -> None:
    arm = catalog.put_arm(bench.db, fake_engine.spec("old", TEMPLATE, SAMPLING), "old")
    text = Completion(0, 0, "naïve 7", FinishReason.STOP, None, Origin.RECORDED, "file")
    (row_id,) = completions.append(bench.db, arm, bench.problems[0], [(text, None)])
    assert row_id is not None
    requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, 1, completion_id=row_id)
    await bench.run()
    trace = queries.trace(bench.db, row_id)
    assert trace is not None
    assert trace.tokens is not None
    assert not trace.tokens.exact
    (scores,) = trace.scores.values()
    assert len(scores.logprobs) == len(trace.tokens) == len("naïve 7".encode())
    assert verify(bench.db) == []


async def test_places_imported_ids_when_it_scores_them(bench: Bench) -> None:
    """Ids that came without a tokenizer keep their place in the text from then on."""
    spec = replace(fake_engine.spec("old", TEMPLATE, SAMPLING), tokenizer="unknown")
    arm = catalog.put_arm(bench.db, spec, "old")
    ids = np.array([*b"7 is it", 3], dtype=np.int32)  # an EOS at the end
    tokens = Tokens(ids, np.zeros(8, np.int32), np.full(8, -1.0, np.float32))
    came = Completion(0, 0, "7 is it", FinishReason.STOP, tokens, Origin.RECORDED, "file")
    (row_id,) = completions.append(bench.db, arm, bench.problems[0], [(came, None)])
    assert row_id is not None
    before = queries.trace(bench.db, row_id)
    assert before is not None
    assert before.tokens is None
    requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, 1, completion_id=row_id)
    await bench.run()
    trace = queries.trace(bench.db, row_id)
    assert trace is not None
    assert trace.tokens is not None
    assert trace.tokens.ends.tolist() == [1, 2, 3, 4, 5, 6, 7, 7]
    assert trace.tokens.exact
    assert len(trace.scores) == 1


async def test_does_not_score_under_a_prompt_that_nobody_knows(bench: Bench) -> None:
    spec = replace(fake_engine.spec("old", TEMPLATE, SAMPLING), template="unknown:verl")
    arm = catalog.put_arm(bench.db, spec, "old")
    text = Completion(0, 0, "7", FinishReason.STOP, None, Origin.RECORDED, "file")
    (row_id,) = completions.append(bench.db, arm, bench.problems[0], [(text, None)])
    asked = requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, 1, row_id)
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "not known which prompt" in bench.request(asked).error["title"]


async def test_does_not_score_ids_of_another_tokenizer(bench: Bench) -> None:
    spec = replace(fake_engine.spec("far", TEMPLATE, SAMPLING), tokenizer="other")
    arm = catalog.put_arm(bench.db, spec, "far")
    tokens = fake_engine.tokens_of("abc")
    tokens.ids[:] = 9
    stranger = Completion(0, 0, "abc", FinishReason.STOP, tokens)
    completions.append(bench.db, arm, bench.problems[0], [(stranger, None)])
    asked = requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, 1)
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert "tokenizers" in bench.request(asked).error["title"]


async def test_scores_texts_that_were_drawn_in_other_pieces_than_they_are_cut_into(
    bench: Bench,
) -> None:
    """A tokenizer saved anew is another file; what counts is what the ids mean."""
    spec = replace(fake_engine.spec("near", TEMPLATE, SAMPLING), tokenizer="saved anew")
    arm = catalog.put_arm(bench.db, spec, "near")
    ids = np.array([97, 9, 100, 101], dtype=np.int32)  # 'a', 'bc' in one, 'd', 'e'
    tokens = Tokens(ids, np.array([1, 3, 4, 5], dtype=np.int32), None)
    drawn = Completion(0, 0, "abcde", FinishReason.LENGTH, tokens)
    completions.append(bench.db, arm, bench.problems[0], [(drawn, None)])
    asked = requests.ask_for_scores(bench.db, "base", bench.problems[0], arm, 1)
    await bench.run()
    assert bench.request(asked).state == "done", bench.request(asked).error


async def test_a_stop_request_ends_it_and_keeps_the_queue(bench: Bench) -> None:
    bench.script.gate = asyncio.Event()
    asked = bench.ask("base", n=2)
    task = asyncio.create_task(bench.runner().run())
    await until(lambda: bool(status.live_streams(bench.db)))
    assert status.request_stop(bench.db)
    await task
    assert bench.request(asked).state == "queued"
    assert bench.script.log[-2:] == ["dropped base", "close base"]
    assert status.live_streams(bench.db) == []


async def test_a_full_disk_is_told_and_loses_nothing(bench: Bench) -> None:
    bench.ask("base", 1, n=1)
    await bench.run()
    (pages,) = bench.db.execute("PRAGMA page_count").fetchone()
    bench.db.execute(f"PRAGMA max_page_count = {pages + 8}")
    asked = bench.ask("base", 0, n=1000)
    await bench.run()
    assert bench.request(asked).state == "failed"
    assert bench.request(asked).error["title"] == "The disk is full"
    stored = len(bench.texts("base"))
    assert 0 < stored < 1000
    assert verify(bench.db) == []
    bench.db.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    bench.ask("base", 0, n=stored + 5)
    await bench.run()
    assert len(bench.texts("base")) == stored + 5


async def test_what_an_older_sampler_left_ungraded_is_graded(bench: Bench) -> None:
    arm = catalog.put_arm(bench.db, fake_engine.spec("base", TEMPLATE, SAMPLING), "base")
    left = Completion(0, 0, "so \\boxed{7}", FinishReason.STOP, None)
    completions.append(bench.db, arm, bench.problems[0], [(left, None)])
    await bench.run()
    (head,) = queries.heads(bench.db, arm, bench.problems[0])
    assert head.outcome is Outcome.CORRECT

"""What is kept of an arm beside its key, and what the parity linter reads of stored completions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.arm import Sampling
from explorer.core.completion import Completion, FinishReason, Outcome, Tokens, Verdict
from explorer.core.parity_evidence import Severity
from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt
from explorer.engines.checkpoint_facts import checkpoint_facts
from explorer.sampler.runner import Runner
from explorer.settings import DatasetSettings
from explorer.store import catalog, completions, evidence, facts, noise, queries, requests
from explorer.store.connection import open_writer
from explorer.store.rows import ModelRow
from explorer.views.arms import ArmPick, choose
from explorer.views.parity import mark, read_pair, read_pairs, topics
from tests import fake_cache, fake_engine, small_workspace
from tests.fake_engine import Script


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "cache.db")
    yield connection
    connection.close()


def test_a_fact_that_changes_is_kept_beside_the_older_one(db: sqlite3.Connection) -> None:
    arm = catalog.put_arm(db, fake_cache.spec("base"), "base")
    facts.put_facts(db, arm, {"version": "1", "eos": "[2]"})
    facts.put_facts(db, arm, {"version": "2", "eos": "[2]"})
    assert facts.read_facts(db, arm) == {"version": ("1", "2"), "eos": ("[2]",)}
    changes = db.total_changes
    facts.put_facts(db, arm, {"version": "1"})
    assert db.total_changes == changes  # what is known costs no write


def test_a_checkpoints_own_wishes_are_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "llama", "max_position_embeddings": 4096, "hidden_size": 8})
    )
    (tmp_path / "generation_config.json").write_text(
        json.dumps({"temperature": 0.6, "repetition_penalty": 1.05, "eos_token_id": [1, 2]})
    )
    assert checkpoint_facts(str(tmp_path)) == {
        "generation.temperature": "0.6",
        "generation.repetition_penalty": "1.05",
        "config.model_type": '"llama"',
        "config.max_position_embeddings": "4096",
    }
    (tmp_path / "generation_config.json").write_text("{ broken")
    assert "generation.temperature" not in checkpoint_facts(str(tmp_path))
    assert checkpoint_facts("nobody/has-this") == {}


async def test_the_sampler_records_facts_and_measures_the_floor(tmp_path: Path) -> None:
    """The fake engine scores every token −1.5 and draws it between −0.1 and −2."""
    settings = small_workspace.settings(tmp_path, idle_exit_s=0.0)
    models = {name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()}
    settings = replace(settings, models=models)
    cache = open_writer(settings.workspace.cache)
    (problem, *_) = catalog.put_problems(cache, small_workspace.problems()).values()
    requests.ask_for_completions(cache, "base", problem, small_workspace.SAMPLING, 3)
    await Runner(cache, lambda: settings, open_engine=Script().open).run()
    (arm,) = queries.arms(cache)
    assert facts.read_facts(cache, arm.id) == {
        "version": ("1",),
        "device": ("cpu",),
        "eos": (f"[{fake_engine.EOS}]",),
        "vocabulary": ("257",),
    }
    requests.ask_for_scores(cache, "rl", problem, arm.id, 3)
    await Runner(cache, lambda: settings, open_engine=Script().open).run()
    assert noise.floors(cache) == []  # another model's scores say nothing of noise
    requests.ask_for_scores(cache, "base", problem, arm.id, 3)
    await Runner(cache, lambda: settings, open_engine=Script().open).run()
    (row,) = noise.floors(cache)
    assert (row.arm_id, row.scorer.model, row.floor.completions) == (arm.id, "base", 3)
    assert row.floor.most == pytest.approx(1.4)
    cache.close()


async def test_a_datasets_template_makes_an_arm_of_its_own(tmp_path: Path) -> None:
    settings = small_workspace.settings(tmp_path, idle_exit_s=0.0)
    settings = replace(
        settings,
        models={"base": replace(settings.models["base"], source="/m/base")},
        datasets={"hints": DatasetSettings("hints", None, question="{question} Think.")},
    )
    cache = open_writer(settings.workspace.cache)
    (plain, *_) = catalog.put_problems(cache, small_workspace.problems()).values()
    (hinted, *_) = catalog.put_problems(cache, small_workspace.problems(1, "hints")).values()
    for problem in (plain, hinted):
        requests.ask_for_completions(cache, "base", problem, small_workspace.SAMPLING, 2)
    await Runner(cache, lambda: settings, open_engine=Script().open).run()
    assert len(queries.arms(cache)) == 2
    prompts = {
        problem: [
            prompt.text
            for arm in queries.arms(cache)
            if (prompt := queries.prompt(cache, arm.id, problem))
        ]
        for problem in (plain, hinted)
    }
    assert prompts == {plain: ["Q: What is 0 + 7?\nA:"], hinted: ["Q: What is 0 + 7? Think.\nA:"]}
    for dataset, problem in (("tasks", plain), ("hints", hinted)):
        sizes = queries.arm_sizes(cache, dataset)
        assert list(sizes.values()) == [2]
        choice = choose(queries.arms(cache), queries.models(cache), sizes, settings, ArmPick())
        assert (choice.columns[0].arm_id, problem) in queries.tallies(cache)
    cache.close()


def fill(db: sqlite3.Connection, stop: tuple[str, ...] = ()) -> None:
    """Six problems; the rl arm stops at `stop`, and the base writes 'trousers'."""
    catalog.put_models(db, [ModelRow("base", "base", "", ""), ModelRow("rl", "rl", "base", "")])
    tasks = [Problem("d", f"p{i}", "Who wears trousers?", "7", verifier="math") for i in range(6)]
    ids = catalog.put_problems(db, tasks)
    for model in ("base", "rl"):
        sampling = Sampling(max_tokens=160, stop=stop if model == "rl" else ())
        spec = replace(fake_cache.spec(model), sampling=sampling)
        arm = catalog.put_arm(db, spec, model)
        facts.put_facts(db, arm, {"eos": "[2]", "version": "1", "generation.use": "ignored"})
        for problem in ids.values():
            prompt = RenderedPrompt("Q <s>" if model == "base" else "Q", tuple(range(30)))
            catalog.put_prompt(db, arm, problem, prompt)
            cell = []
            for index in range(4):
                finish = FinishReason.LENGTH if index == 3 and model == "rl" else FinishReason.STOP
                ends_in = 5 if model == "rl" else 2
                tokens = Tokens(np.array([9, ends_in], np.int32), np.array([1, 2], np.int32), None)
                text = "my trousers" if model == "base" else "my tro"
                verdict = Verdict("math", "math-1", Outcome.WRONG, "1", "boxed")
                cell.append((Completion(index, 0, text, finish, tokens), verdict))
            completions.append(db, arm, problem, cell)


def test_evidence_is_read_of_both_arms_on_the_same_problems(db: sqlite3.Connection) -> None:
    fill(db, stop=("user", "users"))
    base, rl = queries.arms(db)
    ids = evidence.problem_ids(db, "d")
    pair = read_pair(db, base, rl, ids)
    assert pair.looked_at == (24, 24)
    by_topic = {finding.topic: finding for finding in pair.findings}
    assert by_topic["truncated"].severity is Severity.BLOCKS
    assert "base 0.0% (0 of 24) and rl 25.0% (6 of 24)" in by_topic["truncated"].what
    stops = [finding.what for finding in pair.findings if finding.topic == "stop strings"]
    assert any("Only rl stops at 'user', 'users'." in what for what in stops)
    told = next(what for what in stops if what.startswith("The stop string 'users'"))
    assert "24 completions of the other arm hold it" in told
    held = next(what for what in stops if what.startswith("The stop string 'user' "))
    assert "18 completions were ended by a stop string" in held
    assert [line.sign + line.text for line in pair.diff] == ["-Q <s>", "+Q"]
    assert pair.problem == "d/p0"
    assert mark(pair.findings).startswith("4 parity blocks")
    assert "prompt" in topics(pair)


def test_only_part_of_a_large_set_is_looked_at() -> None:
    ids = list(range(1000, 2000))
    chosen = evidence.spread(ids, first=1999)
    assert len(chosen) == evidence.PROBLEMS
    assert 1999 in chosen
    assert evidence.spread(ids[:5]) == ids[:5]


def test_pairs_are_every_model_with_its_base(tmp_path: Path) -> None:
    cache = fake_cache.build(tmp_path / "c.db", problems=6, n=8)
    settings = small_workspace.settings(tmp_path)
    sizes = queries.arm_sizes(cache, fake_cache.DATASET)
    choice = choose(queries.arms(cache), queries.models(cache), sizes, settings, ArmPick())
    pairs = read_pairs(cache, choice.columns, evidence.problem_ids(cache, fake_cache.DATASET))
    assert [(pair.base, pair.other) for pair in pairs] == [("base", "rl"), ("base", "distilled")]
    assert all(mark(pair.findings) == "" for pair in pairs)
    cache.close()

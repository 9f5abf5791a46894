"""Judging and guessing through the sampler: a judge's votes, and answers without reasoning."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from explorer.core.arm import Sampling
from explorer.core.completion import FinishReason, Outcome
from explorer.core.guessing import BEGUN, ENDING, guess_sampling, is_guess
from explorer.core.review import Finding, Rule
from explorer.engines.base import EngineConfig, EngineInfo, Progress, Sampled, SampleJob
from explorer.errors import SettingsError
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.settings.reader import load
from explorer.store import catalog, queries, requests, reviews
from explorer.store.connection import open_writer
from explorer.store.rows import RequestRow
from explorer.store.verify import verify
from explorer.views.cot import read_cells
from tests import small_workspace
from tests.fake_engine import FakeEngine, Script, tokens_of
from tests.small_workspace import SAMPLING

JUDGED = Sampling(temperature=1.0, max_tokens=16)
REPLIES = (r"Kind: none \boxed{yes}", r"Kind: logical \boxed{no}", "I do not know")


class JudgingEngine(FakeEngine):
    """Votes yes, no and unreadably in turn, and remembers what it was asked."""

    asked: list[str]

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, context=4096)

    async def sample(self, job: SampleJob) -> AsyncGenerator[Progress | Sampled, None]:
        self.script.log.append(f"judge {list(job.indices)}")
        self.asked.append(bytes(job.prompt_ids).decode())
        for index in job.indices:
            yield Progress(index, "…", 1)
            text = REPLIES[index % 3]
            yield Sampled(index, text, tokens_of(text), FinishReason.STOP)


@dataclass
class Bench:
    db: sqlite3.Connection
    settings: Settings
    script: Script
    problem: int
    asked: list[str]

    async def open(self, config: EngineConfig) -> FakeEngine:
        engine = await self.script.open(config)
        if engine.name != "distilled":
            return engine
        judging = JudgingEngine(engine.name, self.script)
        judging.asked = self.asked
        return judging

    async def run(self) -> None:
        settings = replace(self.settings, idle_exit_s=0.0)
        await Runner(self.db, lambda: settings, open_engine=self.open).run()

    def request(self, request_id: int) -> RequestRow:
        (row,) = requests.select(self.db, "id = ?", (request_id,))
        return row


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    settings = small_workspace.settings(tmp_path)
    settings = replace(
        settings,
        models={name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()},
    )
    db = open_writer(settings.workspace.cache)
    ids = catalog.put_problems(db, small_workspace.problems(1))
    script = Script(rates={"base": 0.5})
    yield Bench(db, settings, script, ids["p0"], [])
    db.close()


async def _sampled(bench: Bench, n: int = 12) -> tuple[int, list[int]]:
    asked = requests.ask_for_completions(bench.db, "base", bench.problem, SAMPLING, n)
    await bench.run()
    arm = bench.request(asked).arm_id
    assert arm is not None
    right = reviews.right_answers(bench.db, arm, bench.problem)
    assert len(right) >= 3
    return arm, right


async def test_votes_are_kept_and_asking_again_costs_nothing(bench: Bench) -> None:
    arm, right = await _sampled(bench)
    ask = ("distilled", bench.problem, arm, JUDGED)
    asked = requests.ask_for_votes(bench.db, *ask, n=2)
    await bench.run()
    assert bench.request(asked).state == "done"
    assert len(bench.asked) == 2
    prompt = bench.asked[0]
    for part in ("What is 0 + 7?", "Reference answer: 7", "\\boxed{7}"):
        assert part in prompt
    rows = reviews.of_completion(bench.db, right[0])
    assert [(row.reviewer, row.vote, row.finding) for row in rows] == [
        ("judge:distilled", 0, Finding.SOUND),
        ("judge:distilled", 1, Finding.LOGIC),
        ("judge:distilled", 2, Finding.UNDECIDED),
    ]
    assert rows[1].note == REPLIES[1]
    assert rows[0].source.startswith("a1:")
    requests.ask_for_votes(bench.db, *ask, n=3)
    await bench.run()
    assert len(bench.asked) == 3, "only the third is new"
    tallies = queries.tallies(bench.db)
    ((cell,),) = read_cells(bench.db, [arm], [bench.problem], tallies).values()
    counts = {rule.value: cell.by_rule[rule].sound for rule in Rule}
    assert counts == {"any": 3, "majority": 0, "all": 0}
    assert verify(bench.db) == []


async def test_another_prompt_asks_anew(bench: Bench) -> None:
    from explorer.core.prompts import Template
    from explorer.settings.records import ReviewSettings

    arm, right = await _sampled(bench)
    requests.ask_for_votes(bench.db, "distilled", bench.problem, arm, JUDGED, 1)
    await bench.run()
    own = Template("mine", "{question} {gold} {answer} {completion}")
    bench.settings = replace(
        bench.settings,
        templates={**bench.settings.templates, "mine": own},
        review=ReviewSettings(template="mine", votes=5),
    )
    requests.ask_for_votes(bench.db, "distilled", bench.problem, arm, JUDGED, 1)
    await bench.run()
    assert bench.asked[1].startswith("What is 0 + 7? 7 7 \\boxed{7}")
    rows = reviews.of_completion(bench.db, right[0])
    assert [row.vote for row in rows] == [0, 1, 2, 3, 4]
    assert len({row.source for row in rows}) == 1


async def test_what_does_not_fit_the_judge_is_undecided(bench: Bench) -> None:
    arm, right = await _sampled(bench)
    bench.db.execute("UPDATE completion SET text = text || ?", (" so" * 2000,))
    asked = requests.ask_for_votes(bench.db, "distilled", bench.problem, arm, JUDGED, 99)
    await bench.run()
    assert bench.request(asked).state == "done"
    assert bench.asked == []
    rows = reviews.of_completion(bench.db, right[0])
    assert {row.finding for row in rows} == {Finding.UNDECIDED}
    assert "do not fit the judge's context" in rows[0].note


async def test_guesses_are_an_arm_of_their_own_graded_with_what_the_prompt_began(
    bench: Bench,
) -> None:
    arm, _ = await _sampled(bench)
    bench.script.rates.clear()  # the fake model now goes on with plain text behind the brace

    asked = requests.ask_for_guesses(bench.db, "rl", bench.problem, guess_sampling(SAMPLING), 8)
    guess = requests.ask_for_guesses(bench.db, "base", bench.problem, guess_sampling(SAMPLING), 8)
    await bench.run()
    assert bench.request(asked).state == "done"
    own = bench.request(guess).arm_id
    assert own is not None
    assert own != arm
    row = next(row for row in queries.arms(bench.db) if row.id == own)
    assert is_guess(row.spec.template)
    prompt = queries.prompt(bench.db, own, bench.problem)
    assert prompt is not None
    assert prompt.text == f"Q: What is 0 + 7?\nA: {ENDING}"
    assert queries.tallies(bench.db)[own, bench.problem].n == 8


async def test_the_begun_answer_is_graded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import fake_engine

    said = ("7}.", "8} \\boxed{7}", "\\frac{14}{2}$", "\\frac{14}{2}}")
    monkeypatch.setattr(fake_engine, "text_of", lambda name, seed, index: said[index])
    bench.script.rates.clear()
    sampling = guess_sampling(SAMPLING)
    asked = requests.ask_for_guesses(bench.db, "base", bench.problem, sampling, 4)
    await bench.run()
    arm = bench.request(asked).arm_id
    assert arm is not None
    heads = queries.heads(bench.db, arm, bench.problem)
    assert (heads[0].answer, heads[0].outcome, heads[0].method) == ("7", Outcome.CORRECT, "boxed")
    assert (heads[3].answer, heads[3].outcome) == ("\\frac{14}{2}", Outcome.CORRECT)
    trace = queries.trace(bench.db, heads[0].id)
    assert trace is not None
    assert not trace.text.startswith(BEGUN), "what is stored is what the model wrote"


SETTINGS = """
[models.base]
role = "base"
source = "base"
[templates.mine]
text = "{question} {completion}"
[templates.blind]
text = "{question}"
[review]
"""


class TestSettings:
    def test_read(self, tmp_path: Path) -> None:
        path = tmp_path / "explorer.toml"
        path.write_text(
            SETTINGS
            + 'name = " ada  l "\njudge = "base"\nvotes = 5\npreset = "plain"\ntemplate = "mine"\n'
        )
        found = load(path).review
        assert (found.name, found.judge, found.votes) == ("ada l", "base", 5)
        assert (found.preset, found.template) == ("plain", "mine")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('judge = "other"', 'judge = "other" is not known'),
            ("votes = 0", "votes = 0 is out of range"),
            ('template = "blind"', "no {completion}"),
            ('preset = "no"', 'preset = "no" is not known'),
            ("temperature = 1", "unknown key 'temperature'"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, line: str, said: str) -> None:
        path = tmp_path / "explorer.toml"
        path.write_text(SETTINGS + line + "\n")
        with pytest.raises(SettingsError) as caught:
            load(path)
        assert said in caught.value.detail

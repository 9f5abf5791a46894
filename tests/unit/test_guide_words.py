"""What is said of guides: estimates, progress, what the command line asks and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.cli import guiding
from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.store import catalog, completions, guides, speeds
from explorer.store.guides import NO_LIMITS, Limits
from explorer.views.guide_estimate import read_estimate
from explorer.views.guides import amount, read_guides, read_progress, read_standing
from tests import small_workspace
from tests.fake_engine import Script
from tests.small_workspace import SAMPLING
from tests.unit.guide_cache import (
    PROBLEMS,
    Cache,
    guide,
    opened,
    until,
    wish,
    work,
    working,
)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with opened(tmp_path) as found:
        yield found


class TestBelief:
    def test_problems_chosen_for_how_they_came_out_do_not_make_the_prior(
        self, cache: Cache
    ) -> None:
        """Of a set that a model never solved, its other problems say that it might yet."""
        from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
        from tests import fake_engine

        db, _, _ = cache
        problems = list(catalog.put_problems(db, small_workspace.problems(20)).values())
        for model in ("base", "rl"):
            arm = catalog.put_arm(db, fake_engine.spec(model, "{question}", SAMPLING), model)
            for place, problem in enumerate(problems):
                right = 0 if place < 8 else place - 4
                cell = [
                    (
                        Completion(at, 1, "", FinishReason.STOP, None),
                        Verdict(
                            "math",
                            "1",
                            Outcome.CORRECT if at < right else Outcome.WRONG,
                            "7",
                            "boxed",
                        ),
                    )
                    for at in range(16)
                ]
                completions.append(db, arm, problem, cell)
        standing = read_standing(db, wish(problems[:8]))
        prior = standing.priors()[0]
        assert prior.alpha / (prior.alpha + prior.beta) > 0.3
        assert all(cell.c == 0 and cell.n == 16 for cell in standing.cells)


class TestWords:
    async def test_an_estimate_rests_on_what_was_measured(self, cache: Cache) -> None:
        db, settings, problems = cache
        before = read_estimate(db, wish(problems, n=40))
        assert before.samples == 2 * PROBLEMS * 40
        assert before.tokens == before.samples * SAMPLING.max_tokens
        assert before.seconds is None
        assert before.arms[0].pace.basis() == (
            "at most 32 tokens, none stored yet, speed not measured yet"
        )
        assert "time unknown until the first batch" in before.sentences()[0]
        assert "at most" in before.sentences()[0]
        guides.ask(db, wish(problems, n=20))
        await work(db, settings, Script(step_s=0.001, rates={"base": 0.3, "rl": 0.7}))
        after = read_estimate(db, wish(problems, n=40, limits=Limits(samples=100)))
        assert after.samples == 100
        assert not after.forecast.complete
        (mean,) = db.execute("SELECT AVG(n_tokens) FROM completion").fetchone()
        assert after.tokens == pytest.approx(100 * mean)
        assert after.seconds is not None
        assert after.arms[0].have == PROBLEMS * 20
        assert "measured here over" in after.arms[0].pace.basis()
        text = " ".join(after.sentences())
        assert "Difference in mean pass@k (k = 1, 4, 16" in text
        assert "about 140 samples short of 40 of everything" in text

    async def test_progress_says_what_is_drawn_and_why(self, cache: Cache) -> None:
        db, settings, problems = cache
        script = Script(gate=asyncio.Event())
        asked = guides.ask(db, wish(problems, n=32))
        async with working(db, settings, script):
            await until(lambda: any(one.state == "running" for one in guides.draws(db, asked)))
            found = read_progress(db, guide(db, asked))
            assert found.now.startswith("base on tasks/p0: to learn what this model has already")
            assert found.seconds_left is None
            assert script.gate is not None
            script.gate.set()
            await until(lambda: guide(db, asked).state == "done")
        (over,) = read_guides(db)
        assert [(arm.have, arm.wanted) for arm in over.arms] == [(192, 192)] * 2
        assert over.now == ""


class TestSpeeds:
    def test_of_late_counts_more(self, cache: Cache) -> None:
        db, _, _ = cache
        from tests import fake_engine

        arm = catalog.put_arm(db, fake_engine.spec("base", "{question}", SAMPLING), "base")
        speeds.note(db, arm, "here", 0, 3.0)
        assert speeds.of_arms(db, [arm], "here") is None
        speeds.note(db, arm, "here", 1000, 1000.0)
        speeds.note(db, arm, "here", 5000, 500.0)
        found = speeds.of_arms(db, [arm], "here")
        assert found is not None
        assert found.per_second == pytest.approx(5500 / 1000)
        assert speeds.of_arms(db, [arm], "elsewhere") is None


class TestCommandLine:
    """What only a terminal or a person's hand does; the rest is tried with real processes."""

    def asked(self, n: int = 20) -> guiding.Asked:
        return guiding.Asked(n, "base,rl", "all", "", NO_LIMITS, ())

    def test_ctrl_c_leaves_it_running_and_says_how_to_pause_it(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        db, settings, _ = cache
        monkeypatch.setattr("explorer.preparation.prepare", lambda settings: None)
        monkeypatch.setattr(guiding, "start_sampler", lambda settings: None)

        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("explorer.cli.asking.start_sampler", lambda settings: None)
        monkeypatch.setattr("explorer.cli.asking.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            guiding.begin(settings, self.asked(), only_estimate=False, sure=True, wait=True)
        said = capsys.readouterr().err
        assert "base 0/120 · rl 0/120" in said
        assert "It goes on in the background." in said
        assert "`rlvr-explorer guide pause 1` pauses it" in said
        assert guide(db, 1).state == "open"

    @pytest.mark.parametrize("answer", [True, False])
    def test_a_terminal_is_asked_whether_to_begin(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, answer: bool
    ) -> None:
        db, settings, _ = cache
        monkeypatch.setattr("explorer.preparation.prepare", lambda settings: None)
        started: list[Settings] = []
        monkeypatch.setattr(guiding, "start_sampler", started.append)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("explorer.cli.guiding.click.confirm", lambda *_, **__: answer)
        guiding.begin(settings, self.asked(), only_estimate=False, sure=False, wait=False)
        assert bool(guides.all_guides(db)) == bool(started) == answer

    @pytest.mark.parametrize(
        ("text", "value"),
        [("5000", 5000), ("20k", 20_000), ("1.5M", 1_500_000), ("2,000", 2000), ("0", None),
         ("x", None), ("-3", None), ("", None)],
    )  # fmt: skip
    def test_amounts(self, text: str, value: int | None) -> None:
        assert amount(text) == value

    def test_several_open_ones_must_be_named(self, cache: Cache) -> None:
        db, settings, problems = cache
        for ids in (problems[:2], problems[2:]):
            guides.ask(db, wish(ids))
        with pytest.raises(UsageError, match="Several could be meant: 2, 1"):
            guiding.move(settings, "pause", None)
        guiding.move(settings, "pause", 1)
        assert [row.state for row in reversed(guides.all_guides(db))] != ["open", "open"]
        assert guide(db, 1).state == "paused"
        assert guide(db, 2).state == "open"

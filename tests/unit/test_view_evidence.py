"""The evidence for a trace as views make it: support, strips, likelihood in context, words."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import (
    Completion,
    FinishReason,
    Outcome,
    Tokens,
    TokenScores,
    Verdict,
)
from explorer.core.prompts import RenderedPrompt
from explorer.core.support import State, Support, Truncation
from explorer.store import catalog, completions, noise, queries, support
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from explorer.views.evidence import Evidence, read_evidence
from explorer.views.evidence_strips import Groups, delta_cells, strongest, survival_cells
from explorer.views.evidence_support import NEAR, OUTSIDE, SupportView, power, sampler_label
from explorer.views.evidence_words import context_sentence, noise_sentence, token_words
from tests import fake_cache
from tests.fake_cache import MODELS, _problem, spec

CUT = Sampling(0.6, top_p=0.95)
WORDS = (" so", " x", " =", " 7", ".")
MEANS = (-0.1, -0.2, -0.3, -0.4, -0.5, -0.6)
"""Of the base's own completions; the even ones are right."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "a.db")) as made:
        catalog.put_models(made, MODELS)
        catalog.put_problems(made, [_problem(0)])
        yield made


def add(
    db: sqlite3.Connection,
    model: str,
    means: tuple[float, ...],
    words: tuple[str, ...] = WORDS,
    sampling: Sampling = fake_cache.SAMPLING,
    tokens: bool = True,
) -> list[int]:
    """Completions of a model whose tokens all have one log-probability; longer and longer."""
    arm = catalog.put_arm(db, replace(spec(model), sampling=sampling), model)
    cell = []
    for index, mean in enumerate(means):
        text = [*words, *[" and"] * index]
        ends = np.cumsum([len(word.encode()) for word in text]).astype(np.int32)
        ids = np.arange(len(text), dtype=np.int32)
        found = Tokens(ids, ends, np.full(len(text), mean, np.float32)) if tokens else None
        outcome = Outcome.WRONG if index % 2 else Outcome.CORRECT
        made = Completion(index, 0, "".join(text), FinishReason.STOP, found)
        cell.append((made, Verdict("math", "1", outcome, "7", "boxed")))
    found_ids = completions.append(db, arm, 1, cell)
    return [one for one in found_ids if one is not None]


def score(
    db: sqlite3.Connection,
    completion: int,
    model: str,
    logprobs: NDArray[np.float32] | list[float],
    best: float = -0.05,
) -> int:
    """Teacher-forced scores with two alternatives, the better of log-probability `best`."""
    values = np.asarray(logprobs, np.float32)
    row = ScorerRow(0, model, f"local:{model}", "tok:1", "transformers", "float32")
    scorer = catalog.put_scorer(db, row)
    ranks = np.where(values >= best - 1e-6, 1, 5).astype(np.int32)
    other = math.log(max(1e-9, 0.9 * (1 - math.exp(best))))
    top = np.tile(np.array([best, other], np.float32), (len(values), 1))
    scores = TokenScores(
        values,
        ranks,
        np.zeros(len(values), np.float32),
        np.zeros((len(values), 2), np.int32),
        top,
        [["a", "b"]] * len(values),
    )
    completions.record_score(db, scorer, completion, scores)
    return scorer


def evidence(db: sqlite3.Connection, completion: int, chosen: Sampling | None = None) -> Evidence:
    found = read_evidence(db, completion, (CUT,), chosen)
    assert found is not None
    return found


class TestSupport:
    def test_unscored_says_so_and_knows_what_to_ask_for(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        found = evidence(db, trace, CUT)
        assert found.trace.view.support is None
        assert found.headline.first == "Not known: not scored under base yet."
        first = found.asks[0]
        assert (first.scorer, first.completion_id, first.sampling) == ("base", trace, CUT)

    def test_the_plain_sampler_needs_nothing_but_scores(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        score(db, trace, "base", [-0.5] * 5)
        found = evidence(db, trace)
        view = found.trace.view
        assert (view.how, view.settled, view.outside) == ("exact", True, 0)
        assert found.headline.first == "Every token is inside base's support."
        expected = 2.5 / math.log(10)
        assert view.support is not None
        assert view.support.log10_samples() == pytest.approx((expected, expected))
        assert "12 samples are expected" in found.headline.samples

    def test_alternatives_bound_it_until_the_engine_measures_it(
        self, db: sqlite3.Connection
    ) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        scorer = score(db, trace, "base", [-0.05, -0.05, -9.0, -0.05, -0.05])
        found = evidence(db, trace, CUT)
        view = found.trace.view
        assert view.how == "bounds from the 2 most likely tokens"
        assert (view.first_outside, view.outside) == (2, 1)
        assert found.headline.clear
        assert "First token outside: 3 of 5, ‘␣=’, p 10^−3.9, rank 5." in found.headline.first
        assert found.headline.samples == "No number of samples draws exactly this text."
        assert [ask.scorer for ask in found.asks][:1] == ["base"]
        measured = Truncation(*(np.full(5, value, np.float32) for value in (-0.1, 0.0, 1.0, 0.0)))
        support.record(db, scorer, trace, CUT, measured, 512)
        exact = evidence(db, trace, CUT)
        assert (exact.trace.view.how, exact.trace.view.settled) == ("exact", True)
        assert exact.trace.view.outside == 0

    def test_an_engine_that_cannot_say_is_not_asked_again(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        scorer = score(db, trace, "base", [-0.05] * 5)
        assert any(ask.scorer == "base" for ask in evidence(db, trace, CUT).asks)
        support.record(db, scorer, trace, CUT, None, 512)
        assert not any(ask.scorer == "base" for ask in evidence(db, trace, CUT).asks)

    def test_outside_within_noise_is_no_evidence(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        scorer = score(db, trace, "base", [-0.05, -3.0, -3.0, -0.05, -0.05])
        above = np.array([0, 0.951, 0.999, 0, 0], np.float32)
        tempered = np.full(5, -0.1, np.float32)
        ones, zeros = np.ones(5, np.float32), np.zeros(5, np.float32)
        support.record(db, scorer, trace, CUT, Truncation(tempered, above, ones, zeros), 9)
        view = evidence(db, trace, CUT).trace.view
        assert view.marks.tolist() == [0, NEAR, OUTSIDE, 0, 0]
        assert (view.outside, view.near, view.first_outside) == (2, 1, 2)
        said = evidence(db, trace, CUT).headline
        assert said.first.startswith("First token outside by more than noise: 3 of 5")
        assert "2 of 5 tokens outside, 1 of them by less than 0.1 nat (noise)" in said.counts
        above[2] = 0.951
        support.record(db, scorer, trace, CUT, Truncation(tempered, above, ones, zeros), 9)
        noisy = evidence(db, trace, CUT).headline
        assert not noisy.clear
        assert noisy.first.endswith("within noise of the edge.")
        assert "only noise says so" in noisy.samples

    def test_scores_of_other_tokens_are_not_stretched(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,))
        score(db, trace, "base", [-0.05] * 9)
        found = evidence(db, trace)
        assert found.trace.view.missing == "scored on other tokens (9, not 5)"

    def test_text_without_tokens(self, db: sqlite3.Connection) -> None:
        (trace,) = add(db, "rl", (-0.1,), tokens=False)
        found = evidence(db, trace)
        assert "only its text is recorded" in found.headline.first
        assert found.trace.view.n_tokens == 0

    def test_no_such_completion(self, db: sqlite3.Connection) -> None:
        assert read_evidence(db, 99) is None


class TestControls:
    def test_base_on_its_own_and_the_trace_under_its_own_model(
        self, db: sqlite3.Connection
    ) -> None:
        own = add(db, "base", MEANS)
        (trace,) = add(db, "rl", (-0.1,))
        score(db, own[3], "base", [-0.4] * 8)
        score(db, trace, "rl", [-0.1, -0.1, -0.35, -0.1, -0.1])
        base, rl = evidence(db, trace).controls
        assert base.title == "base on its own #3", "the one that it has scored itself"
        assert rl.title == "rl on this trace"
        assert (base.view.outside, rl.view.outside) == (0, 0)
        assert base.delta is not None
        assert rl.delta is not None
        np.testing.assert_allclose(base.delta, 0, atol=1e-6)
        np.testing.assert_allclose(rl.delta, [0, 0, 0.25, 0, 0], atol=1e-6)

    def test_the_measured_floor_raises_the_threshold(self, db: sqlite3.Connection) -> None:
        own = add(db, "base", MEANS[:1])
        (trace,) = add(db, "rl", (-0.1,))
        score(db, trace, "base", [-0.5] * 5)
        assert evidence(db, trace).floor == 0.1
        assert "not measured" in noise_sentence(None, 0.1)
        scorer = score(db, own[0], "base", [-0.6] * 5)
        arm = next(arm for arm in queries.arms(db) if arm.model.name == "base")
        row = ScorerRow(scorer, "base", "local:base", "tok:1", "transformers", "float32")
        noise.measure(db, arm, row)
        found = evidence(db, trace)
        assert found.floor == pytest.approx(0.5, abs=1e-6)
        assert found.trace.delta is not None
        levels = delta_cells(found.trace.delta, Groups.of(5, 5), found.floor)
        assert levels.tolist() == [0] * 5, "0.4 nat is within what base differs from itself by"
        assert "gaps under 0.50 nat are no evidence" in noise_sentence(found.note, found.floor)

    def test_a_base_trace_is_its_own_control(self, db: sqlite3.Connection) -> None:
        own = add(db, "base", MEANS)
        found = evidence(db, own[0])
        (control,) = found.controls
        assert control.title == "base on this trace"
        assert control.view.how == "as it was sampled"


class TestContext:
    def test_where_a_trace_lies_in_the_bases_own(self, db: sqlite3.Connection) -> None:
        add(db, "base", MEANS)
        (trace,) = add(db, "rl", (-0.05,))
        score(db, trace, "base", [-0.35] * 5)
        found = evidence(db, trace).context
        assert found.under_base == pytest.approx(math.exp(0.35))
        assert found.under_own == pytest.approx(math.exp(0.05))
        parts = {one.label.split(",")[0]: one for one in found.spreads}
        assert parts["all"].place == (0.5, 6)
        assert parts["right"].place.quantile == pytest.approx(2 / 3)
        assert parts["wrong"].place.quantile == pytest.approx(1 / 3)
        assert (parts["right"].place.n, parts["wrong"].place.n) == (3, 3)
        assert [parts[name].place.n for name in ("short", "middle", "long")] == [2, 2, 2]
        assert [parts[name].mine for name in ("short", "middle", "long")] == [True, False, False]
        assert parts["long"].label == "long, 9–10 tok"
        assert "above 50% of base's own 6" in context_sentence(found)

    def test_a_base_trace_is_not_compared_with_itself(self, db: sqlite3.Connection) -> None:
        own = add(db, "base", MEANS)
        found = evidence(db, own[0]).context
        assert found.spreads[0].place == (0.0, 5)

    def test_what_rl_pruned_comes_first(self, db: sqlite3.Connection) -> None:
        own = add(db, "base", MEANS)
        (trace,) = add(db, "rl", (-0.05,))
        for place, mean in ((0, -0.2), (1, -5.0), (4, -3.0)):
            score(db, own[place], "rl", [mean] * (5 + place))
        found = evidence(db, trace)
        assert [one.head.index for one in found.context.pruned] == [4, 0], "right ones only"
        assert (found.context.pruned_n, found.context.right) == (2, 3)
        assert found.context.pruned[0].ratio == pytest.approx(math.exp(3.0 - 0.5))
        asked = {(ask.scorer, ask.n) for ask in found.context_asks}
        assert asked == {("base", 1), ("rl", 6)}

    def test_the_scatter_has_three_sets_and_says_what_it_lacks(
        self, db: sqlite3.Connection
    ) -> None:
        own = add(db, "base", MEANS[:2])
        (trace,) = add(db, "rl", (-0.05,))
        (far,) = add(db, "distilled", (-0.02,))
        score(db, own[0], "rl", [-0.2] * 5)
        score(db, trace, "base", [-0.3] * 5)
        score(db, far, "base", [-2.0] * 5)
        score(db, far, "rl", [-3.0] * 5)
        found = evidence(db, trace).context
        points = {(one.kind, one.here): (one.x, one.y) for one in found.points}
        assert points["base", False] == pytest.approx((-0.1, -0.2))
        assert points["rl", True] == pytest.approx((-0.3, -0.05))
        assert points["distilled", False] == pytest.approx((-2.0, -3.0))
        assert found.unplaced == {"base": 1}
        assert evidence(db, far).context.other == "rl"

    def test_other_tokens_are_compared_per_byte(self, db: sqlite3.Connection) -> None:
        add(db, "base", MEANS)
        (trace,) = add(db, "rl", (-0.05,))
        score(db, trace, "base", [-0.7] * 9)
        found = evidence(db, trace).context
        assert (found.per_byte, found.unit) == (True, "bits/byte")
        n_bytes = len("".join(WORDS))
        assert found.under_base == pytest.approx(0.7 * 9 / math.log(2) / n_bytes)
        assert found.spreads[0].place.n == 6

    def test_prompts_that_are_cut_differently_give_other_tokenizers_away(
        self, db: sqlite3.Connection
    ) -> None:
        add(db, "base", MEANS)
        (trace,) = add(db, "rl", (-0.05,))
        arms = {arm.model.name: arm.id for arm in queries.arms(db)}
        catalog.put_prompt(db, arms["base"], 1, RenderedPrompt("Q", (1, 2)))
        catalog.put_prompt(db, arms["rl"], 1, RenderedPrompt("Q", (1, 2)))
        assert not evidence(db, trace).context.per_byte
        db.execute("UPDATE prompt SET ids = x'01000000' WHERE arm_id = ?", (arms["rl"],))
        assert evidence(db, trace).context.per_byte

    def test_like_sampled_arms_are_preferred_and_others_are_said(
        self, db: sqlite3.Connection
    ) -> None:
        other = Sampling(0.6, 0.95, 0, 160)
        add(db, "base", MEANS, sampling=other)
        (trace,) = add(db, "rl", (-0.05,))
        found = evidence(db, trace)
        assert not found.context.alike
        assert found.sampling == other, "asked about what the base was drawn with"
        add(db, "base", MEANS[:1])
        assert evidence(db, trace).context.alike

    @pytest.mark.parametrize("n", [0, 1])
    def test_hardly_any_completions(self, db: sqlite3.Connection, n: int) -> None:
        add(db, "base", MEANS[:n])
        (trace,) = add(db, "rl", (-0.05,))
        found = evidence(db, trace)
        assert "press x" in context_sentence(found.context)
        assert len(found.controls) == n + 1


class TestStrips:
    @pytest.mark.parametrize(("tokens", "width"), [(1, 80), (79, 80), (80, 80), (16_000, 70)])
    def test_every_token_is_in_a_cell_and_none_is_lost(self, tokens: int, width: int) -> None:
        groups = Groups.of(tokens, width)
        assert len(groups) == min(tokens, width)
        for token in {0, tokens // 3, tokens - 1}:
            marks = np.zeros(tokens, np.int8)
            marks[token] = OUTSIDE
            cells = strongest(marks, groups)
            assert np.flatnonzero(cells).tolist() == [groups.cell_of(token)]

    def test_the_larger_difference_of_a_group_wins_whatever_its_sign(self) -> None:
        delta = np.array([0.2, -3.0, 0.05, np.nan, 0.6, 0.0])
        assert delta_cells(delta, Groups.of(6, 2), 0.1).tolist() == [-4, 2]
        assert delta_cells(delta, Groups.of(6, 2), 0.7).tolist() == [-4, 0]

    def test_survival_is_that_of_a_groups_last_token(self) -> None:
        drawn = np.log(np.array([0.5, 0.5, 0.1, 1.0]))
        found = Support(np.ones(4, np.int8), drawn, drawn)
        lower, upper = survival_cells(found, Groups.of(4, 2))
        np.testing.assert_allclose(10**lower, [0.25, 0.025])
        np.testing.assert_allclose(lower, upper)

    def test_nothing(self) -> None:
        empty = np.zeros(0)
        assert strongest(np.zeros(0, np.int8), Groups.of(0, 80)).tolist() == []
        assert delta_cells(empty, Groups.of(0, 80), 0.1).tolist() == []
        found = Support(np.zeros(0, np.int8), empty, empty)
        assert [len(side) for side in survival_cells(found, Groups.of(0, 80))] == [0, 0]


class TestWords:
    def test_numbers(self) -> None:
        assert [power(value) for value in (0.0, 1.0, 4.0, 23.44)] == [
            "1",
            "10",
            "10^4.0",
            "10^23.4",
        ]
        assert sampler_label(Sampling(1.0, max_tokens=7)) == "T 1, nothing cut"
        assert sampler_label(Sampling(0.6, 0.95, 20)) == "T 0.6 · top-p 0.95 · top-k 20"

    def test_stepping_from_outside_token_to_outside_token(self) -> None:
        states = np.array([1, 0, 1, 0, 2], np.int8)
        drawn = np.zeros(5)
        found = Support(states, drawn, drawn, np.array([0, 9.0, 0, 9.0, 0]))
        view = SupportView("base", CUT, 5, found, "exact")
        assert [view.next_outside(at, 1) for at in (0, 1, 3)] == [1, 3, None]
        assert [view.next_outside(at, -1) for at in (4, 3, 1)] == [3, 1, None]
        assert State(int(states[4])) is State.UNDECIDED

    def test_hostile_text_is_made_visible(self, db: sqlite3.Connection) -> None:
        hostile = (" [b]", "\x1b[2J", "\u202e", " 漢字", "\u200b")
        (trace,) = add(db, "rl", (-0.1,), words=hostile)
        score(db, trace, "base", [-0.05, -9.0, -9.0, -0.05, -0.05])
        found = evidence(db, trace, CUT)
        assert found.trace.view.outside == 2
        said = found.headline.first + "".join(
            token_words(found.trace, token, found.token_text(token)) for token in range(5)
        )
        assert "␛[2J" in said
        assert said.isprintable()

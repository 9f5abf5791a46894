"""The store: appending, tallies, requests, and what `verify` finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

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
from explorer.errors import EngineError, StoreError
from explorer.store import catalog, completions, queries, requests, revisions, status
from explorer.store.connection import open_writer, transaction
from explorer.store.revisions import Topic
from explorer.store.rows import SamplerRow, ScorerRow
from explorer.store.verify import verify
from tests import fake_cache, small_workspace


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "explorer.db")
    yield connection
    connection.close()


@pytest.fixture
def cell(db: sqlite3.Connection) -> tuple[int, int]:
    problem_id = catalog.put_problems(db, small_workspace.problems(1))["p0"]
    return catalog.put_arm(db, fake_cache.spec("base"), "base"), problem_id


def completion(index: int, text: str = "7") -> Completion:
    tokens = Tokens(
        ids=np.array([5, 6, 7], dtype=np.int32),
        ends=np.array([1, 1, 1], dtype=np.int32),
        logprobs=np.array([-0.1, -0.2, -0.6], dtype=np.float32),
    )
    return Completion(index, 0, text, FinishReason.STOP, tokens)


def verdict(outcome: Outcome, verifier: str = "math", version: str = "1") -> Verdict:
    return Verdict(verifier, version, outcome, "7", "boxed")


def scores(n: int) -> TokenScores:
    return TokenScores(
        logprobs=np.full(n, -1, np.float32),
        ranks=np.ones(n, np.int32),
        entropies=np.full(n, np.nan, np.float32),
        top_ids=np.ones((n, 2), np.int32),
        top_logprobs=np.full((n, 2), -np.inf, np.float32),
        top_texts=[["a", "😀"]] * n,
    )


class TestCompletions:
    def test_appending_twice_stores_once_and_keeps_the_first(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        first = completions.append(db, *cell, [(completion(0), None), (completion(1), None)])
        again = completions.append(db, *cell, [(completion(1, "8"), None), (completion(2), None)])
        assert None not in first
        assert again[0] is None
        assert again[1] is not None
        texts = [row[0] for row in db.execute("SELECT text FROM completion ORDER BY sample_index")]
        assert texts == ["7", "7", "7"]
        assert queries.tallies(db)[cell].completions == 3

    def test_an_index_twice_in_one_call_is_stored_once(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        ids = completions.append(db, *cell, [(completion(0), None), (completion(0), None)])
        assert [row is None for row in ids] == [False, True]
        assert verify(db) == []

    def test_what_is_read_is_what_was_stored(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        stored = completion(4, "nul \x00, é, 漢字")
        (row_id,) = completions.append(db, *cell, [(stored, verdict(Outcome.CORRECT))])
        assert row_id is not None
        trace = queries.trace(db, row_id)
        assert trace is not None
        assert trace.text == stored.text
        assert trace.tokens is not None
        assert stored.tokens is not None
        assert trace.tokens.ids.tolist() == [5, 6, 7]
        assert trace.tokens.ends.tolist() == [1, 1, 1]
        assert trace.tokens.logprobs is not None
        assert trace.tokens.logprobs.tolist() == pytest.approx([-0.1, -0.2, -0.6])
        assert trace.head.mean_logprob == pytest.approx(-0.3)
        assert trace.head.outcome is Outcome.CORRECT

    def test_missing_indices(self, db: sqlite3.Connection, cell: tuple[int, int]) -> None:
        completions.append(db, *cell, [(completion(i), None) for i in (0, 2, 9)])
        assert completions.missing_indices(db, *cell, 5) == [1, 3, 4]

    def test_a_failure_half_way_stores_nothing(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        bad = replace(completion(1), seed=2**70)
        with pytest.raises(OverflowError):
            completions.append(db, *cell, [(completion(0), None), (bad, None)])
        assert queries.heads(db, *cell) == []
        completions.append(db, *cell, [(completion(0), None)])
        assert verify(db) == []

    def test_tokens_can_be_added_but_not_replaced(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        bare = replace(completion(0), tokens=None)
        bare_id, full_id = completions.append(db, *cell, [(bare, None), (completion(1), None)])
        assert bare_id is not None
        assert full_id is not None
        found = Tokens(np.array([9], np.int32), np.array([1], np.int32), None, exact=False)
        for row_id in (bare_id, full_id):
            completions.add_tokens(db, row_id, found)
        assert [head.n_tokens for head in queries.heads(db, *cell)] == [1, 3]
        assert verify(db) == []


class TestTallies:
    def test_verdicts_are_counted_once_each(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        one, two, three = completions.append(
            db,
            *cell,
            [
                (completion(0), verdict(Outcome.CORRECT)),
                (completion(1), verdict(Outcome.UNDECIDED)),
                (completion(2), None),
            ],
        )
        assert one is not None
        assert two is not None
        tally = queries.tallies(db)[cell]
        assert (tally.correct, tally.wrong, tally.undecided) == (1, 0, 1)
        assert (tally.n, tally.ungraded) == (2, 1)
        completions.record_verdicts(db, *cell, {one: verdict(Outcome.WRONG, version="2")})
        completions.record_verdicts(db, *cell, {one: verdict(Outcome.WRONG, version="2")})
        tally = queries.tallies(db)[cell]
        assert (tally.correct, tally.wrong, tally.undecided) == (0, 1, 1)
        assert verify(db) == []
        assert three is not None

    def test_another_verifiers_opinion_is_kept_but_not_counted(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        (one,) = completions.append(db, *cell, [(completion(0), verdict(Outcome.WRONG, "exact"))])
        assert one is not None
        completions.record_verdicts(db, *cell, {one: verdict(Outcome.CORRECT, "exact")})
        assert queries.tallies(db)[cell].n == 0
        assert verify(db) == []
        completions.record_verdicts(db, *cell, {one: verdict(Outcome.CORRECT)})
        assert queries.tallies(db)[cell].correct == 1
        assert verify(db) == []

    def test_a_new_gold_answer_drops_the_verdicts(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        completions.append(db, *cell, [(completion(0), verdict(Outcome.WRONG))])
        completions.remember_decisions(db, cell[1], "math", "1", {"7": (Outcome.WRONG, "")})
        (problem,) = small_workspace.problems(1)
        catalog.put_problems(db, [replace(problem, note="only a note")])
        assert queries.tallies(db)[cell].n == 1
        catalog.put_problems(db, [replace(problem, gold="8")])
        assert queries.tallies(db)[cell].n == 0
        assert queries.tallies(db)[cell].ungraded == 1
        assert completions.known_decisions(db, cell[1], "math", "1") == {}
        assert verify(db) == []


class TestCatalog:
    def test_arms_are_found_again_by_what_they_are(self, db: sqlite3.Connection) -> None:
        one = catalog.put_arm(db, fake_cache.spec("base"), "base")
        other = replace(fake_cache.spec("base"), sampling=Sampling(temperature=0.6))
        assert catalog.put_arm(db, fake_cache.spec("base"), "another name") == one
        assert catalog.put_arm(db, other, "base") != one

    def test_a_cell_has_one_prompt(self, db: sqlite3.Connection, cell: tuple[int, int]) -> None:
        catalog.put_prompt(db, *cell, RenderedPrompt("a", (1, 2)))
        catalog.put_prompt(db, *cell, RenderedPrompt("a", (1, 2)))
        with pytest.raises(StoreError, match="prompt is not the one"):
            catalog.put_prompt(db, *cell, RenderedPrompt("a", (1, 3)))

    def test_adding_a_problem_never_changes_one(self, db: sqlite3.Connection) -> None:
        one, two = small_workspace.problems(2)
        catalog.put_problems(db, [one])
        assert catalog.add_problem(db, replace(one, gold="9"))[1] == one
        assert catalog.add_problem(db, two)[1] == two
        assert [row.problem for row in queries.problems(db)] == [one, two]

    def test_scores_come_back_as_stored(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        (row_id,) = completions.append(db, *cell, [(completion(0), None)])
        assert row_id is not None
        scorer = catalog.put_scorer(db, ScorerRow(0, "base", "c", "t", "e", "d"))
        assert queries.unscored(db, scorer, [row_id]) == [row_id]
        completions.record_score(db, scorer, row_id, scores(3))
        assert queries.unscored(db, scorer, [row_id]) == []
        trace = queries.trace(db, row_id)
        assert trace is not None
        (found,) = trace.scores.values()
        assert np.isnan(found.entropies).all()
        assert found.top_ids.shape == found.top_logprobs.shape == (3, 2)
        assert found.top_texts == scores(3).top_texts
        assert verify(db) == []


class TestRequests:
    def ask(self, db: sqlite3.Connection, problem: int, n: int, priority: int = 0) -> int:
        return requests.ask_for_completions(db, "base", problem, Sampling(), n, priority)

    def test_asking_again_raises_an_open_target(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        first = self.ask(db, cell[1], 64, requests.BATCH)
        assert self.ask(db, cell[1], 32, requests.INTERACTIVE) == first
        (row,) = requests.open_requests(db)
        assert (row.n, row.priority, row.state) == (64, requests.INTERACTIVE, "queued")

    @pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
    def test_asking_again_after_its_end_starts_afresh(
        self, db: sqlite3.Connection, cell: tuple[int, int], end: str
    ) -> None:
        first = self.ask(db, cell[1], 64)
        requests.set_state(db, first, end, EngineError("It broke") if end == "failed" else None)
        assert requests.open_requests(db) == []
        self.ask(db, cell[1], 32, requests.BATCH)
        (row,) = requests.open_requests(db)
        assert (row.n, row.priority, row.error) == (32, requests.BATCH, {})

    def test_a_request_that_grew_meanwhile_is_not_closed(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        self.ask(db, cell[1], 8)
        (before,) = requests.open_requests(db)
        self.ask(db, cell[1], 16)
        assert not requests.set_state(db, before.id, "done", asked=before.asked)
        (now,) = requests.open_requests(db)
        assert requests.set_state(db, now.id, "done", asked=now.asked)
        assert requests.open_requests(db) == []

    def test_a_cancelled_request_stays_cancelled(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        self.ask(db, cell[1], 8)
        (before,) = requests.open_requests(db)
        assert requests.cancel(db) == 1
        assert not requests.set_state(db, before.id, "running", asked=before.asked)

    def test_order_of_work(self, db: sqlite3.Connection) -> None:
        ids = list(catalog.put_problems(db, small_workspace.problems(4)).values())
        old, new = (self.ask(db, one, 8, requests.BATCH) for one in ids[:2])
        seen, looked_at = (self.ask(db, one, 8) for one in ids[2:])
        found = [row.id for row in requests.open_requests(db)]
        assert found == [looked_at, seen, old, new]


class TestSamplerRow:
    def row(self, started: float, heartbeat: float, state: str = "idle") -> SamplerRow:
        return SamplerRow(1, "host", started, heartbeat, state, "", "", 0.0, 0)

    def test_a_stop_survives_heartbeats_but_not_a_restart(self, db: sqlite3.Connection) -> None:
        now = 4e9  # far ahead: never stale
        status.report_sampler(db, self.row(1.0, now))
        assert status.request_stop(db)
        status.report_sampler(db, self.row(1.0, now + 1))
        row = status.sampler(db)
        assert row is not None
        assert row.stop_requested > 0
        status.report_sampler(db, self.row(2.0, now + 2))
        row = status.sampler(db)
        assert row is not None
        assert row.stop_requested == 0

    def test_there_is_nobody_to_stop(self, db: sqlite3.Connection) -> None:
        assert not status.request_stop(db)
        status.report_sampler(db, self.row(1.0, 2.0))  # a heartbeat of long ago
        assert not status.request_stop(db)
        status.report_sampler(db, self.row(1.0, 4e9, "stopped"))
        assert not status.request_stop(db)


class TestTransactions:
    def test_an_inner_one_joins_the_outer(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        def both() -> None:
            with transaction(db):
                completions.append(db, *cell, [(completion(0), None)])
                raise KeyError

        with pytest.raises(KeyError):
            both()
        assert queries.heads(db, *cell) == []

    def test_watchers_see_which_topic_changed(
        self, db: sqlite3.Connection, cell: tuple[int, int]
    ) -> None:
        before = revisions.current(db)
        completions.append(db, *cell, [(completion(0), None)])
        after = revisions.current(db)
        assert {topic for topic in Topic if before[topic] != after[topic]} == {Topic.COUNTS}


@pytest.mark.parametrize(
    ("tampering", "table"),
    [
        ("UPDATE arm SET spec = replace(spec, 'local:', 'lokal:') WHERE id = 1", "arm"),
        ("UPDATE prompt SET ids = zeroblob(8) WHERE arm_id = 1", "prompt"),
        ("UPDATE tally SET correct = correct + 1 WHERE arm_id = 2", "tally"),
        ("DELETE FROM tally WHERE arm_id = 2", "tally"),
        ("UPDATE verdict SET outcome = 'correct' WHERE outcome = 'wrong'", "tally"),
        ("DELETE FROM completion WHERE id = 3", "token_data"),
        ("UPDATE token_data SET ids = zeroblob(4) WHERE completion_id = 4", "token_data"),
        ("DELETE FROM token_data WHERE completion_id = 5", "token_data"),
        ("UPDATE score SET logprobs = zeroblob(4)", "score"),
    ],
)
def test_verify_finds_tampering(tmp_path: Path, tampering: str, table: str) -> None:
    path = tmp_path / "explorer.db"
    fake_cache.build(path, problems=3, n=4, scored=1).close()
    with sqlite3.connect(path) as stranger:  # without our foreign keys
        assert verify(stranger) == []
        assert stranger.execute(tampering).rowcount > 0
        assert table in {one.table for one in verify(stranger)}
    stranger.close()

"""Reviews in the store and what follows: CoT-pass@k, agreement, files, guesses, the queue."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.core.guessing import (
    BEGUN,
    ENDING,
    guess_pass,
    guess_sampling,
    guess_template,
    is_guess,
    is_guessable,
)
from explorer.core.judging import JUDGE_CHAT, JUDGE_PLAIN, read_vote
from explorer.core.passk import pass_at_k
from explorer.core.problem import Problem
from explorer.core.prompts import Template
from explorer.core.review import Finding, Rule
from explorer.exchange.reviews import export_reviews, merge_reviews
from explorer.report.luck import cot_tables, guess_lines
from explorer.settings.reader import TEMPLATES
from explorer.store import catalog, completions, queries, reviews
from explorer.store.connection import open_writer
from explorer.store.overrides import override
from explorer.store.rows import ArmRow, ModelRow, ReviewRow, Tally
from explorer.views.agreement import read_agreement
from explorer.views.arms import ArmPick, choose
from explorer.views.cot import cot_cells, cot_means, range_words, sentence
from explorer.views.guesses import guess_arm, guess_effect, guess_of
from explorer.views.luck import read_set_luck
from explorer.views.report_reader import read_problem, read_reports
from explorer.views.review_queue import QueuePick, first_open, read_queue
from tests import fake_cache
from tests.tui.explorer_app import settings_for


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "explorer.sqlite"
    fake_cache.build(path, problems=6, n=8, scored=0).close()
    return path


@pytest.fixture
def db(cache: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(cache)) as connection:
        yield connection


def row(one: int, who: str, finding: Finding, vote: int = 0, made: float = 1.0) -> ReviewRow:
    return ReviewRow(one, who, finding, "", made, True, vote)


def right(db: sqlite3.Connection, least: int = 3) -> tuple[int, int, list[int]]:
    """A cell with a few right answers."""
    for (arm, problem), tally in queries.tallies(db).items():
        if tally.correct >= least and tally.wrong:
            return arm, problem, reviews.right_answers(db, arm, problem)
    raise AssertionError("the fake cache has such a cell")


class TestCot:
    def test_what_is_not_reviewed_is_left_open(self) -> None:
        said = [row(1, "ada", Finding.SOUND), row(2, "ada", Finding.LUCKY)]
        (cell,) = cot_cells(said, correct=5, n=16)
        assert (cell.reviewed, cell.by_rule[Rule.MAJORITY].sound) == (2, 1)
        assert cell.at(4) == (pass_at_k(1, 16, 4), pass_at_k(4, 16, 4))
        assert math.isnan(cell.at(17)[0])
        said += [row(one, "ada", Finding.SOUND) for one in (3, 4, 5)]
        (cell,) = cot_cells(said, correct=5, n=16)
        assert cell.at(4) == (pass_at_k(4, 16, 4), pass_at_k(4, 16, 4))
        assert "to" not in range_words(cell, 4)
        assert "5 of 5 right answers reviewed, 4 sound" in sentence(cell, [1, 64])
        assert "@64" not in sentence(cell, [1, 64])

    def test_three_votes_are_counted_three_ways(self) -> None:
        yes, no, blank = Finding.SOUND, Finding.LOGIC, Finding.UNDECIDED
        cast = [(yes, yes, yes), (yes, yes, no), (yes, no, no), (no, no, no), (blank,) * 3]
        cast += [(yes, no, blank)]
        said = [
            row(one, "judge:m", finding, vote)
            for one, votes in enumerate(cast)
            for vote, finding in enumerate(votes)
        ]
        (cell,) = cot_cells(said, correct=7, n=10)
        counts = {rule.value: cell.by_rule[rule] for rule in Rule}
        assert {name: one.sound for name, one in counts.items()} == {
            "any": 4, "majority": 2, "all": 1
        }  # fmt: skip
        assert (cell.voters, cell.reviewed, cell.unread) == (3, 5, 1)
        # Neither the tie nor the unreadable one, nor the seventh, is decided by the majority.
        assert (counts["majority"].low, counts["majority"].high) == (2, 5)
        assert "4/2/1 sound by any/majority/all of 3 votes" in sentence(cell, [1])

    def test_people_and_judges_are_counted_apart(self) -> None:
        said = [row(1, "judge:m", Finding.FLAWED), row(1, "ada", Finding.SOUND)]
        people, judge = cot_cells(said, correct=1, n=4)
        assert people.voice == "people"
        assert people.at(1) == pytest.approx((0.25, 0.25))
        assert (judge.voice, judge.at(1)) == ("judge:m", (0.0, 0.0))

    def test_means_leave_unreviewed_problems_open(self) -> None:
        tallies = {1: Tally(4, correct=2, wrong=2), 2: Tally(4, correct=1, wrong=3)}
        cells = {1: cot_cells([row(1, "a", Finding.SOUND), row(2, "a", Finding.LUCKY)], 2, 4)}
        (mean,) = cot_means(cells, tallies, [1, 8])
        assert mean.lower[Rule.MAJORITY][0] == pytest.approx((0.25 + 0) / 2)
        assert mean.upper[Rule.MAJORITY][0] == pytest.approx((0.25 + 0.25) / 2)
        assert math.isnan(mean.lower[Rule.MAJORITY][1])
        assert (mean.reviewed, mean.correct, mean.touched, mean.problems) == (2, 3, 1, 2)


class TestStore:
    def test_a_later_word_replaces_and_right_answers_alone_count(
        self, db: sqlite3.Connection
    ) -> None:
        arm, problem, ids = right(db)
        reviews.say(db, ids[0], "ada", Finding.LUCKY, blind=True, note="hm")
        reviews.say(db, ids[0], "ada", Finding.SOUND, blind=True)
        reviews.say(db, ids[1], "ada", Finding.SOUND, blind=True)
        (first,) = reviews.of_completion(db, ids[0])
        assert (first.finding, first.note) == (Finding.SOUND, "hm")
        assert len(reviews.of_right_answers(db, [arm], [problem])[arm, problem]) == 2
        override(db, [ids[0]], Outcome.WRONG, "ada")
        assert [one.completion_id for one in reviews.of_right_answers(db, [arm], [problem])[
            arm, problem
        ]] == [ids[1]]  # fmt: skip
        trace = queries.trace(db, ids[1])
        assert trace is not None
        assert [one.reviewer for one in trace.reviews] == ["ada"]

    def test_who_was_told_is_not_blind_again(self, db: sqlite3.Connection) -> None:
        _, _, ids = right(db)
        reviews.reveal(db, ids[0], "ada")
        reviews.reveal(db, ids[0], "ada")
        reviews.say(db, ids[0], "ada", Finding.SOUND, blind=True)
        reviews.say(db, ids[0], "bob", Finding.SOUND, blind=True)
        assert [one.blind for one in reviews.of_completion(db, ids[0])] == [False, True]
        assert reviews.take_back(db, ids[0], "ada")
        assert not reviews.take_back(db, ids[0], "ada")


class TestQueue:
    def test_hard_problems_come_first_and_the_order_tells_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "q.sqlite"
        db = fake_cache.build(path, problems=3, n=2, scored=0)
        tasks = [Problem("twins", f"hard-{i}", "?", "7") for i in range(3)]
        ids = catalog.put_problems(db, tasks)
        arms = {arm.model.name: arm.id for arm in queries.arms(db)}
        for task in tasks:
            for model, correct in (("base", 1), ("rl", 50), ("distilled", 50)):
                cell = [_sample(index, index < correct) for index in range(64)]
                completions.append(db, arms[model], ids[task.name], cell)
        settings = settings_for(path)
        queue = read_queue(db, settings, QueuePick("ada"))
        hard = [one for one in queue if one.hard]
        assert queue[: len(hard)] == tuple(hard)
        assert {one.problem_id for one in hard} == set(ids.values())
        assert len(hard) == 3 * (1 + 4 + 4)
        assert len(read_queue(db, settings, QueuePick("ada", each=0))) > 3 * 101
        db.execute("UPDATE review_seed SET seed = 1")
        ranks: dict[int, list[int]] = {}
        for number in range(60):
            order = read_queue(db, settings, QueuePick(f"reviewer {number}"))
            assert order == read_queue(db, settings, QueuePick(f"reviewer {number}"))
            cells = reviews.cells_of(db, [one.completion_id for one in order])
            for place, one in enumerate(order[: len(hard)]):
                ranks.setdefault(cells[one.completion_id][0], []).append(place % 9)
        for arm in arms.values():
            mean = sum(ranks[arm]) / len(ranks[arm])
            assert mean == pytest.approx(4, abs=0.6), "no model comes early or late"
        db.close()

    def test_the_next_open_one_wraps_around(self, db: sqlite3.Connection) -> None:
        queue = read_queue(db, settings_for(Path("/nowhere/e.sqlite")), QueuePick("ada"))
        said = {one.completion_id: row(1, "ada", Finding.SOUND) for one in queue[2:]}
        assert first_open(queue, said, 5) == 0
        assert first_open(queue, said, 1) == 1
        said = {one.completion_id: row(1, "ada", Finding.SOUND) for one in queue}
        assert first_open(queue, said, 1) is None


def _sample(index: int, is_right: bool) -> tuple[Completion, Verdict]:
    outcome = Outcome.CORRECT if is_right else Outcome.WRONG
    verdict = Verdict("math", "math-1", outcome, "7" if is_right else "8", "boxed")
    return Completion(index, 0, f"text {index}", FinishReason.STOP, None), verdict


class TestAgreement:
    def test_kappa_of_each_pair_and_the_conflicts(self, db: sqlite3.Connection) -> None:
        ids = [one for cell in queries.tallies(db) for one in reviews.right_answers(db, *cell)][:10]
        sound, logic = Finding.SOUND, Finding.LOGIC
        # Both: 4 sound/sound, 3 flawed/flawed of which one of another kind, 3 that differ.
        ada = [sound] * 6 + [logic] * 4
        bob = [sound] * 4 + [logic] * 2 + [Finding.LUCKY, logic, logic, sound]
        for one, a, b in zip(ids, ada, bob, strict=True):
            reviews.say(db, one, "ada", a, blind=True)
            reviews.say(db, one, "bob", b, blind=True)
        votes = [(sound, sound, logic), (sound, logic, Finding.UNDECIDED)]
        reviews.put_reviews(
            db,
            [
                row(ids[place], "judge:m", said, vote)
                for place, cast in enumerate(votes)
                for vote, said in enumerate(cast)
            ],
        )
        found = read_agreement(db)
        pair = found.pairs[0]
        assert (pair.first, pair.second, pair.shared, pair.same) == ("ada", "bob", 10, 6)
        by_chance = 0.6 * 0.5 + 0.4 * 0.5
        assert pair.kappa == pytest.approx((0.7 - by_chance) / (1 - by_chance))
        assert pair.kappa_findings < pair.kappa
        judged = found.pairs[1]
        assert (judged.second, judged.shared) == ("judge:m", 1), "a tie is compared with nobody"
        assert math.isnan(judged.kappa_findings)
        assert len(found.conflicts) == 3
        assert ("judge:m", "1 of 3 votes sound") not in found.conflicts[0].said


class TestExchange:
    def test_reviews_travel_between_caches(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        _, _, ids = right(db)
        reviews.say(db, ids[0], "ada", Finding.LUCKY, blind=True, note="\x1b[2J é", made=5.0)
        reviews.say(db, ids[1], "ada", Finding.SOUND, blind=False, made=5.0)
        file = tmp_path / "ada.jsonl"
        assert export_reviews(db, file) == 2
        assert "\x1b" not in file.read_text(encoding="utf-8")
        other = fake_cache.build(tmp_path / "bob.sqlite", problems=6, n=8, scored=0)
        with closing(other):
            report = merge_reviews(other, file)
            assert (report.new, report.replaced, report.same, report.absent) == (2, 0, 0, 0)
            assert merge_reviews(other, file).same == 2
            merged = {one.review for one in reviews.everything(other)}
            assert merged == {one.review for one in reviews.everything(db)}
            reviews.say(other, ids[0], "ada", Finding.SOUND, blind=True, made=9.0)
            assert merge_reviews(other, file).same == 2, "a newer word of one's own stays"
            reviews.say(db, ids[0], "ada", Finding.LOGIC, blind=True, made=10.0)
            export_reviews(db, file)
            assert merge_reviews(other, file).replaced == 1

    def test_only_the_very_completion_and_only_reviews(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        _, _, ids = right(db)
        reviews.say(db, ids[0], "ada", Finding.LUCKY, blind=True, made=5.0)
        file = tmp_path / "ada.jsonl"
        export_reviews(db, file)
        line = json.loads(file.read_text())
        bad = [
            {**line, "text": "0" * 24},
            {**line, "arm": "a1:" + "0" * 40},
            {**line, "finding": "brilliant"},
            {**line, "made": 1e999},
            {"type": "completion"},
            {key: value for key, value in line.items() if key != "reviewer"},
        ]
        file.write_text("not json\n" + "".join(json.dumps(one) + "\n" for one in bad))
        before = reviews.everything(db)
        report = merge_reviews(db, file)
        assert (report.absent, report.faulty, report.new) == (2, 5, 0)
        assert "ada.jsonl:1:" in report.faults[0]
        assert reviews.everything(db) == before


class TestJudgeWords:
    @pytest.mark.parametrize(
        ("reply", "found"),
        [
            (r"Fine. Kind: none \boxed{yes}", Finding.SOUND),
            (r"**Kind:** Calculation" + "\n" + r"\boxed{No}", Finding.CALCULATION),
            (r"Kind: Logical … Kind: omission \boxed{ \text{no} }", Finding.OMISSION),
            (r"Kind: other \boxed{no}", Finding.FLAWED),
            (r"\boxed{no}", Finding.FLAWED),
            (r"\boxed{yes} but then \boxed{no} Kind: conceptual", Finding.FLAWED),
            (r"the answer is \boxed{7}", Finding.UNDECIDED),
            (r"\boxed{yes} no wait \boxed{maybe}", Finding.UNDECIDED),
            ("yes", Finding.UNDECIDED),
            ("", Finding.UNDECIDED),
        ],
    )
    def test_the_last_box_counts(self, reply: str, found: Finding) -> None:
        assert read_vote(reply) is found

    def test_the_prompt_shows_hostile_text_as_it_is(self) -> None:
        columns = {"gold": "7", "completion": "{question} {gold} \\boxed{yes}", "answer": "7"}
        problem = Problem("d", "p", "What {x}?", "7", extra=columns)
        text = JUDGE_PLAIN.fill(problem)
        assert isinstance(text, str)
        assert "{question} {gold} \\boxed{yes}" in text
        assert text.count("What {x}?") == 1
        assert JUDGE_CHAT.chat


class TestGuessing:
    @pytest.mark.parametrize("name", sorted(TEMPLATES))
    def test_every_built_in_prompt_has_a_form_without_reasoning(self, name: str) -> None:
        own = TEMPLATES[name]
        template = guess_template(own)
        assert is_guess(template.canonical())
        assert not is_guess(own.canonical())
        assert "{question}" in template.text or not own.chat
        last = template.prefill if template.chat else template.text
        assert last.endswith(ENDING)
        assert "<think>" not in last or "</think>" in last

    def test_forms(self) -> None:
        plain = guess_template(Template("qa", "Question: {question}\nAnswer:"))
        assert plain.text == "Question: {question}\nAnswer: The answer is \\boxed{"
        thinking = guess_template(Template("r1", "User: {question}\nAssistant: <think>"))
        assert thinking.text.endswith("<think>\n\n</think>\n\nThe answer is \\boxed{")
        assert BEGUN in ENDING
        assert not is_guess('{"not": "a template"')

    def test_what_a_guess_is_worth(self) -> None:
        assert guess_pass(1e-3, [1024, 128]) == pytest.approx([0.64, 0.12], abs=0.005)
        assert guess_pass(1.0, [1]) == [1.0]
        assert guess_pass(0.0, [9]) == [0.0]
        assert [is_guessable(c, 64) for c in (0, 1, 3, 4)] == [False, True, True, False]
        assert not is_guessable(0, 0)
        assert guess_sampling(Sampling(0.6, 0.95, 0, 16384)).max_tokens == 32

    def test_guess_arms_stand_apart_and_their_effect_is_counted(
        self, cache: Path, db: sqlite3.Connection
    ) -> None:
        arm = _guess_arm(db)
        problems = queries.problems(db)
        for position, problem in enumerate(problems):
            correct = (1, 2, 0, 32)[position % 4]
            cell = [_sample(index, index < correct) for index in range(64)]
            completions.append(db, arm.id, problem.id, cell)
        settings = settings_for(cache)
        sizes = queries.arm_sizes(db)
        choice = choose(queries.arms(db), queries.models(db), sizes, settings, ArmPick())
        assert arm.id not in {column.arm_id for column in choice.columns}
        assert all(option.sampling != arm.spec.sampling for option in choice.options)
        base = choice.columns[0]
        found = guess_arm(base, queries.arms(db), sizes)
        assert found is not None
        assert found.id == arm.id
        assert guess_arm(choice.columns[1], queries.arms(db), sizes) is None
        tallies = queries.tallies(db)
        effect = guess_effect(base, arm, problems, tallies, [1, 8])
        assert effect is not None
        flagged = [row for place, row in enumerate(problems) if place % 4 < 2]
        assert effect.guessable == tuple(row.problem.name for row in flagged)
        assert (effect.direct, effect.never, effect.kept) == (1, 1, 2)
        kept = [row for row in problems if row not in flagged]
        rate = [tallies[base.arm_id, row.id].correct / 8 for row in kept]
        assert effect.without[0] == pytest.approx(sum(rate) / len(rate))
        guess = guess_of(arm, tallies[arm.id, problems[0].id], [1, 64])
        assert guess is not None
        assert guess.values[1] == pytest.approx(1 - (1 - 1 / 64) ** 64)
        assert "1/64 = 1.6%" in guess.sentence()
        assert "guessable" in guess.sentence()

    def test_reports_tell_of_both(self, cache: Path, db: sqlite3.Connection) -> None:
        settings = settings_for(cache)
        (plain,) = read_reports(settings)
        assert (plain.luck.cot, plain.luck.guesses) == ((), ())
        arm = _guess_arm(db)
        base, problem, ids = right(db)
        completions.append(db, arm.id, problem, [_sample(i, i == 0) for i in range(64)])
        reviews.say(db, ids[0], "ada", Finding.SOUND, blind=True)
        (report,) = read_reports(settings)
        assert "guessing alone reaches" in "\n".join(guess_lines(report.luck))
        ((title, headers, rows),) = cot_tables(report.luck)
        assert title == "Reasoning, by people"
        assert len(headers) == 2
        assert rows[0][1].startswith("1 of ")
        name = next(row.problem.name for row in queries.problems(db) if row.id == problem)
        one = read_problem(settings, name)
        assert one.luck.cot[0].cells[0].reviewed == 1
        assert one.luck.guesses[0].n == 64
        tallies = queries.tallies(db)
        columns = [line.column for line in report.arms]
        again = read_set_luck(db, columns, queries.problems(db), tallies, report.ks)
        assert repr(again) == repr(report.luck)
        assert base


def _guess_arm(db: sqlite3.Connection) -> ArmRow:
    own = fake_cache.spec("base")
    template = guess_template(Template.from_canonical("", own.template)).canonical()
    sampling = guess_sampling(own.sampling)
    spec = ArmSpec(own.checkpoint, own.tokenizer, template, sampling, 256, own.engine, own.dtype)
    arm_id = catalog.put_arm(db, spec, "base")
    return ArmRow(arm_id, spec.key(), spec, ModelRow("base", "base", "", ""))

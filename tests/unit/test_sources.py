"""Other people's rollout files: what is recognised, what is read, and what damage costs."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from explorer.core.completion import FinishReason, Outcome
from explorer.core.problem import Problem
from explorer.errors import DataError
from explorer.exchange import recorded
from explorer.exchange.files import files_in, recognise
from explorer.exchange.importer import import_file
from explorer.exchange.recorded import Decoder, Given
from explorer.exchange.report import ImportReport
from explorer.store import catalog, queries
from explorer.store.connection import open_writer
from explorer.store.labels import label_counts, label_differences
from explorer.store.rows import TraceRow
from explorer.store.verify import verify
from explorer.verifiers.pool import VerifierPool
from tests import recorded_files as ours

ROOT = Path(__file__).parents[2]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "cache.db")) as connection:
        yield connection


def traces(db: sqlite3.Connection) -> list[TraceRow]:
    ids = db.execute("SELECT id FROM completion ORDER BY id").fetchall()
    return [trace for (one,) in ids if (trace := queries.trace(db, one)) is not None]


def said(db: sqlite3.Connection) -> list[Outcome | None]:
    """What the sources say, in order of arrival."""
    found = [trace.recorded for trace in traces(db)]
    return [one.compared.outcome if one and one.compared else None for one in found]


def first_arm(db: sqlite3.Connection) -> Any:
    return queries.arms(db)[0]


class TestEveryFormat:
    @pytest.mark.parametrize("name", ours.WRITERS)
    def test_is_recognised_and_read_whole(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        path = ours.WRITERS[name](tmp_path / "runs")
        report = import_file(db, path)
        assert report.faults == ()
        assert report.recognised
        assert report.added == report.added + report.present >= 1
        assert report.labels >= 1
        assert set(report.models) <= {"m", "ours/m", "small", "large"}
        assert verify(db) == []
        (source,) = db.execute("SELECT DISTINCT format FROM source_row").fetchone()
        assert name.split()[0] == source

    @pytest.mark.parametrize("name", ours.WRITERS)
    def test_importing_again_or_from_a_copy_adds_nothing(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        path = ours.WRITERS[name](tmp_path / "runs")
        import_file(db, path)
        before = db.execute("SELECT * FROM completion").fetchall()
        assert import_file(db, path).unchanged
        for report in (
            import_file(db, path, again=True),
            import_file(db, ours.WRITERS[name](tmp_path / "copy"), again=True),
        ):
            assert (report.added, report.problems, report.labels) == (0, 0, 0)
            assert report.present >= len(before)
        assert db.execute("SELECT * FROM completion").fetchall() == before
        assert verify(db) == []

    @pytest.mark.parametrize("name", ours.WRITERS)
    def test_in_a_folder(self, db: sqlite3.Connection, tmp_path: Path, name: str) -> None:
        path = ours.WRITERS[name](tmp_path / "runs")
        reports = [import_file(db, file) for file in files_in(tmp_path / "runs")]
        read = [report for report in reports if not report.companion_of]
        assert [report.path.name for report in read] == [path.name]

    def test_what_our_own_format_is_called(self, tmp_path: Path) -> None:
        path = ours.lines(tmp_path / "r.jsonl", [{"type": "rlvr-explorer", "version": 1}])
        assert recognise(path) == "rlvr-explorer's own format"


class TestQwenHarness:
    def test_seeds_are_pooled_per_problem(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        for seed in (0, 1):
            import_file(db, ours.qwen_harness(tmp_path, seed))
        (arm,) = queries.arms(db)
        assert arm.model.name == "m"
        assert arm.spec.template == "unknown:qwen-boxed"
        assert arm.spec.checkpoint == "unknown:m"
        assert [tally.completions for tally in queries.tallies(db).values()] == [4, 4]
        seeds = db.execute("SELECT seed, COUNT(*) FROM completion GROUP BY seed").fetchall()
        assert seeds == [(0, 4), (1, 4)]

    def test_settings_come_from_the_name_and_are_never_pooled(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        for temperature in ("0.6", "1.0"):
            import_file(db, ours.qwen_harness(tmp_path, 0, temperature))
        found = [arm.spec.sampling for arm in queries.arms(db)]
        assert [sampling.temperature for sampling in found] == [0.6, 1.0]
        assert found[0].label() == "T 0.6 · top-p ? · top-k ? · ≤? tok"
        assert not found[0].is_known

    def test_what_the_file_does_not_say_a_person_can(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        given = Given(model="r1", role="rl", base="b", temperature=0.1, top_p=0.95, max_tokens=99)
        import_file(db, ours.qwen_harness(tmp_path), given=given)
        (arm,) = queries.arms(db)
        assert (arm.model.name, arm.model.role, arm.model.base) == ("r1", "rl", "b")
        sampling = arm.spec.sampling
        assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.6, 0.95, 99)
        assert {row.name: row.role for row in queries.models(db)} == {"r1": "rl", "b": "base"}

    def test_the_step_of_a_run_is_part_of_the_models_name(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        folder = tmp_path / "grpo-run" / "eval_results" / "global_step_40" / "jars"
        name = ours.qwen_harness(tmp_path).name
        ours.lines(folder / name, ours.qwen_rows())
        assert set(import_file(db, folder / name).models) == {"grpo-run global_step_40"}

    def test_rows_that_a_stop_string_cut_are_marked(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        row = {"idx": 0, "question": ours.TWO, "gt": "14", "finish_reason": ["stop", "stop"],
               "code": ["5 plus 9 is", "The answer is \\boxed{14}"], "score": [0, 1]}  # fmt: skip
        name = "test_cot_-1_seed0_t1.0_s0_e-1.jsonl"
        report = import_file(db, ours.lines(tmp_path / "m" / "jars" / name, [row]))
        (note,) = report.notes
        assert "perhaps cut at a stop string" in note
        assert report.notes[note] == 1
        assert [one.recorded.note for one in traces(db) if one.recorded] == [note, ""]
        assert {trace.head.finish for trace in traces(db)} == {FinishReason.STOP}


class TestProblems:
    def test_a_statement_is_matched_to_the_workspaces_dataset(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        mine = Problem(
            "crates", "c1", "A crate holds 4 jars.\nHow many  jars do 3 crates hold?", "12"
        )
        ids = catalog.put_problems(db, [mine])
        report = import_file(db, ours.qwen_harness(tmp_path))
        assert report.problems == 1
        assert report.datasets == {"crates": 2, "qwen-harness:jars": 2}
        tallies = queries.problem_tallies(db, ids["c1"])
        assert [tally.completions for tally in tallies.values()] == [2]

    def test_an_instruction_around_the_statement_does_not_matter(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        catalog.put_problems(db, [Problem("crates", "c1", ours.ONE, "12")])
        asked = (
            ours.ONE + "\nPlease reason step by step, and put your final answer within \\boxed{}."
        )
        row = {"idx": 0, "question": asked, "gt": "12", "code": ["\\boxed{12}"], "score": [True]}
        report = import_file(db, ours.lines(tmp_path / "r.jsonl", [row]))
        assert report.datasets == {"crates": 1}

    def test_one_statement_with_two_golds_is_two_problems(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        rows = [{"idx": n, "question": "Which?", "gt": gold, "code": ["\\boxed{1}"], "score": [0]}
                for n, gold in enumerate("12")]  # fmt: skip
        report = import_file(db, ours.lines(tmp_path / "r.jsonl", rows))
        assert (report.added, report.problems) == (2, 2)

    def test_an_id_taken_by_another_statement_gets_a_name_of_its_own(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        rows = [{"idx": 0, "question": asked, "gt": "1", "code": ["x"], "score": [0]}
                for asked in ("First?", "Second?")]  # fmt: skip
        import_file(db, ours.lines(tmp_path / "r.jsonl", rows))
        names = [row.problem.name for row in queries.problems(db)]
        assert names[0] == "0"
        assert names[1].startswith("0~")

    def test_a_code_task_is_matched_by_its_id(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        mine = Problem("humaneval", "HumanEval/0", "def f(): ...", "", verifier="code")
        catalog.put_problems(db, [mine])
        report = import_file(db, ours.evalplus(tmp_path))
        assert report.datasets == {"humaneval": 2, "evalplus:humaneval": 1}

    def test_the_label_is_the_one_of_the_tests_that_the_problem_has(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        path = ours.evalplus(tmp_path)
        import_file(db, path)
        assert said(db)[0] is Outcome.CORRECT  # the base tests
        with closing(open_writer(tmp_path / "plus.db")) as plus:
            mine = Problem("humaneval_plus", "HumanEval/0", "def f(): ...", "", verifier="code")
            catalog.put_problems(plus, [mine])
            import_file(plus, path)
            assert said(plus)[0] is Outcome.WRONG

    def test_code_tests_of_the_file_make_a_problem_that_can_be_run(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        import_file(db, ours.bigcode(tmp_path))
        (row,) = queries.problems(db)
        tested = queries.tested_problem(db, row.id)
        assert tested is not None
        assert tested.problem.tests is not None
        tests = tested.problem.tests.unpack()
        assert (tests.entry_point, tests.prompt) == ("f", row.problem.statement)
        assert "candidate(1) == 2" in tests.code


class TestTokens:
    def test_a_trace_keeps_the_ids_that_the_model_drew(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        import_file(db, ours.verifiers_traces(tmp_path))
        trace = queries.trace(db, 1, unplaced=True)
        assert trace is not None
        assert trace.tokens is not None
        assert trace.tokens.ids.tolist() == [20, 21, 22]
        assert trace.tokens.logprobs is not None
        assert trace.tokens.logprobs.tolist() == [-0.5] * 3
        assert trace.tokens.exact
        assert trace.head.mean_logprob == -0.5
        prompt = queries.prompt(db, trace.arm_id, trace.problem_id)
        assert prompt is not None
        assert prompt.ids == (5, 6, 7, 8)

    def test_ids_without_a_tokenizer_are_not_drawn_over_the_text(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        import_file(db, ours.nemo_rl(tmp_path))
        trace = queries.trace(db, 1)
        assert trace is not None
        assert (trace.tokens, trace.text) == (None, ours.RIGHT)
        assert trace.head.n_tokens == 3

    def test_padding_and_prompt_are_no_part_of_the_answer(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        import_file(db, ours.nemo_rl(tmp_path))
        trace = queries.trace(db, 1, unplaced=True)
        assert trace is not None
        assert trace.tokens is not None
        assert trace.tokens.ids.tolist() == [30, 31, 32]
        prompt = queries.prompt(db, trace.arm_id, trace.problem_id)
        assert prompt is not None
        assert prompt.ids == (1, 2)

    def test_ids_alone_need_a_tokenizer(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        report = import_file(db, ours.open_instruct(tmp_path))
        assert report.added == 0
        assert "--tokenizer" in report.faults[0].reason
        words = {3: "user\n", 4: "What is 12?\nassistant\n", 10: "It is ", 11: "12.", 12: "No"}

        def text(ids: list[int]) -> str:
            return "".join(words[one] for one in ids)

        def ends(ids: list[int], whole: str) -> list[int]:
            return [len(text(ids[: place + 1])) for place in range(len(ids))]

        given = Given(decoder=Decoder(text, ends, "tok:ours"))
        report = import_file(db, tmp_path / "m" / "rollouts_0000.jsonl", given=given)
        assert (report.added, report.faults) == (2, ())
        trace = queries.trace(db, 1)
        assert trace is not None
        assert trace.tokens is not None
        assert (trace.text, trace.tokens.ends.tolist()) == ("It is 12.", [6, 9])
        assert queries.problems(db)[0].problem.statement == "What is 12?"
        assert first_arm(db).spec.tokenizer == "tok:ours"

    def test_inspects_logprobs_give_the_mean(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        import_file(db, ours.inspect_eval(tmp_path))
        assert [trace.head.mean_logprob for trace in traces(db)] == [-1.5, -1.5]


class TestParticulars:
    def test_inspect_epochs_are_samples_and_attachments_are_put_back(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        import_file(db, ours.inspect_eval(tmp_path))
        (row,) = queries.problems(db)
        assert (row.problem.statement, row.problem.gold) == (ours.ONE, "12")
        assert [trace.head.index for trace in traces(db)] == [0, 1]
        assert said(db) == [Outcome.CORRECT, Outcome.WRONG]
        assert {trace.head.finish for trace in traces(db)} == {FinishReason.LENGTH}
        assert first_arm(db).spec.sampling.max_tokens == 32
        assert import_file(db, ours.inspect_json(tmp_path)).added == 0  # the same evaluation

    def test_a_run_that_is_still_going(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        path = tmp_path / "going.eval"
        with zipfile.ZipFile(path, "w") as archive:
            header = {name: ours.inspect_header()[name] for name in ("version", "eval", "plan")}
            archive.writestr("_journal/start.json", json.dumps(header))
            sample = ours.inspect_sample(1, 1, ours.RIGHT, "C")
            archive.writestr("samples/1_epoch_1.json", json.dumps(sample))
        report = import_file(db, path)
        assert report.added == 1
        assert "still running" in report.recognised

    def test_a_later_filter_of_lm_eval_adds_labels_only(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        report = import_file(db, ours.lm_eval(tmp_path))
        assert (report.added, report.present) == (2, 0)
        recorded_row = traces(db)[0].recorded
        assert recorded_row is not None
        assert [label.name for label in recorded_row.labels] == [
            "exact_match",
            "exact_match (flexible)",
        ]

    def test_ranked_options_say_that_nothing_was_sampled(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        report = import_file(db, ours.lm_eval_ranked(tmp_path))
        assert report.notes == {"not sampled: the option ranked first": 1}
        assert [trace.text for trace in traces(db)] == ["B"]

    def test_metadata_that_contradicts_the_rows_is_said(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        report = import_file(db, ours.verifiers(tmp_path))
        assert report.remarks == (
            "metadata.json says 2 examples × 2 rollouts, the rows are 2 × 1–2",
        )
        assert report.notes == {"empty in the file": 1}
        assert first_arm(db).spec.sampling.temperature == 0.7

    def test_tool_calls_are_part_of_the_text(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        call = {"function": {"name": "python", "arguments": '{"code": "3 * 4"}'}}
        said_in_turns = [
            {"role": "assistant", "content": "", "tool_calls": [json.dumps(call)]},
            {"role": "tool", "content": "12"},
            {"role": "assistant", "content": "So 12."},
        ]
        row = {"id": 0, "prompt": ours.ONE, "completion": said_in_turns, "answer": "12",
               "reward": 1.0}  # fmt: skip
        import_file(db, ours.lines(tmp_path / "jars--m" / "r1" / "results.jsonl", [row]))
        (trace,) = traces(db)
        assert trace.text == '[tool call python]\n{"code": "3 * 4"}\n\n[tool]\n12\n\nSo 12.'
        assert trace.recorded is not None
        assert trace.recorded.note == "2 turns as one text"

    def test_steps_of_a_training_run_are_never_pooled(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        path = ours.verl(tmp_path)
        import_file(db, path)
        rows = [json.loads(line) | {"step": 4} for line in path.read_text().splitlines()]
        import_file(db, ours.lines(path.with_name("4.jsonl"), rows))
        checkpoints = {arm.spec.checkpoint for arm in queries.arms(db)}
        assert checkpoints == {"unknown:m@step 3", "unknown:m@step 4"}

    def test_verls_prompt_gives_the_statement(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        import_file(db, ours.verl(tmp_path))
        assert [row.problem.statement for row in queries.problems(db)] == [ours.ONE, ours.TWO]

    def test_samples_beside_their_results_are_not_read_twice(self, tmp_path: Path) -> None:
        ours.human_eval(tmp_path)
        assert recognise(tmp_path / "m" / "samples.jsonl").startswith("belongs to")

    def test_results_that_come_later_add_labels_to_the_samples(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        results = ours.human_eval(tmp_path)
        away = results.rename(tmp_path / "away")
        assert import_file(db, tmp_path / "m" / "samples.jsonl").added == 3
        assert said(db) == [None, None, None]
        away.rename(results)
        report = import_file(db, results)
        assert (report.added, report.present, report.labels) == (0, 3, 3)
        assert said(db) == [Outcome.CORRECT, Outcome.WRONG, Outcome.WRONG]
        assert verify(db) == []


class TestLabels:
    def test_disagreement_is_counted_and_kept_true(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        rows = ours.qwen_rows()
        rows[0]["score"] = [False, False]  # the first answer is right, whatever the source says
        path = ours.lines(tmp_path / "m" / "r.jsonl", rows)
        with VerifierPool(1) as pool:
            report = import_file(db, path, pool=pool)
        assert report.graded == 4
        tallies = queries.tallies(db)
        assert [tally.label_differs for tally in tallies.values()] == [1, 0]
        (difference,) = label_differences(db)
        assert (difference.said, difference.ours) == (Outcome.WRONG, Outcome.CORRECT)
        assert (difference.answer, difference.gold) == ("12", "12")
        assert (difference.source, difference.line) == ("r.jsonl", 1)
        counts = {(one.said, one.ours): one.count for one in label_counts(db)}
        assert counts[Outcome.WRONG, Outcome.CORRECT] == 1
        assert sum(counts.values()) == 4
        assert verify(db) == []

    def test_a_part_of_a_point_is_neither_right_nor_wrong(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        rows = ours.qwen_rows()
        rows[0]["score"] = [0.5, None]
        import_file(db, ours.lines(tmp_path / "m" / "r.jsonl", rows))
        assert said(db) == [None, None, Outcome.CORRECT, Outcome.WRONG]


def damaged(rows: list[Any]) -> list[Any]:
    """The rows with a line of each kind of damage after the first."""
    wrong_types = {name: {"a": [1]} for name in rows[0]}
    return [rows[0], "{", "[1, 2]", "null", wrong_types, *rows[1:]]


class TestDamage:
    @pytest.mark.parametrize("name", ours.LINE_FORMATS)
    def test_a_bad_line_costs_that_line(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        writer = ours.WRITERS.get(name, ours.open_instruct)
        path = writer(tmp_path / "runs")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        whole = import_file(db, path, given=decoding(name)).added
        with closing(open_writer(tmp_path / "other.db")) as other:
            report = import_file(other, ours.lines(path, damaged(rows)), given=decoding(name))
            assert report.added == whole
            assert {fault.line for fault in report.faults} == {2, 3, 4, 5}
            assert all(fault.path == path and fault.reason for fault in report.faults)
            assert verify(other) == []

    @pytest.mark.parametrize("name", ours.LINE_FORMATS)
    def test_a_file_that_is_cut_off_and_then_grows(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        writer = ours.WRITERS.get(name, ours.open_instruct)
        path = writer(tmp_path / "runs")
        text = path.read_text()
        first, _, rest = text.partition("\n")
        path.write_text(first + "\n" + rest[: len(rest) // 2])
        cut = import_file(db, path, given=decoding(name))
        assert cut.added >= 1
        if rest:
            assert "cut off" in cut.faults[-1].reason or cut.faults[-1].line
        path.write_text(text)
        import_file(db, path, given=decoding(name))
        grown = db.execute("SELECT COUNT(*) FROM completion").fetchone()
        with closing(open_writer(tmp_path / "other.db")) as other:
            import_file(other, path, given=decoding(name))
            assert other.execute("SELECT COUNT(*) FROM completion").fetchone() == grown

    def test_bytes_that_are_no_text(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        path = ours.qwen_harness(tmp_path)
        first, second = path.read_bytes().splitlines()
        path.write_bytes(first + b"\n" + second.replace(b"plus", b"pl\xff\xfes") + b"\n")
        report = import_file(db, path)
        assert report.added == 2
        assert str(report.faults[0]) == f"{path.name}:2: {report.faults[0].reason}"
        assert "not UTF-8" in report.faults[0].reason

    def test_a_line_that_is_too_long_costs_that_line(
        self, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("explorer.json_lines.LONGEST_LINE", 2000)
        rows = ours.qwen_rows()
        long = {**rows[0], "code": ["x" * 5000, "y"]}
        report = import_file(db, ours.lines(tmp_path / "r.jsonl", [rows[0], long, rows[1]]))
        assert report.added == 4
        assert [fault.line for fault in report.faults] == [2]
        assert "longer than" in report.faults[0].reason

    def test_what_python_writes_beside_the_standard_is_read(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        row = json.dumps(ours.qwen_rows()[0]).replace("true", "NaN").replace("jars.", "\\ud83d")
        report = import_file(db, ours.lines(tmp_path / "r.jsonl", [row]))
        assert (report.added, report.faults) == (2, ())
        assert "\ufffd" in traces(db)[0].text
        assert said(db)[0] is None

    @pytest.mark.parametrize("name", ["bigcode", "livecodebench", "evalplus", "inspect json"])
    def test_a_document_that_is_cut_off_gives_what_comes_before(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        path = ours.WRITERS[name](tmp_path / "runs")
        text = path.read_text()
        last = {"bigcode": '{"task_id": 0', "livecodebench": "", "evalplus": '"HumanEval/1"',
                "inspect json": '{"id": 1'}[name]  # fmt: skip
        path.write_text(text[: text.rindex(last) + 10] if last else text[:-2])
        report = import_file(db, path)
        assert report.faults_total == 1
        assert "cut off" in report.faults[0].reason
        expected = {"bigcode": 1, "livecodebench": 2, "evalplus": 2, "inspect json": 1}[name]
        assert report.added >= expected
        path.write_text(text)
        import_file(db, path)
        assert verify(db) == []

    def test_a_member_of_a_zip_that_is_damaged_costs_that_sample(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        path = tmp_path / "bad.eval"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("header.json", json.dumps(ours.inspect_header()))
            archive.writestr("samples/1_epoch_1.json", "{half")
            archive.writestr("samples/2_epoch_1.json", "[]")
            good = ours.inspect_sample(3, 1, ours.RIGHT, "C")
            archive.writestr("samples/3_epoch_1.json", json.dumps(good))
        report = import_file(db, path)
        assert report.added == 1
        assert "samples/1_epoch_1.json" in report.faults[0].reason
        assert report.faults[1].reason == "not a sample"

    @pytest.mark.parametrize("name", ["inspect", "trl", "lighteval"])
    def test_a_half_written_container_is_refused_in_words(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        path = ours.WRITERS[name](tmp_path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(DataError, match=f"{path.name} is not a whole"):
            import_file(db, path)

    @pytest.mark.parametrize("name", ["trl", "lighteval", "verl parquet"])
    def test_columns_of_other_types(
        self, db: sqlite3.Connection, tmp_path: Path, name: str
    ) -> None:
        import pyarrow.parquet

        path = ours.WRITERS[name](tmp_path)
        rows = pyarrow.parquet.read_table(path).to_pylist()
        ours.parquet(path, [dict.fromkeys(row, 3) for row in rows])
        report = import_file(db, path)
        assert report.added == 0
        assert report.faults_total == len(rows)

    @pytest.mark.parametrize("data", [b"\x80\x04\x95", b"PK\x03\x04"])
    def test_a_pickle_is_refused(self, db: sqlite3.Connection, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "0.pt"
        path.write_bytes(data)
        with pytest.raises(DataError, match="pickle, which is never loaded") as caught:
            import_file(db, path)
        assert "JSON lines" in caught.value.hint

    def test_a_file_of_no_known_format_is_refused(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        path = ours.lines(tmp_path / "r.jsonl", [{"prompt": "a", "answer": "b"}])
        with pytest.raises(DataError, match="not a file of recorded completions") as caught:
            import_file(db, path)
        assert "qwen-harness" in caught.value.detail

    def test_duplicate_rows_are_kept_as_samples(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        rows = [json.loads(line) for line in ours.verl(tmp_path).read_text().splitlines()]
        report = import_file(db, ours.lines(tmp_path / "m" / "r.jsonl", [*rows, *rows]))
        assert report.added == 2 * len(rows)

    def test_gzipped_lines(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        path = ours.qwen_harness(tmp_path)
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert import_file(db, packed).added == 4
        assert import_file(db, path).added == 0


def decoding(name: str) -> Given:
    """What open-instruct's files need; nothing for the others."""
    if name != "open-instruct":
        return Given()

    def text(ids: list[int]) -> str:
        return "".join(f"w{one} " for one in ids)

    return Given(decoder=Decoder(text, lambda ids, whole: None, "tok:ours"))


KILLED = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from explorer.exchange import recorded
from explorer.exchange.importer import import_file
from explorer.store.connection import open_writer

recorded.BATCH_ROWS = 10
append, left = recorded.append_recorded, [3]

def append_and_die(db, rows):
    left[0] -= 1
    if not left[0]:
        append(db, rows)
        os.kill(os.getpid(), signal.SIGKILL)  # inside the transaction
    return append(db, rows)

recorded.append_recorded = append_and_die
with closing(open_writer(Path(sys.argv[1]))) as db:
    import_file(db, Path(sys.argv[2]))
"""


def test_a_killed_import_goes_on_where_it_was(
    db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "BATCH_ROWS", 10)
    rows = [{"idx": n, "question": f"{n} + {n}?", "gt": str(2 * n), "score": [1, 0],
             "code": [f"\\boxed{{{2 * n}}}", "no"]} for n in range(40)]  # fmt: skip
    path = ours.lines(tmp_path / "m" / "r.jsonl", rows)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "cache.db"), str(path)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert db.execute("SELECT COUNT(*) FROM completion").fetchone() == (20,)
    assert verify(db) == []
    report: ImportReport = import_file(db, path)
    assert (report.added, report.present) == (60, 20)
    assert verify(db) == []

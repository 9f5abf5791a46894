"""Recorded completions in and out: round trips, idempotence, and every kind of broken file."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.completion import Completion, FinishReason, Origin, Outcome, Tokens
from explorer.core.prompts import RenderedPrompt
from explorer.errors import DataError
from explorer.exchange import exporter, native_importer
from explorer.exchange.exporter import Selection, export
from explorer.exchange.importer import import_file
from explorer.exchange.report import FAULTS_KEPT, ImportProgress, ImportReport
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_reader, open_writer
from explorer.store.rows import ModelRow
from explorer.store.verify import verify
from explorer.verifiers import registry
from explorer.verifiers.pool import VerifierPool
from tests import fake_cache

CONTENTS = {
    "completion": "SELECT arm_id, problem_id, sample_index, seed, text, finish, n_tokens"
    " FROM completion ORDER BY 1, 2, 3",
    "tokens": "SELECT c.arm_id, c.problem_id, c.sample_index, t.ids, t.ends, t.logprobs, t.exact"
    " FROM token_data t JOIN completion c ON c.id = t.completion_id ORDER BY 1, 2, 3",
    "verdict": "SELECT c.arm_id, c.problem_id, c.sample_index, v.verifier, v.version, v.outcome,"
    " v.answer, v.method, v.detail FROM verdict v JOIN completion c ON c.id = v.completion_id"
    " ORDER BY 1, 2, 3",
    "score": "SELECT c.arm_id, c.problem_id, c.sample_index, s.scorer_id, s.logprobs, s.ranks,"
    " s.entropies, s.top, s.top_ids, s.top_logprobs, s.top_texts FROM score s"
    " JOIN completion c ON c.id = s.completion_id ORDER BY 1, 2, 3, 4",
    "problem": "SELECT * FROM problem ORDER BY id",
    "model": "SELECT * FROM model ORDER BY name",
    "arm": "SELECT id, key, spec, model FROM arm ORDER BY id",
    "prompt": "SELECT * FROM prompt ORDER BY arm_id, problem_id",
    "scorer": "SELECT * FROM scorer ORDER BY id",
    "tally": "SELECT arm_id, problem_id, completions, correct, wrong, undecided FROM tally",
}
"""Everything that a file carries; row ids agree because cells are written in order."""


def contents(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {name: db.execute(query).fetchall() for name, query in CONTENTS.items()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with current verdicts, scores, and completions that lack this or that."""
    path = tmp_path_factory.mktemp("source") / "explorer.db"
    with closing(fake_cache.build(path, problems=4, n=6, scored=2)) as db:
        db.execute("UPDATE verdict SET version = ?", (registry.get("math").version,))
        odd = [
            Completion(90, 7, "only text \u2028 \x07", FinishReason.UNKNOWN, None),
            Completion(91, 2**53 + 1, "", FinishReason.LENGTH, _tokens([], [], None)),
            Completion(92, 0, "é", FinishReason.STOP, _tokens([1, 2, 3], [1, 2, 2], [-0.1, 0, -8])),
            Completion(93, 0, "é", FinishReason.STOP, _tokens([4], [2], [-np.inf], exact=False)),
        ]
        completions.append(db, 1, 1, [(one, None) for one in odd])
    return path


def _tokens(ids: list[int], ends: list[int], logprobs: Any, exact: bool = True) -> Tokens:
    raw = None if logprobs is None else np.array(logprobs, np.float32)
    return Tokens(np.array(ids, np.int32), np.array(ends, np.int32), raw, exact)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "target.db")
    yield connection
    connection.close()


def write(source: Path, path: Path, **selection: Any) -> Path:
    with closing(open_reader(source)) as db:
        export(db, path, Selection(**selection))
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
    def test_with_all_digits_nothing_changes(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection, name: str
    ) -> None:
        report = import_file(db, write(source, tmp_path / name, exact=True))
        assert report.faults == ()
        assert report.added == 3 * 4 * 6 + 4
        with closing(open_reader(source)) as original:
            assert contents(db) == contents(original)
        assert {row[0] for row in db.execute("SELECT DISTINCT origin FROM completion")} == {
            Origin.RECORDED.value
        }
        assert {row[0] for row in db.execute("SELECT DISTINCT source FROM completion")} == {name}
        assert verify(db) == []

    def test_with_six_digits_only_floats_change_and_only_once(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        first = write(source, tmp_path / "first.jsonl")
        import_file(db, first)
        export(db, tmp_path / "second.jsonl", Selection())
        assert (tmp_path / "second.jsonl").read_bytes() == first.read_bytes()
        with closing(open_reader(source)) as original:
            was, now = contents(original), contents(db)
        for name in set(CONTENTS) - {"tokens", "score"}:
            assert now[name] == was[name]
        for old, new in zip(was["tokens"], now["tokens"], strict=True):
            assert (new[3], new[4], new[6]) == (old[3], old[4], old[6])
            if old[5] is not None:
                np.testing.assert_allclose(
                    np.frombuffer(new[5], "<f4"), np.frombuffer(old[5], "<f4"), rtol=5.1e-6
                )

    def test_the_same_rows_give_the_same_bytes(self, source: Path, tmp_path: Path) -> None:
        one = write(source, tmp_path / "one.jsonl.gz").read_bytes()
        assert write(source, tmp_path / "two.jsonl.gz").read_bytes() == one

    def test_every_line_is_an_object_on_one_line(self, source: Path, tmp_path: Path) -> None:
        lines = write(source, tmp_path / "r.jsonl").read_bytes().splitlines()
        kinds = [json.loads(line)["type"] for line in lines]
        assert kinds[0] == "rlvr-explorer"
        assert set(kinds) == {
            *("rlvr-explorer", "model", "problem", "arm", "prompt"),
            *("completion", "scorer", "score"),
        }

    def test_a_selection(self, source: Path, tmp_path: Path, db: sqlite3.Connection) -> None:
        path = write(source, tmp_path / "r.jsonl", models=["rl"], problems=[2, 3], scores=False)
        report = import_file(db, path)
        assert (report.added, report.problems, report.scores) == (12, 2, 0)
        assert {arm.model.name for arm in queries.arms(db)} == {"rl"}
        assert {model.name for model in queries.models(db)} == {"rl", "base"}


class TestAgain:
    def test_importing_twice_adds_nothing(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        path = write(source, tmp_path / "r.jsonl.gz")
        assert import_file(db, path).added > 0
        before = contents(db)
        unchanged = import_file(db, path)
        assert (unchanged.unchanged, unchanged.added) == (True, 0)
        again = import_file(db, path, again=True)
        assert (again.added, again.scores, again.problems, again.different) == (0, 0, 0, 0)
        assert again.present == len(before["completion"])
        assert contents(db) == before
        assert verify(db) == []

    def test_a_file_that_changed_is_read_again(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        path = write(source, tmp_path / "r.jsonl", models=["base"])
        import_file(db, path)
        write(source, path)
        assert import_file(db, path).added > 0

    def test_what_is_here_stays(self, source: Path, tmp_path: Path, db: sqlite3.Connection) -> None:
        path = write(source, tmp_path / "r.jsonl", models=["base"])
        import_file(db, path)
        db.execute("UPDATE completion SET text = 'mine' WHERE id = 2")
        db.execute("DELETE FROM score")
        report = import_file(db, path, again=True)
        assert (report.added, report.different) == (0, 1)
        assert db.execute("SELECT text FROM completion WHERE id = 2").fetchone() == ("mine",)
        # The scores of the file are of its completion, not of the one that is here.
        assert any("which is another one here" in fault.reason for fault in report.faults)
        assert db.execute("SELECT COUNT(*) FROM score WHERE completion_id = 2").fetchone() == (0,)
        assert report.scores == 2 * 4 - 1


class TestDisagreements:
    def test_another_problem_of_the_same_name(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        with closing(open_reader(source)) as original:
            (first, *_) = queries.problems(original)
        mine = replace(first.problem, gold="-1")
        catalog.put_problems(db, [mine])
        report = import_file(db, write(source, tmp_path / "r.jsonl", scores=False))
        assert queries.problem(db, mine.dataset, mine.name) is not None
        assert queries.problem(db, mine.dataset, mine.name).problem == mine  # type: ignore[union-attr]
        assert report.added == 3 * 3 * 6
        assert report.faults_total == 1 + 3 + 3 * 6 + 4
        assert "another statement or gold here" in report.faults[0].reason

    def test_another_prompt_of_the_same_cell(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        with closing(open_reader(source)) as original:
            (first, *_) = queries.problems(original)
        problem_id = catalog.put_problems(db, [first.problem])[first.problem.name]
        arm = catalog.put_arm(db, fake_cache.spec("base"), "base")
        catalog.put_prompt(db, arm, problem_id, RenderedPrompt("mine", (1,)))
        report = import_file(db, write(source, tmp_path / "r.jsonl", scores=False))
        assert (arm, problem_id) not in queries.tallies(db)
        assert report.added == 3 * 4 * 6 - 6
        assert "its prompt is not the one" in report.faults[-1].reason

    def test_a_models_description_here_stays(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        mine = ModelRow("rl", "rl", "base", "mine")
        catalog.put_models(db, [mine])
        import_file(db, write(source, tmp_path / "r.jsonl"))
        assert mine in queries.models(db)


class TestVerdicts:
    def test_those_of_another_version_are_made_again(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        path = tmp_path / "r.jsonl"
        version = registry.get("math").version
        write(source, path)
        path.write_text(path.read_text().replace(f'"{version}"', '"math-0"'))
        report = import_file(db, path)
        assert report.graded_in_file == 0
        assert all(tally.n == 0 for tally in queries.tallies(db).values())
        with VerifierPool(1) as pool:
            report = import_file(db, path, again=True, pool=pool)
        assert report.graded == 3 * 4 * 6 + 4
        with closing(open_reader(source)) as original:
            right = "SELECT COUNT(*) FROM verdict WHERE outcome = 'correct' AND verifier = 'math'"
            assert db.execute(right).fetchone() == original.execute(right).fetchone()
        assert verify(db) == []

    def test_a_verifier_that_is_not_here_leaves_it_ungraded(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection
    ) -> None:
        path = write(source, tmp_path / "r.jsonl")
        path.write_text(path.read_text().replace('"verifier":"math"', '"verifier":"oracle"'))
        with VerifierPool(1) as pool:
            report = import_file(db, path, pool=pool)
        assert (report.graded_in_file, report.graded, report.faults_total) == (0, 0, 0)
        assert report.added == 3 * 4 * 6 + 4
        assert verify(db) == []


HEADER = {"type": "rlvr-explorer", "version": 1}
PROBLEM = {"type": "problem", "dataset": "d", "name": "p", "statement": "S", "gold": "7"}
SPEC = {"type": "arm", "ref": 1, "model": "base", "spec": fake_cache.spec("base").to_json()}
PROMPT = {"type": "prompt", "arm": 1, "problem": "d/p", "text": "S", "ids": [1, 2]}
DONE = {
    "type": "completion",
    "arm": 1,
    "problem": "d/p",
    "index": 0,
    "seed": 0,
    "text": "abc",
    "finish": "stop",
    "ids": [1, 2],
    "lengths": [1, 2],
    "logprobs": [-1, -2],
}
SCORER = {
    "type": "scorer",
    "ref": 1,
    "model": "base",
    "checkpoint": "c",
    "tokenizer": "t",
    "engine": "e",
    "dtype": "d",
}
SCORE = {
    "type": "score",
    "scorer": 1,
    "arm": 1,
    "problem": "d/p",
    "index": 0,
    "logprobs": [-1, None],
    "ranks": [1, 2],
    "entropies": [0.5, None],
    "top_ids": [[1], [2]],
    "top_logprobs": [[-1], [-2]],
    "texts": ["a"],
    "top_texts": [[0], [0]],
}
WHOLE = [HEADER, PROBLEM, SPEC, PROMPT, DONE, SCORER, SCORE]


def import_lines(db: sqlite3.Connection, path: Path, lines: list[Any]) -> ImportReport:
    text = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("\n".join(text) + "\n")
    return import_file(db, path)


class TestBrokenLines:
    def test_the_whole_file_is_good(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        report = import_lines(db, tmp_path / "r.jsonl", WHOLE)
        assert (report.faults, report.added, report.scores) == ((), 1, 1)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("{", "not JSON"),
            ("[1]", "not a JSON object"),
            ({"type": "poem"}, "unknown type 'poem'"),
            ({"no": "type"}, "unknown type None"),
            ({"type": ["completion"]}, "unknown type"),
            (DONE | {"arm": 2}, "arm 2 was not given before"),
            (DONE | {"arm": [1]}, "'arm' is not a whole number"),
            (DONE | {"problem": "d/q"}, "problem 'd/q' was not given before"),
            (DONE | {"problem": 3}, "'problem' is not text"),
            (DONE | {"index": -1}, "'index' is not a whole number"),
            (DONE | {"index": True}, "'index' is not a whole number"),
            (DONE | {"index": 2**70}, "'index' is not a whole number"),
            (DONE | {"seed": 0.5}, "'seed' is not a whole number"),
            (DONE | {"text": None}, "'text' is missing"),
            (DONE | {"finish": "bored"}, "finish 'bored'"),
            (DONE | {"finish": ["stop"]}, "finish ['stop']"),
            (DONE | {"ids": [1]}, "not lists of the same length"),
            (DONE | {"ids": "12"}, "not lists of the same length"),
            (DONE | {"ids": [1, "2"]}, "'ids' is not a list of whole numbers"),
            (DONE | {"ids": [1, 2**31]}, "'ids' is not a list of whole numbers"),
            (DONE | {"ids": [1, -2]}, "'ids' has a negative number"),
            (DONE | {"lengths": [1, -1]}, "'lengths' has a negative number"),
            (DONE | {"lengths": [1, 3]}, "'lengths' cover more than 'text'"),
            (DONE | {"lengths": [2**31 - 1, 2**31 - 1]}, "'lengths' cover more"),
            (DONE | {"logprobs": [-1]}, "differ in length"),
            (DONE | {"logprobs": [-1, "x"]}, "holds something else"),
            (DONE | {"verdict": 3}, "'verdict' is not an object"),
            (DONE | {"verdict": {"verifier": "math"}}, "'version' is missing"),
            (
                DONE | {"verdict": {"verifier": "math", "version": "1", "outcome": "maybe"}},
                "'maybe' is not a valid Outcome",
            ),
            (SPEC | {"ref": 2, "spec": {"engine": "e"}}, "'spec' is incomplete"),
            (SPEC | {"ref": 2, "spec": []}, "'spec' is incomplete"),
            (SPEC | {"ref": 2, "key": "a1:00"}, "is not the key of this spec"),
            (SPEC, "arm 1 was already given"),
            (PROBLEM, "problem 'd/p' was already given"),
            (PROBLEM | {"name": 5}, "'name' is not text"),
            (PROBLEM | {"name": "q", "extra": 5}, "'extra' is not an object"),
            (PROMPT | {"ids": None}, "'ids' is missing"),
            (PROMPT | {"ids": [1, 3]}, "prompt"),
            ({"type": "model", "name": "m", "role": "king"}, "role 'king'"),
            (SCORER | {"dtype": 3}, "'dtype' is not text"),
            (SCORE | {"scorer": 7}, "scorer 7 was not given before"),
            (SCORE | {"index": 9}, "completion 9, which is not stored"),
        ],
    )
    def test_one_bad_line_costs_that_line(
        self, db: sqlite3.Connection, tmp_path: Path, line: Any, reason: str
    ) -> None:
        more = DONE | {"index": 1}
        report = import_lines(db, tmp_path / "r.jsonl", [*WHOLE, line, more])
        (fault,) = report.faults
        assert fault.line == len(WHOLE) + 1
        assert reason in fault.reason
        assert report.added == 2
        assert verify(db) == []

    @pytest.mark.parametrize(
        "change",
        [
            {"logprobs": [-1]},
            {"ranks": [1, 2, 3]},
            {"ranks": [[1], [2]]},
            {"ranks": [1, 2**40]},
            {"entropies": ["x", 1]},
            {"top_ids": [[1, 2], [3]]},
            {"top_ids": [[1, 2], [3, 4]]},
            {"top_texts": [[5], [0]]},
            {"top_texts": [[0]]},
            {"top_logprobs": None},
        ],
    )
    def test_a_bad_score_costs_that_score(
        self, db: sqlite3.Connection, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        report = import_lines(db, tmp_path / "r.jsonl", [*WHOLE[:-1], SCORE | change])
        assert (report.faults_total, report.scores, report.added) == (1, 0, 1)
        assert verify(db) == []

    def test_reasons_are_bounded(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        lines = [HEADER, *["x"] * 1000]
        report = import_lines(db, tmp_path / "r.jsonl", lines)
        assert report.faults_total == 1000
        assert len(report.faults) == FAULTS_KEPT

    def test_a_file_with_faults_is_read_again(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        import_lines(db, path, [*WHOLE, "x"])
        assert not import_file(db, path).unchanged


class TestBrokenFiles:
    @pytest.mark.parametrize("length", [0.3, 0.6, 0.99])
    def test_a_file_that_is_cut_off_gives_what_it_has(
        self, source: Path, tmp_path: Path, db: sqlite3.Connection, length: float
    ) -> None:
        path = write(source, tmp_path / "r.jsonl.gz")
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * length)])
        report = import_file(db, path)
        assert "cut off" in report.faults[-1].reason
        assert report.added > 0
        assert verify(db) == []
        path.write_bytes(data)
        import_file(db, path)
        assert len(contents(db)["completion"]) == 3 * 4 * 6 + 4

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\n",
            b"hello\n",
            b'{"id": 1}\n',
            b"\x1f\x8b\x08rubbish",
            gzip.compress(b"")[:9],
            b"\xff\xfe\x00",
        ],
    )
    def test_a_file_of_another_kind_is_refused(
        self, tmp_path: Path, db: sqlite3.Connection, data: bytes
    ) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(data)
        with pytest.raises(DataError, match="not a file of recorded completions"):
            import_file(db, path)

    def test_a_newer_format_is_refused(self, tmp_path: Path, db: sqlite3.Connection) -> None:
        with pytest.raises(DataError, match="version 2"):
            import_lines(db, tmp_path / "r.jsonl", [HEADER | {"version": 2}])

    def test_a_missing_file(self, tmp_path: Path, db: sqlite3.Connection) -> None:
        with pytest.raises(DataError, match="cannot be read"):
            import_file(db, tmp_path / "r.jsonl")

    def test_a_failed_export_leaves_the_old_file(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "r.jsonl"
        path.write_text("old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(exporter._Exporter, "_completion", full)
        with pytest.raises(DataError, match="cannot be written") as caught:
            write(source, path)
        assert "No space left" in caught.value.detail
        assert [one.name for one in tmp_path.iterdir()] == ["r.jsonl"]
        assert path.read_text() == "old"


def test_progress_reaches_the_end(
    source: Path, tmp_path: Path, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_importer, "BATCH_LINES", 10)
    seen: list[ImportProgress] = []
    told: Callable[[ImportProgress], None] = seen.append
    import_file(db, write(source, tmp_path / "r.jsonl"), on_progress=told)
    assert len(seen) > 5
    assert [one.completions for one in seen] == sorted(one.completions for one in seen)
    assert seen[-1].bytes_done == seen[-1].bytes_total
    assert seen[-1].completions == 3 * 4 * 6 + 4
    assert verify(db) == []
    assert {row.outcome for row in queries.heads(db, 1, 1)} >= {Outcome.WRONG, None}

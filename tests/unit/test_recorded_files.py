"""The rollout files of other people in ../shared/data: known counts must come out of the labels."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from explorer.core.completion import Outcome
from explorer.core.passk import pass_at_k
from explorer.exchange.files import files_in
from explorer.exchange.importer import import_file
from explorer.exchange.report import ImportReport
from explorer.store import queries
from explorer.store.connection import open_writer
from explorer.store.labels import label_counts, label_differences
from explorer.store.verify import verify
from explorer.verifiers.pool import VerifierPool

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "recorded"

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="needs the recorded files of ../shared/data, which are not here"
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "cache.db")) as connection:
        yield connection


def bring_in(db: sqlite3.Connection, path: Path) -> list[ImportReport]:
    """Import all of a folder; every row must be of use, and doing it again must add nothing."""
    reports = [import_file(db, file) for file in files_in(path)]
    assert [report.faults for report in reports if report.faults] == []
    again = [import_file(db, file, again=True) for file in files_in(path)]
    assert sum(report.added + report.labels + report.problems for report in again) == 0
    assert verify(db) == []
    return [report for report in reports if not report.companion_of]


def solved(db: sqlite3.Connection, label: str) -> dict[str, int]:
    """By model, how many completions the label calls right."""
    return dict(
        db.execute(
            "SELECT a.model, SUM(l.value >= 1) FROM source_label l JOIN completion c"
            " ON c.id = l.completion_id JOIN arm a ON a.id = c.arm_id WHERE l.name = ?"
            " GROUP BY a.model",
            (label,),
        )
    )


def cells(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """(n, right by the compared label) of each arm and problem."""
    return db.execute(
        "SELECT COUNT(*), SUM(l.value >= 1) FROM completion c JOIN source_label l"
        " ON l.completion_id = c.id AND l.compared GROUP BY c.arm_id, c.problem_id"
    ).fetchall()


class TestCounts:
    def test_best_of_8(self, db: sqlite3.Connection) -> None:
        (report,) = bring_in(db, RECORDED / "best_of_8")
        assert (report.added, report.problems) == (800, 100)
        counts = cells(db)
        for k, expected in ((1, 0.910), (8, 0.96)):
            rate = sum(pass_at_k(right, n, k) for n, right in counts) / len(counts)
            assert round(rate, 3) == expected

    def test_evalplus(self, db: sqlite3.Connection) -> None:
        bring_in(db, RECORDED / "evalplus")
        base, instruct = "meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct"
        assert solved(db, "base") == {base: 45, instruct: 105}
        assert solved(db, "plus") == {base: 39, instruct: 94}

    def test_bigcode(self, db: sqlite3.Connection) -> None:
        (report,) = bring_in(db, RECORDED / "bigcode_humaneval_n3")
        assert (report.added, report.problems) == (492, 164)
        assert solved(db, "result") == {"Meta-Llama-3-8B-Instruct": 275}
        assert "223 results hold another text" in report.remarks[0]
        texts = json.loads(
            next((RECORDED / "bigcode_humaneval_n3").glob("*_generations_*")).read_text()
        )
        rows = db.execute("SELECT text FROM completion ORDER BY problem_id, sample_index")
        assert [row[0] for row in rows] == [text for task in texts for text in task]

    def test_openai_gsm8k(self, db: sqlite3.Connection) -> None:
        (report,) = bring_in(db, RECORDED / "openai_gsm8k_4models")
        assert (report.added, report.problems) == (4 * 1319, 1319)
        assert solved(db, "is_correct") == {
            "6b_finetuning": 286,
            "6b_verification": 515,
            "175b_finetuning": 458,
            "175b_verification": 742,
        }

    @pytest.mark.parametrize("model", ["Qwen2.5-Math-7B", "Sky-T1-math-correct-5K-27B"])
    def test_qwen_harness(self, db: sqlite3.Connection, model: str) -> None:
        folder = RECORDED / "qwen_harness" / model
        reports = {next(iter(one.datasets)): one for one in bring_in(db, folder)}
        for dataset, report in reports.items():
            name = dataset.rpartition(":")[2]
            assert set(report.models) == {model}
            metrics = json.loads((folder / f"{name}_metrics.json").read_text())
            (right, n) = db.execute(
                "SELECT SUM(l.value >= 1), COUNT(*) FROM source_label l JOIN completion c"
                " ON c.id = l.completion_id JOIN problem p ON p.id = c.problem_id"
                " WHERE p.dataset = ?",
                (dataset,),
            ).fetchone()
            assert n == report.added
            if n == metrics["num_samples"]:  # one of the six files is cut off
                assert round(100 * right / n, 1) == metrics["acc"]

    def test_verifiers_whose_metadata_is_wrong(self, db: sqlite3.Connection) -> None:
        reports = bring_in(db, RECORDED / "verifiers")
        assert sum(report.added for report in reports) == 150 + 5 * 15
        remarks = {remark for report in reports for remark in report.remarks}
        assert remarks == {
            "metadata.json says 150 examples × 0 rollouts, the rows are 50 × 3",
            "metadata.json says 15 examples × 1 rollouts, the rows are 5 × 3",
        }
        empty = sum(report.notes.get("empty in the file", 0) for report in reports)
        assert empty == 150 + 15

    def test_lm_eval(self, db: sqlite3.Connection) -> None:
        reports = bring_in(db, RECORDED / "lm_eval")
        assert sorted(report.added for report in reports) == [16, 20, 50]
        right = solved(db, "acc")
        assert right["Qwen/Qwen3-8B"] == 0.45 * 20  # as its results file says

    def test_inspect(self, db: sqlite3.Connection) -> None:
        reports = bring_in(db, RECORDED / "inspect")
        # One evaluation is there twice, as a zip and as a document.
        assert sorted(report.added for report in reports) == [0, 1, 1, 1, 3, 10]
        statements = [row.problem.statement for row in queries.problems(db)]
        assert all("attachment://" not in text and "tc://" not in text for text in statements)


class TestOwnVerdicts:
    """Our own verdicts on the same texts, and every difference from the label explained."""

    def test_mathematics(self, db: sqlite3.Connection) -> None:
        for part in ("best_of_8", "qwen_harness/Qwen2.5-Math-7B"):
            for file in files_in(RECORDED / part):
                if "math500" not in file.name:
                    import_file(db, file)
        with VerifierPool(1) as pool:
            from explorer.grading import grade_pending

            assert grade_pending(db, pool) == 800 + 30 + 40
        counts: Counter[tuple[Outcome | None, Outcome | None]] = Counter()
        for one in label_counts(db):
            counts[one.said, one.ours] += one.count
        agree = counts[Outcome.CORRECT, Outcome.CORRECT] + counts[Outcome.WRONG, Outcome.WRONG]
        assert agree >= 855
        differences = label_differences(db)
        marked = sum(tally.label_differs for tally in queries.tallies(db).values())
        assert marked == len(differences) <= 15
        # The harness did not read the gold '10{,}000' as 10000.
        assert ("10000", "10{,}000") in {(one.answer, one.gold) for one in differences}

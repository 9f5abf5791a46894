"""'Was it luck?' on the command line: reviews, judges and guesses, with the bundled models once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from explorer.core.review import Finding
from explorer.paths import sample_data
from explorer.settings.reader import load
from explorer.settings.template import demo
from explorer.store import queries, reviews
from explorer.store.connection import open_reader, open_writer
from tests.end_to_end.test_cli import explorer, workspace


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which two people reviewed three completions of one problem."""
    folder = workspace(tmp_path_factory.mktemp("reviewed") / "w", problems=4)
    with closing(open_writer(folder / "cache" / "explorer.db")) as db:
        ids = _right(db)
        for one, ada, bob in zip(ids, "sll", "sls", strict=False):
            for name, word in (("ada", ada), ("bob [b]", bob)):
                finding = {"s": Finding.SOUND, "l": Finding.LUCKY}[word]
                reviews.say(db, one, name, finding, blind=True, note="a\x1b[31mb", made=1e9)
    return folder


def _right(db: sqlite3.Connection) -> list[int]:
    arm = next(arm for arm in queries.arms(db) if arm.model.name == "rl")
    problem = next(row for row in queries.problems(db) if row.problem.name == "sharing-001")
    return reviews.right_answers(db, arm.id, problem.id)


def test_review_without_a_terminal_counts(reviewed: Path) -> None:
    said = explorer("review", "--reviewer", "ada", cwd=reviewed).stdout
    assert "to review by ada (blind): 3 reviewed" in said
    only = explorer("review", "-m", "rl", "-p", "sharing-001", "--each", "1", cwd=reviewed).stdout
    assert only.startswith("1 right answer to review")
    unknown = explorer("review", "-m", "rls", cwd=reviewed, expect=2).stderr
    assert "There is no model 'rls'" in unknown
    assert "did you mean 'rl'?" in unknown.lower()
    refused = explorer("review", "--reviewer", "judge:x", cwd=reviewed, expect=2).stderr
    assert "cannot begin with 'judge:'" in refused


def test_reviews_are_listed_with_agreement_and_conflicts(reviewed: Path) -> None:
    text = explorer("reviews", cwd=reviewed).stdout
    assert "\x1b" not in text
    assert "bob [b]" in text
    assert "Conflicts: 1 completion" in text
    found = json.loads(explorer("reviews", "--json", cwd=reviewed).stdout)
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"], pair["n"], pair["same"]) == ("ada", "bob [b]", 3, 2)
    assert pair["kappa"] == pytest.approx(0.4)
    assert len(found["reviews"]) == 6
    assert found["conflicts"][0]["said"] == {"ada": "lucky", "bob [b]": "sound"}


def test_reviews_are_exported_and_merged(reviewed: Path, tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    assert "Wrote 6 reviews" in explorer("reviews", "--export", file, cwd=reviewed).stdout
    other = workspace(tmp_path / "other", problems=4)
    merged = explorer("reviews", "--merge", file, file, cwd=other)
    assert "both.jsonl: 6 new" in merged.stderr
    assert "both.jsonl: 0 new, 0 replaced, 6 known" in merged.stderr
    assert "Conflicts: 1 completion" in merged.stdout
    missing = explorer("reviews", "--merge", tmp_path / "no.jsonl", cwd=other, expect=5)
    assert "no.jsonl cannot be read" in missing.stderr
    assert "Say --merge" in explorer("reviews", file, cwd=other, expect=2).stderr


def test_show_and_report_give_cot_pass_as_an_interval(reviewed: Path) -> None:
    shown = explorer("show", "sharing-001", "-k", "1,8", cwd=reviewed).stdout
    assert "people: 3 of" in shown
    assert "CoT-pass@8" in shown
    found = json.loads(explorer("show", "sharing-001", "-k", "1", "--json", cwd=reviewed).stdout)
    (cell,) = found["luck"]["cot"]
    assert (cell["model"], cell["voters"], cell["reviewed"]) == ("rl", 2, 3)
    assert cell["sound"] == {"any": 2, "majority": 1, "all": 1}
    low, high = (cell["cot_pass"]["majority"][side][0] for side in ("lower", "upper"))
    # One is lucky to both; the tie stays open, as do those that nobody reviewed.
    assert low == pytest.approx(1 / cell["n"])
    assert high == pytest.approx((cell["correct"] - 1) / cell["n"])
    report = explorer("report", "-k", "1,8", cwd=reviewed).stdout
    assert "Reasoning, by people" in report
    markdown = explorer("report", "-k", "1,8", "-f", "markdown", cwd=reviewed).stdout
    assert "### Reasoning, by people" in markdown
    (one,) = json.loads(explorer("report", "--json", cwd=reviewed).stdout)
    assert one["luck"]["cot"][0]["reviewed"] == 3


def test_nothing_is_asked_of_whom_nobody_knows(reviewed: Path) -> None:
    ask = ("judge", "--of", "base", "-p", "all")
    assert "Who judges?" in explorer(*ask, cwd=reviewed, expect=2).stderr
    assert "There is no model 'x'" in explorer(*ask, "-m", "x", cwd=reviewed, expect=2).stderr
    bad = explorer("guess", "-m", "x", "-p", "all", cwd=reviewed, expect=2).stderr
    assert "There is no model 'x'" in bad


def test_bundled_models_judge_and_guess(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    if not (sample_data() / "models" / "base" / "config.json").is_file():
        pytest.skip("the bundled models are not in this checkout")
    settings = demo(sample_data())
    settings += '[templates.short]\ntext = "{completion} {gold} {question}"\n'
    settings += '[presets.brief]\nmax_tokens = 8\n[review]\njudge = "rl"\ntemplate = "short"\n'
    (tmp_path / "explorer.toml").write_text(settings + 'preset = "brief"\n')
    problem = ("-p", "trees-001", "--wait")
    judged = explorer("judge", "--of", "distilled", *problem, "-n", "2", cwd=tmp_path)
    assert "Asked rl for 3 votes on 2 right answers of distilled." in judged.stdout
    explorer("guess", "-m", "base", *problem, "-n", "24", cwd=tmp_path)
    explorer("stop", cwd=tmp_path)
    with closing(open_reader(tmp_path / "cache" / "explorer.db")) as db:
        rows = [row.review for row in reviews.everything(db)]
        assert sorted(row.vote for row in rows) == [0, 0, 1, 1, 2, 2]
        assert {row.reviewer for row in rows} == {"judge:rl"}
        # It was never taught to judge: its replies are none, and none is made up.
        assert {row.finding for row in rows} == {Finding.UNDECIDED}
        assert all("not judged" not in row.note for row in rows)
    found = json.loads(explorer("show", "trees-001", "--json", cwd=tmp_path).stdout)
    known = load(tmp_path / "explorer.toml").models
    assert {arm["model"] for arm in found["arms"]} == set(known)
    (cell,) = found["luck"]["cot"]
    assert (cell["reviewed"], cell["unread"]) == (0, 2)
    (guess,) = found["luck"]["guesses"]
    assert (guess["model"], guess["n"]) == ("base", 24)

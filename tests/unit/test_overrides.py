"""A person's word over a verifier's: every count follows it, and nothing but a person ends it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from explorer import grading
from explorer.cli.group import load_command
from explorer.core.completion import Completion, FinishReason, Outcome, Verdict
from explorer.errors import UsageError
from explorer.exchange.exporter import Selection, export
from explorer.exchange.importer import import_file
from explorer.settings.author import author_of
from explorer.settings.reader import load
from explorer.store import catalog, completions, queries
from explorer.store.connection import open_writer
from explorer.store.overrides import clear, override, overrides
from explorer.store.rows import ModelRow, Tally
from explorer.store.verify import verify
from explorer.verifiers import registry
from explorer.verifiers.pool import VerifierPool
from tests import fake_cache, small_workspace

Cell = tuple[int, int]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "cache" / "explorer.db")
    yield connection
    connection.close()


@pytest.fixture
def cell(db: sqlite3.Connection) -> Cell:
    """Answers 7, 7, 8 and none to a problem whose gold is 7; graded, with second opinions."""
    catalog.put_models(db, [ModelRow("base", "base", "", "")])
    problem_id = catalog.put_problems(db, small_workspace.problems(1))["p0"]
    arm_id = catalog.put_arm(db, fake_cache.spec("base"), "base")
    texts = [r"\boxed{7}", r"\boxed{7}", r"\boxed{8}", "no idea"]
    rows = [Completion(i, 0, text, FinishReason.STOP, None) for i, text in enumerate(texts)]
    completions.append(db, arm_id, problem_id, [(row, None) for row in rows])
    grade(db)
    return arm_id, problem_id


def grade(db: sqlite3.Connection) -> int:
    with VerifierPool(workers=1) as pool:
        return grading.grade_pending(db, pool)


def tally(db: sqlite3.Connection, cell: Cell) -> Tally:
    assert verify(db) == []
    return queries.tallies(db)[cell]


def ids(db: sqlite3.Connection, cell: Cell) -> list[int]:
    return [head.id for head in queries.heads(db, *cell)]


def test_counts_answers_and_heads_follow_and_go_back(db: sqlite3.Connection, cell: Cell) -> None:
    before = tally(db, cell)
    assert (before.correct, before.wrong, before.undecided, before.seconded) == (2, 1, 1, 4)
    eight, none = ids(db, cell)[2:]
    override(db, [eight, none], Outcome.CORRECT, "ada@lab", "the key is wrong", made=5.0)
    found = tally(db, cell)
    assert (found.correct, found.wrong, found.undecided, found.overridden) == (4, 0, 0, 2)
    head = queries.heads(db, *cell)[2]
    assert (head.outcome, head.verified, head.overridden) == (Outcome.CORRECT, Outcome.WRONG, True)
    answers = {(one.answer, one.outcome) for one in queries.answers(db, *cell)}
    assert answers == {("7", Outcome.CORRECT), ("8", Outcome.CORRECT), ("", Outcome.CORRECT)}
    override(db, [eight], Outcome.WRONG, "bob@lab")
    assert tally(db, cell).wrong == 1
    assert clear(db, ids(db, cell)) == 2
    assert tally(db, cell) == before
    assert clear(db, [eight]) == 0


def test_an_override_settles_a_disagreement(db: sqlite3.Connection, cell: Cell) -> None:
    first = ids(db, cell)[0]
    contrary = Verdict("numeric", "numeric-0", Outcome.WRONG, "7", "boxed")
    completions.record_verdicts(db, *cell, {first: contrary})
    assert tally(db, cell).disagreed == 1
    override(db, [first], Outcome.CORRECT, "ada@lab")
    assert tally(db, cell).disagreed == 0
    clear(db, [first])
    assert tally(db, cell).disagreed == 1


def test_grading_again_keeps_it(db: sqlite3.Connection, cell: Cell) -> None:
    eight = ids(db, cell)[2]
    override(db, [eight], Outcome.CORRECT, "ada@lab", "so it is", made=7.0)
    db.execute("UPDATE verdict SET version = 'math-0' WHERE verifier = 'math'")
    assert grade(db) == 4
    assert (tally(db, cell).correct, tally(db, cell).overridden) == (3, 1)
    (problem,) = small_workspace.problems(1)
    catalog.put_problems(db, [replace(problem, gold="9")])
    found = tally(db, cell)
    assert (found.correct, found.n, found.seconded) == (1, 1, 0)
    assert grade(db) == 4
    assert (tally(db, cell).correct, tally(db, cell).wrong) == (1, 2)
    trace = queries.trace(db, eight)
    assert trace is not None
    assert trace.override is not None
    assert (trace.override.author, trace.override.note, trace.override.made) == (
        "ada@lab", "so it is", 7.0,
    )  # fmt: skip


def test_an_ungraded_completion_can_be_overridden_and_is_graded_later(
    db: sqlite3.Connection, cell: Cell
) -> None:
    row = Completion(9, 0, r"\boxed{8}", FinishReason.STOP, None)
    (new,) = completions.append(db, *cell, [(row, None)])
    assert new is not None
    override(db, [new], Outcome.CORRECT, "ada@lab")
    assert tally(db, cell).ungraded == 0
    clear(db, [new])
    assert tally(db, cell).ungraded == 1
    assert grade(db) == 1


def test_what_cannot_be_said(db: sqlite3.Connection, cell: Cell) -> None:
    with pytest.raises(UsageError, match="correct or wrong"):
        override(db, ids(db, cell), Outcome.UNDECIDED, "ada@lab")
    with pytest.raises(UsageError, match="no completion 999"):
        override(db, [ids(db, cell)[2], 999], Outcome.CORRECT, "ada@lab")
    assert overrides(db) == []


def test_export_and_import_carry_it_with_second_opinions(
    db: sqlite3.Connection, cell: Cell, tmp_path: Path
) -> None:
    override(db, [ids(db, cell)[2]], Outcome.CORRECT, "ada@lab", "same\nthing", made=12.5)
    report = export(db, tmp_path / "out.jsonl.gz", Selection())
    assert report.overrides == 1
    other = open_writer(tmp_path / "other.db")
    assert import_file(other, tmp_path / "out.jsonl.gz").overrides == 1
    assert verify(other) == []
    ours, theirs = tally(db, cell), next(iter(queries.tallies(other).values()))
    assert replace(theirs, recorded=0) == replace(ours, recorded=0)
    (copied,) = overrides(other)
    assert (copied.override, copied.index) == (overrides(db)[0].override, 2)
    clear(other, [copied.completion_id])
    override(other, [copied.completion_id], Outcome.WRONG, "bob@lab")
    assert import_file(other, tmp_path / "out.jsonl.gz", again=True).overrides == 0
    assert overrides(other)[0].override.author == "bob@lab"
    other.close()


def test_a_second_opinion_of_another_version_is_not_taken_over(
    db: sqlite3.Connection, cell: Cell, tmp_path: Path
) -> None:
    db.execute("UPDATE verdict SET version = 'numeric-0' WHERE verifier = 'numeric'")
    export(db, tmp_path / "out.jsonl", Selection())
    other = open_writer(tmp_path / "other.db")
    import_file(other, tmp_path / "out.jsonl")
    (found,) = queries.tallies(other).values()
    assert (found.n, found.seconded) == (4, 0)
    assert verify(other) == []
    other.close()


class TestCommand:
    """`rlvr-explorer override`."""

    @pytest.fixture
    def root(self, db: sqlite3.Connection, cell: Cell, tmp_path: Path) -> Path:
        (tmp_path / "explorer.toml").write_text('[defaults]\nauthor = "ada"\n')
        return tmp_path

    def run(self, root: Path, *arguments: str) -> str:
        result = CliRunner().invoke(
            load_command("override"), [*arguments, "-w", str(root)], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    def test_it_says_lists_and_takes_back(
        self, root: Path, db: sqlite3.Connection, cell: Cell
    ) -> None:
        assert "Nobody" in self.run(root)
        said = self.run(root, "tasks/p0", "correct", "-m", "base", "-s", "2,3", "--note", "ok")
        assert said == "2 completions of tasks/p0: correct\n"
        assert tally(db, cell).correct == 4
        listed = json.loads(self.run(root, "--json"))
        assert [(one["sample"], one["verifier_outcome"]) for one in listed] == [
            (2, "wrong"), (3, "undecided"),
        ]  # fmt: skip
        assert {(one["author"], one["note"], one["model"]) for one in listed} == {
            ("ada", "ok", "base")
        }
        assert "ada" in self.run(root)
        assert "1 completion of" in self.run(root, "p0", "wrong", "-m", "base", "--answer", "8")
        assert self.run(root, "p0", "verifier", "-m", "base", "-s", "all").startswith("2 ")
        assert tally(db, cell).overridden == 0

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            (["p0", "correct"], "of which completions"),
            (["p0", "correct", "-m", "base", "-s", "77"], "no sample 77"),
            (["p0", "correct", "-m", "base", "--answer", "6"], "No completion answered"),
            (["p9", "correct", "-m", "base", "-s", "1"], "no problem"),
            (["p0", "correct", "-m", "rl", "-s", "1"], "Nothing stored"),
        ],
    )
    def test_mistakes_are_explained(self, root: Path, arguments: list[str], match: str) -> None:
        with pytest.raises(UsageError, match=match):
            self.run(root, *arguments)

    def test_without_a_configured_author_it_is_user_and_host(self, tmp_path: Path) -> None:
        (tmp_path / "explorer.toml").write_text("")
        user, _, host = author_of(load(tmp_path / "explorer.toml")).partition("@")
        assert user
        assert host


def test_the_versions_of_both_verifiers_are_told_apart() -> None:
    assert registry.get("numeric").version != registry.get("math").version

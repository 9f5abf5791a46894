"""Searching all completions: the index says what a plain scan says, and never misses the newest."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from explorer.core.completion import Completion, FinishReason
from explorer.core.phrases import REFLECTION, parse, reflection_pattern, spans
from explorer.core.problem import Problem
from explorer.store import catalog, completions, search
from explorer.store.bookmarks import add, bookmarks, remove
from explorer.store.connection import open_reader, open_writer
from explorer.store.search import Scope, bring_up_to_date, indexed_upto
from explorer.views.links import Place, TraceLink, find_place, link_to, place_of, split_link
from explorer.views.search import run
from tests.fake_cache import HOSTILE, MODELS, spec

WORDS = (
    "Let", "me", "check", "let", "checking", "me,", "LET", "me\n", "cafe", "café", "cafe\u0301",
    "x=5", "\\boxed{7}", "漢字かな", "zero\u200bwidth", "it's", "a_b", "[/foo]", "\x1b[2J", "7",
)  # fmt: skip
QUERIES = (
    "let me check", "check", "LET ME", "me", "cafe", "café", "x=5", "\\boxed{7}", "\\boxed", "7",
    "漢字かな", "it's", "a b", "[/foo]", "chec*", "let me chec*", "foo", '"let me"', "zero width",
    "=", "OR", "me NOT check", "NEAR(a b)", 'a "b', "*", "absent",
)  # fmt: skip


def text_completion(index: int, text: str) -> tuple[Completion, None]:
    return Completion(index, 0, text, FinishReason.STOP, None), None


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Two problems and two arms with texts of random words."""
    with closing(open_writer(tmp_path / "cache.db")) as db:
        generator = random.Random(3)
        catalog.put_models(db, MODELS)
        tasks = [Problem("set", name, "?", "7") for name in ("one", "two")]
        ids = catalog.put_problems(db, [*tasks, Problem("other", "one", "?", "7")])
        assert ids
        for model in ("base", "rl"):
            arm = catalog.put_arm(db, spec(model), model)
            for (problem,) in db.execute("SELECT id FROM problem").fetchall():
                texts = [
                    " ".join(generator.choices(WORDS, k=generator.randrange(9))) for _ in range(60)
                ]
                cell = [text_completion(i, text) for i, text in enumerate([*texts, HOSTILE, ""])]
                completions.append(db, arm, problem, cell)
        yield db


def matching(db: sqlite3.Connection, text: str) -> set[int]:
    pattern = parse(text).pattern
    rows = db.execute("SELECT id, text FROM completion")
    return {row_id for row_id, body in rows if pattern.search(body)}


def searched(db: sqlite3.Connection, text: str) -> set[int]:
    found = search.search(db, parse(text), Scope(), most=10_000)
    assert found.count == len(found.hits)
    return {hit.completion_id for hit in found.hits}


@pytest.mark.parametrize("query", QUERIES)
def test_the_index_finds_what_a_plain_scan_finds(db: sqlite3.Connection, query: str) -> None:
    scanned = searched(db, query)
    assert scanned == matching(db, query)
    assert bring_up_to_date(db)
    assert searched(db, query) == scanned


def test_words_stand_in_a_row_whatever_is_between_them() -> None:
    pattern = parse("let me check").pattern
    assert pattern.search("So LET me,\n check it")
    assert not pattern.search("let me checking")
    assert not pattern.search("outlet me check")
    assert not pattern.search("let it me check")
    assert parse("let me chec*").pattern.search("let me checking")
    assert parse("\\boxed{7}").pattern.search("is \\boxed{7}.")
    assert not parse("\\boxed{7}").pattern.search("boxed 7")


def test_the_quick_way_says_what_the_pattern_says(db: sqlite3.Connection) -> None:
    texts = [text for (text,) in db.execute("SELECT text FROM completion")]
    for query in QUERIES:
        phrase = parse(query)
        if phrase.text:
            assert [phrase.occurs_in(text) for text in texts] == [
                phrase.pattern.search(text) is not None for text in texts
            ]


def test_what_came_after_the_index_was_made_is_found_too(db: sqlite3.Connection) -> None:
    bring_up_to_date(db)
    upto = indexed_upto(db)
    completions.append(db, 1, 1, [text_completion(900, "a brandnew word")])
    assert indexed_upto(db) == upto
    (hit,) = search.search(db, parse("brandnew"), Scope()).hits
    assert hit.index == 900
    assert (hit.before, hit.match, hit.after) == ("a ", "brandnew", " word")
    bring_up_to_date(db)
    assert indexed_upto(db) == upto + 1
    assert search.search(db, parse("brandnew"), Scope()).scanned == 0
    assert searched(db, "brandnew")


def test_an_interrupted_index_goes_on_where_it_stopped(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "INDEXED_AT_ONCE", 50)
    calls: list[tuple[int, int]] = []

    def stop_after_two(done: int, of_all: int) -> bool:
        calls.append((done, of_all))
        return len(calls) < 3

    bring_up_to_date(db, stop_after_two)
    assert indexed_upto(db) == 100
    assert searched(db, "check") == matching(db, "check")
    bring_up_to_date(db)
    assert searched(db, "check") == matching(db, "check")


def test_without_fts5_everything_is_read_and_it_says_so(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up_to_date(db)
    wanted = searched(db, "let me")
    monkeypatch.setattr(search, "has_fts5", lambda _db: False)
    assert not bring_up_to_date(db)
    assert searched(db, "let me") == wanted
    report = run(db, "let me", Scope(), "the whole cache")
    assert "read one by one" in report.note


def test_counts_and_shares_are_of_the_scope(db: sqlite3.Connection) -> None:
    report = run(db, "check", Scope(dataset="set"), "set")
    for one in report.arms:
        assert one.completions == 124
        rows = db.execute(
            "SELECT c.text FROM completion c JOIN problem p ON p.id = c.problem_id"
            " WHERE p.dataset = 'set' AND c.arm_id = ?",
            (one.arm.id,),
        )
        assert one.hits == sum(bool(re.search(r"\bcheck\b", text, re.I)) for (text,) in rows)
    assert [one.arm.model.name for one in report.arms] == ["base", "rl"]
    assert report.sentence().startswith('"check" in set: base ')
    one_problem = run(db, "check", Scope(problem_id=1), "one")
    assert {hit.problem_id for hit in one_problem.hits} == {1}
    assert sum(one.completions for one in one_problem.arms) == 124


def test_a_cancelled_scan_says_that_it_is_not_whole(db: sqlite3.Connection) -> None:
    found = search.search(db, parse("check"), Scope(), lambda _done, _all: False)
    assert not found.whole


def test_a_reader_can_search_what_a_writer_indexed(db: sqlite3.Connection, tmp_path: Path) -> None:
    bring_up_to_date(db)
    with closing(open_reader(tmp_path / "cache.db")) as reader:
        assert searched(reader, "let me check") == matching(db, "let me check")


def test_an_empty_search_finds_nothing(db: sqlite3.Connection) -> None:
    assert not searched(db, "   ")


def test_every_reflection_phrase_is_found_and_no_part_of_a_word() -> None:
    pattern = reflection_pattern()
    for phrase in REFLECTION:
        text = f"So 3. {phrase.upper()}, then"
        assert [text[a:b] for a, b in spans(text, pattern)] == [phrase.upper()]
    assert not list(spans("The waiter awaited a factually hmmm", pattern))
    assert len(list(spans("Let’s verify. that's\u2019s. let me  double check", pattern))) == 2


class TestLinks:
    def test_a_link_comes_apart_as_it_was_made(self) -> None:
        for token in (None, 0, 41):
            link = link_to("a/b", "p#1@2/x", "a1:0123456789abcdef", 3, token)
            assert split_link(link) == (
                "a/b/p#1@2/x",
                TraceLink("a/b/p#1@2/x", "0123456789", 3, token),
            )

    @pytest.mark.parametrize("link", ["trees-07", "twins/trees-07", "", "a/b#c", "p#3"])
    def test_other_links_name_a_problem(self, link: str) -> None:
        assert split_link(link) == (link, None)

    def test_it_leads_to_the_same_completion(self, db: sqlite3.Connection) -> None:
        row = db.execute(
            "SELECT c.id, a.key FROM completion c JOIN arm a ON a.id = c.arm_id"
            " JOIN problem p ON p.id = c.problem_id"
            " WHERE a.model = 'rl' AND p.dataset = 'other' AND c.sample_index = 5"
        ).fetchone()
        _, link = split_link(link_to("other", "one", row[1], 5, 7))
        assert link is not None
        place = find_place(db, link)
        assert isinstance(place, Place)
        assert (place.completion_id, place.token) == (row[0], 7)
        assert place.arm_ids == (1, 2)
        assert place_of(db, row[0], 7) == place


def test_bookmarks_are_kept_renewed_and_forgotten(db: sqlite3.Connection) -> None:
    first = add(db, 1, 4, "odd", "ann", made=1.0)
    other = add(db, 1, None, "[b]whole[/b]", "ann", made=2.0)
    assert add(db, 1, 4, "very odd", "bob", made=3.0) == first
    assert [(one.id, one.token, one.note, one.author) for one in bookmarks(db)] == [
        (first, 4, "very odd", "bob"),
        (other, None, "[b]whole[/b]", "ann"),
    ]
    assert remove(db, first)
    assert not remove(db, first)
    assert len(bookmarks(db)) == 1

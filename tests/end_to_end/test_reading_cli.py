"""`nearest`, `search`, `bookmarks` and links, as people type them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from explorer.store import bookmarks
from explorer.store.connection import open_writer
from tests.end_to_end.test_cli import explorer, workspace


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace(tmp_path_factory.mktemp("reading") / "w")


def test_nearest_lists_the_base_samples_most_like_a_trace(filled: Path) -> None:
    found = json.loads(
        explorer("nearest", "trees-004", "rl#3", "--json", "--top", "24", cwd=filled).stdout
    )
    assert found["model"] == "rl"
    assert found["sample"] == 3
    same = [one["same_answer"] for one in found["nearest"]]
    assert len(same) == 24
    assert same == sorted(same, reverse=True)
    assert {one["model"] for one in found["nearest"]} == {"base"}
    said = explorer("nearest", "trees-004", "rl#3", "--in", "distilled", "--by", "text", cwd=filled)
    assert "24 compared" in said.stdout
    assert "distilled" in said.stdout
    assert "… and 14 more" in said.stdout


@pytest.mark.parametrize(
    ("trace", "said"),
    [("rl", "names no sample"), ("rl#99", "has no sample #99"), ("nobody#1", "is called 'nobody'")],
)
def test_a_trace_that_is_not_there_is_said(filled: Path, trace: str, said: str) -> None:
    assert said in explorer("nearest", "trees-004", trace, cwd=filled, expect=2).stderr


def test_search_counts_shares_and_lists_links(filled: Path) -> None:
    shown = explorer("search", "both ends carry", "--top", "2", cwd=filled).stdout
    assert '"both ends carry" in the whole cache: base ' in shown
    assert "The first 2 hits of" in shown
    found = json.loads(
        explorer("search", "[/foo]", "--problem", "hostile", "--json", cwd=filled).stdout
    )
    assert all(20 < one["hits"] <= one["completions"] == 24 for one in found["arms"])
    assert found["hits"][0]["match"] == "[/foo]"
    assert found["hits"][0]["link"].startswith("twins/hostile/")
    again = explorer("open", found["hits"][0]["link"], cwd=filled).stdout
    assert "hostile" in again
    assert "There is no dataset" in explorer("search", "x", "-d", "no", cwd=filled, expect=2).stderr


def test_bookmarks_are_listed_with_links_that_open(filled: Path) -> None:
    assert "No place is kept yet" in explorer("bookmarks", cwd=filled).stdout
    with closing(open_writer(filled / "cache" / "explorer.db")) as db:
        kept = bookmarks.add(db, 1, 4, "[b]odd[/b] \x1b[2J", "ann", made=1.0)
    shown = explorer("bookmarks", cwd=filled).stdout
    assert "#0@5" in shown
    assert "[b]odd[/b] ␛[2J" in shown
    (one,) = json.loads(explorer("bookmarks", "--json", cwd=filled).stdout)
    assert one["note"].startswith("[b]odd")
    assert "No place" in explorer("bookmarks", "--forget", str(kept), cwd=filled).stdout
    assert explorer("bookmarks", "--forget", "77", cwd=filled, expect=2)

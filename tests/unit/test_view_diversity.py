"""Diversity as screens and reports show it, from a cache."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.store import diversity, queries
from explorer.store.evidence import spread
from explorer.views.arms import ArmPick
from explorer.views.diversity import (
    FEWEST_LOOKED_INTO,
    Diversity,
    DiversitySubject,
    common_k,
    diversity_table,
    entropy_remark,
    looked_into_remark,
    read_set_diversity,
)
from tests import fake_cache
from tests.tui.explorer_app import settings_for


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, sqlite3.Connection]]:
    path = tmp_path_factory.mktemp("d") / "a.db"
    db = fake_cache.build(path, problems=12, n=24, scored=3)
    yield path, db
    db.close()


def read(cache: tuple[Path, sqlite3.Connection], dataset: str, ids: tuple[int, ...]) -> Diversity:
    path, db = cache
    subject = DiversitySubject(settings_for(path), dataset, ids, ArmPick())
    (found,) = subject.read(db, {})
    assert isinstance(found, Diversity)
    return found


def test_one_problem(cache: tuple[Path, sqlite3.Connection]) -> None:
    _, db = cache
    row = queries.problem(db, fake_cache.DATASET, "trees-004")
    assert row is not None
    found = read(cache, "", (row.id,))
    assert (found.problems, found.k) == (1, 8)
    base = found.arms[0]
    counts = queries.answers(db, base.column.arm_id, row.id)
    assert base.distinct == len({one.answer for one in counts if one.answer})
    assert base.n == sum(one.count for one in counts) == 24
    assert base.steady >= base.mean_steady >= base.perfect
    # Only base has scored its own samples: its entropy is their mean, the others' is unknown.
    blobs = db.execute(
        "SELECT s.entropies FROM score s JOIN completion c ON c.id = s.completion_id"
        " WHERE c.arm_id = ? AND c.problem_id = ?",
        (base.column.arm_id, row.id),
    ).fetchall()
    assert base.tokens == sum(len(blob) // 4 for (blob,) in blobs)
    assert [arm.token_entropy is None for arm in found.arms] == [False, True, True]
    assert "score -m rl --of rl" in entropy_remark(found)
    labels = dict(diversity_table(found))
    assert labels["token entropy, nats"][1] == "unknown"
    assert not any(label.startswith("right in") for label in labels)


def test_a_set_is_the_mean_of_its_problems(cache: tuple[Path, sqlite3.Connection]) -> None:
    _, db = cache
    ids = tuple(row.id for row in queries.problems(db))
    whole = read(cache, fake_cache.DATASET, ids)
    single = [read(cache, "", (one,)) for one in ids]
    assert whole.problems == len(ids)
    for place, arm in enumerate(whole.arms):
        each = [one.arms[place] for one in single]
        assert arm.majority == pytest.approx(sum(one.majority for one in each) / len(ids))
        assert arm.distinct == pytest.approx(sum(one.distinct for one in each) / len(ids))
        cells = diversity.tallies_of(db, arm.column.arm_id, ids).values()
        half = sum(cell.correct / cell.n >= 0.5 for cell in cells) / len(ids)
        assert arm.cover[3] == pytest.approx(half)


def test_k_is_at_most_half_of_every_n() -> None:
    assert [common_k(counts) for counts in ([], [1], [3, 64], [9], [32, 40], [500])] == [
        *(0, 1, 1, 4, 16, 16)
    ]


def test_show_and_report_carry_it_as_json(cache: tuple[Path, sqlite3.Connection]) -> None:
    from explorer.report.dataset import as_dict as set_dict
    from explorer.report.problem import as_dict as problem_dict
    from explorer.views.report_reader import read_problem, read_reports

    settings = settings_for(cache[0])
    one = json.loads(json.dumps(problem_dict(read_problem(settings, "trees-004")), allow_nan=False))
    assert one["diversity"]["arms"][0]["distinct_answers"] > 1
    assert one["belief"]["orders"][0]["base"] == "base"
    assert 0 <= one["belief"]["orders"][0]["base_above"] <= 1
    (report,) = read_reports(settings)
    whole = json.loads(json.dumps(set_dict(report), allow_nan=False))
    assert set(whole["diversity"]["arms"][0]["cover"]) >= {"0.5", "1"}
    assert whole["comparisons"][0]["crossing"]["largest_k"] == 24


def test_of_very_many_answers_evenly_spread_problems_are_read(
    cache: tuple[Path, sqlite3.Connection],
) -> None:
    _, db = cache
    ids = [row.id for row in queries.problems(db)]
    columns = [arm.column for arm in read(cache, fake_cache.DATASET, tuple(ids)).arms]
    whole = read_set_diversity(db, columns, ids)
    assert (whole.looked_into, whole.problems, whole.answers) == (12, 12, 3 * 24 * 12)
    assert looked_into_remark(whole) == ""
    part = read_set_diversity(db, columns, ids, most=3 * 24 * 9)
    assert (part.looked_into, part.problems) == (9, 12)
    spread_ids = spread(ids, most=9)
    assert len(set(spread_ids)) == 9
    alone = read_set_diversity(db, columns, spread_ids)
    for one, few, all_ in zip(part.arms, alone.arms, whole.arms, strict=True):
        assert (one.distinct, one.majority) == (few.distinct, few.majority)
        assert (one.steady, one.cover, one.n) == (all_.steady, all_.cover, all_.n)
    assert "over 9 problems, evenly spread, because there are 864 answers" in looked_into_remark(
        part
    )
    fewest = read_set_diversity(db, columns, ids, most=1)
    assert fewest.looked_into == FEWEST_LOOKED_INTO
    assert read_set_diversity(db, columns, ids, most=0).looked_into == 12


def test_report_reads_all_answers_when_told(
    cache: tuple[Path, sqlite3.Connection],
) -> None:
    from explorer.views.report_reader import read_reports

    settings = settings_for(cache[0])
    (some,) = read_reports(settings, most_answers=3 * 24 * 9)
    (every,) = read_reports(settings, most_answers=0)
    assert some.diversity is not None
    assert every.diversity is not None
    assert (some.diversity.looked_into, every.diversity.looked_into) == (9, 12)

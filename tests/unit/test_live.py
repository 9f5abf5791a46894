"""Partial texts and the speed, on a clock that the test turns."""

from __future__ import annotations

from pathlib import Path

from explorer.sampler import live
from explorer.sampler.live import LiveBoard
from explorer.store import revisions, status
from explorer.store.connection import open_writer
from explorer.store.revisions import Topic


def test_the_database_is_written_a_few_times_a_second(tmp_path: Path) -> None:
    now = 100.0
    db = open_writer(tmp_path / "a.db")
    board = LiveBoard(db, lambda: now)
    cell = board.begin(1, 2)
    start = revisions.current(db)[Topic.LIVE]
    for tick in range(200):  # two seconds
        now = 100 + tick / 100
        cell.show(0, "x" * tick, tick)
    assert revisions.current(db)[Topic.LIVE] - start == 2 * live.FLUSHES_PER_S
    db.close()


def test_finished_and_dropped_streams_disappear(tmp_path: Path) -> None:
    now = 0.0
    db = open_writer(tmp_path / "a.db")
    board = LiveBoard(db, lambda: now)
    with board.begin(1, 2) as cell, board.begin(1, 3) as other:
        cell.show(0, "one", 1)
        cell.show(1, "two", 1)
        other.show(0, "three", 1)
        now = 1.0
        cell.finish(0, 5)
        found = [(stream.problem_id, stream.index) for stream in status.live_streams(db)]
        assert sorted(found) == [(2, 1), (3, 0)]
    now = 2.0
    board.flush_if_due()
    assert status.live_streams(db) == []
    board.begin(1, 2).show(0, "late", 1)
    board.clear()
    assert status.live_streams(db) == []
    db.close()


def test_the_end_of_a_long_stream_is_shown(tmp_path: Path) -> None:
    db = open_writer(tmp_path / "a.db")
    board = LiveBoard(db, lambda: 0.0)
    board.begin(1, 2).show(0, "a" * live.LONGEST_TEXT + "end", 9)
    (stream,) = status.live_streams(db)
    assert len(stream.text) == live.LONGEST_TEXT + 1
    assert stream.text.endswith("aend")
    db.close()


def test_speed_counts_each_token_once_within_the_window(tmp_path: Path) -> None:
    now = 0.0
    db = open_writer(tmp_path / "a.db")
    board = LiveBoard(db, lambda: now)
    cell = board.begin(1, 2)
    now = 1.0
    cell.show(0, "x", 10)
    cell.show(0, "xy", 30)
    cell.finish(0, 40)
    now = 2.0
    assert board.tokens_per_s() == 20.0
    now = 1.0 + live.WINDOW_S
    assert board.tokens_per_s() == 40 / live.WINDOW_S
    now += 0.1
    assert board.tokens_per_s() == 0.0
    db.close()


def test_a_new_job_does_not_inflate_the_speed(tmp_path: Path) -> None:
    now = 0.0
    db = open_writer(tmp_path / "a.db")
    board = LiveBoard(db, lambda: now)
    for problem in range(8):  # 100 tokens a second, a job a second
        with board.begin(1, problem) as cell:
            now += 1.0
            cell.finish(0, 100)
    board.begin(1, 9)
    assert board.tokens_per_s() == 100.0
    db.close()

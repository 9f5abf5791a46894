"""The cache as a file: schemas, permissions, journals, and what people are told when it fails."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from explorer.core.completion import Completion, FinishReason
from explorer.errors import StoreError
from explorer.store import catalog, completions, connection, queries, schema
from explorer.store.connection import (
    SCHEMA_VERSION,
    on_network_filesystem,
    open_reader,
    open_writer,
    store_errors,
)
from explorer.store.verify import verify
from tests import fake_cache, small_workspace


def oldest(path: Path) -> None:
    """A cache of the first schema, with something in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        first, second = [migration.name for migration in schema.migrations.pending(Database(db))][
            :2
        ]
        assert first == "m001_first_schema"
        schema.migrations.apply(Database(db), stop_before=second)
        db.execute("PRAGMA user_version = 1")
        db.execute("PRAGMA foreign_keys = ON")
        arm = catalog.put_arm(db, fake_cache.spec("base"), "base")
        # What is written today has columns that this schema lacks.
        db.execute(
            "INSERT INTO problem VALUES (1, 'tasks', 'p0', 0, '3 + 4?', '7', '', '', '', 'math',"
            " '{}')"
        )
        db.execute(
            "INSERT INTO completion VALUES (1, ?, 1, 0, 0, '7', 'stop', NULL, NULL, 'live', '',"
            " 0.0)",
            (arm,),
        )
        db.execute("INSERT INTO tally VALUES (?, 1, 1, 0, 0, 0, 0)", (arm,))


class TestSchema:
    def test_the_version_is_the_number_of_migrations(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "a.db")) as db:
            assert len(schema.migrations.pending(Database(db))) == SCHEMA_VERSION

    def test_the_oldest_schema_is_brought_up_to_date(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        oldest(path)
        with pytest.raises(StoreError, match="must be upgraded first"):
            open_reader(path)
        open_writer(path).close()
        open_writer(tmp_path / "new.db").close()
        with closing(open_reader(path)) as db, closing(open_reader(tmp_path / "new.db")) as new:
            assert [row.problem.name for row in queries.problems(db)] == ["p0"]
            assert queries.heads(db, 1, 1)[0].index == 0
            assert verify(db) == []
            everything = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
            assert db.execute(everything).fetchall() == new.execute(everything).fetchall()

    def test_a_newer_schema_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        open_writer(path).close()
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        before = path.read_bytes()
        for opening in (open_writer, open_reader):
            with pytest.raises(StoreError, match="newer rlvr-explorer"):
                opening(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("version", [0, 1, SCHEMA_VERSION, 99])
    def test_another_programs_file_is_refused_and_left_alone(
        self, tmp_path: Path, version: int
    ) -> None:
        path = tmp_path / "a.db"
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE completion (words)")
            db.execute(f"PRAGMA user_version = {version}")
        before = path.read_bytes()
        for opening in (open_writer, open_reader):
            with pytest.raises(StoreError, match="not an rlvr-explorer cache"):
                opening(path)
        assert path.read_bytes() == before

    def test_many_processes_may_make_the_cache_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: open_writer(path).close, range(16)))
        with closing(open_writer(path)) as db:
            assert verify(db) == []


class TestFile:
    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "a.db"
        old = os.umask(0)
        try:
            with closing(open_writer(path)) as db:
                catalog.put_problems(db, small_workspace.problems())
                modes = {
                    one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()
                }
        finally:
            os.umask(old)
        assert set(modes) == {"a.db", "a.db-wal", "a.db-shm"}
        assert set(modes.values()) == {0o600}

    def test_there_is_none_to_read(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no cache here"):
            open_reader(tmp_path / "a.db")
        assert list(tmp_path.iterdir()) == []

    def test_a_reader_cannot_write(self, tmp_path: Path) -> None:
        open_writer(tmp_path / "a.db").close()
        with closing(open_reader(tmp_path / "a.db")) as db, pytest.raises(StoreError) as caught:
            catalog.put_problems(db, small_workspace.problems())
        assert caught.value.title == "The cache cannot be written"

    def test_a_sealed_folder_can_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.db"
        fake_cache.build(path, problems=2, n=2, scored=0).close()
        if os.geteuid() == 0:  # root may write anywhere: say that we may not
            monkeypatch.setattr(os, "access", lambda *_: False)
        else:
            tmp_path.chmod(0o500)
        try:
            with closing(open_reader(path)) as db:
                assert len(queries.problems(db)) == 2
            assert {one.name for one in tmp_path.iterdir()} == {"a.db"}
        finally:
            tmp_path.chmod(0o700)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_sealed_folder_cannot_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(StoreError, match="cannot be opened"):
                open_writer(tmp_path / "a.db")
        finally:
            tmp_path.chmod(0o700)

    def test_a_full_disk_loses_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        with closing(open_writer(path)) as db:
            problem_id = catalog.put_problems(db, small_workspace.problems(1))["p0"]
            arm = catalog.put_arm(db, fake_cache.spec("base"), "base")
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages + 20}")
            index = 0

            def fill() -> None:
                nonlocal index
                while True:
                    one = Completion(index, 0, "long " * 1000, FinishReason.STOP, None)
                    completions.append(db, arm, problem_id, [(one, None)])
                    index += 1

            with pytest.raises(StoreError) as caught:
                fill()
            assert caught.value.title == "The disk is full"
            assert len(queries.heads(db, arm, problem_id)) == index > 0
            assert verify(db) == []
            db.execute(f"PRAGMA max_page_count = {pages + 1000}")
            one = Completion(index, 0, "short", FinishReason.STOP, None)
            assert completions.append(db, arm, problem_id, [(one, None)]) != [None]

    @pytest.mark.parametrize("size", [10, 5000])
    def test_what_is_no_database_is_called_damaged(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "a.db"
        path.write_bytes(b"not a database " * size)
        for opening in (open_writer, open_reader):
            with pytest.raises(StoreError, match="damaged"):
                opening(path)

    def test_broken_pages_are_reported(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        fake_cache.build(path, problems=20, n=10, scored=0).close()
        data = bytearray(path.read_bytes())
        for start in range(len(data) // 2, len(data), 4096):
            data[start : start + 2048] = b"\xff" * 2048
        path.write_bytes(data)
        with closing(open_reader(path)) as db:
            assert {one.table for one in verify(db)} == {"file"}
            with pytest.raises(StoreError, match="damaged"), store_errors(path):
                db.execute("SELECT SUM(length(text)) FROM completion").fetchone()


class TestNetworkFilesystems:
    MOUNTS = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "/dev/sdb1 /home/local ext4 rw 0 0\n"
        "server:/a\\040b /mnt/a\\040b lustre rw 0 0\n"
    )

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/data/x.db", False),
            ("/home/me/x.db", True),
            ("/home/local/x.db", False),
            ("/homes/x.db", False),
            ("/mnt/a b/x.db", True),
        ],
    )
    def test_the_innermost_mount_decides(self, tmp_path: Path, path: str, expected: bool) -> None:
        mounts = tmp_path / "mounts"
        mounts.write_text(self.MOUNTS)
        assert on_network_filesystem(Path(path), mounts) is expected

    def test_unknown_where_there_is_no_table(self, tmp_path: Path) -> None:
        assert not on_network_filesystem(Path("/home"), tmp_path / "none")

    @pytest.mark.parametrize(("network", "journal"), [(False, "wal"), (True, "delete")])
    def test_the_journal_fits_the_filesystem(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool, journal: str
    ) -> None:
        monkeypatch.setattr(connection, "on_network_filesystem", lambda _: network)
        with closing(open_writer(tmp_path / "a.db")) as db:
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == journal
            catalog.put_problems(db, small_workspace.problems())

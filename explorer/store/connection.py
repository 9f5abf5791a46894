"""Opening the cache: permissions, journal mode, migrations, and errors that people can act on."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from explorer.errors import StoreError

SCHEMA_VERSION: Final = 14
"""How many migrations `schema` has; a cache at this version opens without importing it."""

BUSY_TIMEOUT_S: Final = 20.0
"""How long a statement waits for another process's write before it gives up."""

NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "glusterfs", "beegfs"}
    | {"afs", "9p", "fuse.sshfs"}
)
"""Where SQLite's shared-memory WAL is unsafe."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the cache for reading and writing; create and migrate it as needed.

    Raises:
        StoreError: no permission, no space, not a cache, or written by a newer version.
    """
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(db, path)
        except BaseException:
            db.close()
            raise
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing cache read-only; also one in a folder that cannot be written.

    Raises:
        StoreError: there is no cache at `path`, or it cannot be read.
    """
    if not path.is_file():
        raise StoreError(
            "There is no cache here yet",
            f"Looked for {path}.",
            "Open the explorer, import recorded completions or sample, and it will be made.",
        )
    with store_errors(path):
        # A read-only connection to a WAL file must still write its shared-memory index. Where
        # the folder forbids that and no log is left, nobody is writing: 'immutable' is safe.
        log = path.with_name(path.name + "-wal")
        sealed = not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
        immutable = "&immutable=1" if sealed else ""
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro{immutable}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )
        try:
            if not _is_cache(db):
                raise _foreign(path)
            _check_version(_user_version(db), path)
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One atomic write; takes the write lock at once so that it never fails half-way to get it.

    Inside another one it joins that: the outermost commits or rolls back all of it.
    """
    if db.in_transaction:
        yield
        return
    with store_errors(database_path(db)):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite may have rolled back by itself after a full disk
                db.execute("ROLLBACK")
            raise


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into a `StoreError` with a hint."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _explain(error, path) from error
    except PermissionError as error:
        raise StoreError(
            "The cache cannot be opened", str(error), "Check the owner and mode of its folder."
        ) from error
    except OSError as error:
        raise StoreError("The cache cannot be opened", str(error)) from error


def database_path(db: sqlite3.Connection) -> Path:
    """The file behind a connection."""
    return Path(db.execute("PRAGMA database_list").fetchone()[2])


def on_network_filesystem(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether `path` lies on a mount where WAL is unsafe (False where this cannot be told)."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return False
    best, kind = "", ""
    target = str(path.resolve())
    for line in lines:
        _, mount, filesystem, *_ = line.split(" ")
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount)
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, filesystem
    return kind in NETWORK_FILESYSTEMS


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    if not _is_cache(db) and not _is_empty(db):
        raise _foreign(path)
    version = _user_version(db)
    if version > SCHEMA_VERSION:
        _check_version(version, path)
    network = on_network_filesystem(path)
    _set_journal(db, "delete" if network else "wal")
    # With a log, NORMAL can lose the last commits to a power cut but never breaks the file;
    # with a rollback journal it might.
    db.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
    db.execute("PRAGMA foreign_keys = ON")
    if version < SCHEMA_VERSION:
        _migrate(db, path)


def _set_journal(db: sqlite3.Connection, mode: str) -> None:
    """Switch the journal; SQLite does not wait by itself for others that have the file open."""
    patience = time.monotonic() + BUSY_TIMEOUT_S
    while db.execute("PRAGMA journal_mode").fetchone()[0] != mode:
        try:
            db.execute(f"PRAGMA journal_mode = {mode}")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > patience:
                raise
            time.sleep(0.02)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    # Imported here: sqlite-utils takes a quarter of a second, and old caches are rare.
    from sqlite_utils import Database

    from explorer.store.schema import migrations

    with transaction(db):
        if not _is_cache(db) and not _is_empty(db):
            raise _foreign(path)
        migrations.apply(Database(db))
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_cache(db: sqlite3.Connection) -> bool:
    return _has_table(db, "name IN ('_sqlite_migrations', 'completion')", 2)


def _is_empty(db: sqlite3.Connection) -> bool:
    return not _has_table(db, "1", 1)


def _has_table(db: sqlite3.Connection, condition: str, count: int) -> bool:
    row = db.execute(f"SELECT COUNT(*) FROM sqlite_master WHERE {condition}").fetchone()
    return int(row[0]) >= count


def _foreign(path: Path) -> StoreError:
    return StoreError(
        "This SQLite file is not an rlvr-explorer cache",
        f"{path} holds other tables.",
        "Point [cache] path in explorer.toml at another file.",
    )


def _user_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check_version(version: int, path: Path) -> None:
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StoreError(
            "This cache was written by a newer rlvr-explorer",
            f"{path} has schema {version}; this version knows {SCHEMA_VERSION}.",
            "Upgrade rlvr-explorer, or point [cache] path at another file.",
        )
    raise StoreError(
        "This cache must be upgraded first",
        f"{path} has schema {version}; this version reads {SCHEMA_VERSION}.",
        "Run any command that writes to it, such as `rlvr-explorer sample` or `import`.",
    )


def _explain(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    text = str(error)
    if "full" in text:
        hint = "Free some space; what was stored is safe, and asking again draws only the rest."
        return StoreError("The disk is full", f"Writing to {path} failed: {text}.", hint)
    if "readonly" in text or "unable to open" in text:
        hint = "Check the owner and mode of the file and its folder; nothing was changed."
        return StoreError("The cache cannot be written", f"{path}: {text}.", hint)
    if "locked" in text or "busy" in text:
        hint = "Another process is writing for long; try again in a moment."
        return StoreError("The cache is busy", f"{path}: {text}.", hint)
    if "not a database" in text or "malformed" in text:
        hint = "Move it away, or restore a backup; `sqlite3 FILE .recover` may rescue its rows."
        return StoreError("The cache file is damaged", f"{path}: {text}.", hint)
    return StoreError("The cache cannot be used", f"{path}: {text}.")

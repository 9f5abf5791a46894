"""`python -m explorer.sampler --settings explorer.toml`: the detached process.

Invariant: it ends only when nothing is asked of it. It lets go of the lock first and then looks
once more, because whoever asks looks at the lock after asking.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from explorer.errors import BusyError, ExplorerError
from explorer.sampler.lifecycle import SamplerLock
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.settings import reader as settings_reader
from explorer.store import guides, requests, settling
from explorer.store.connection import open_writer

log = logging.getLogger("explorer.sampler")


class SettingsFile:
    """explorer.toml as it is now; while it is wrong, as it last was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._modified = path.stat().st_mtime_ns if path.exists() else 0
        self._settings = settings_reader.load(path)

    def __call__(self) -> Settings:
        try:
            modified = self._path.stat().st_mtime_ns
            if modified != self._modified:
                self._modified = modified
                fresh = settings_reader.load(self._path)
                # The lock and the open file belong to this cache; another one is another sampler.
                if fresh.workspace == self._settings.workspace:
                    self._settings = fresh
        except (OSError, ExplorerError) as error:
            log.error("still using the former explorer.toml: %s", error)
        return self._settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sampler until it is stopped or idle; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m explorer.sampler")
    parser.add_argument("--settings", type=Path, required=True, help="path of explorer.toml")
    path = parser.parse_args(arguments).settings.resolve()
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        settings = SettingsFile(path)
        lock = SamplerLock(settings().workspace.sampler_lock)
        try:
            return _serve(settings, lock)
        finally:
            lock.release()
    except ExplorerError as error:
        log.error("%s", error)
        return error.exit_code


def _serve(settings: SettingsFile, lock: SamplerLock) -> int:
    cache = settings().workspace.cache
    while True:
        log.info("process %d works on %s", os.getpid(), cache)
        with closing(open_writer(cache)) as db:
            terminated, stopped_at = asyncio.run(_run(db, settings))
            lock.release()
            log.info("ended")
            if terminated or not _asked_since(db, stopped_at):
                return 0
        try:
            lock = SamplerLock(settings().workspace.sampler_lock)
        except BusyError:  # another one has taken it up
            return 0


async def _run(db: sqlite3.Connection, settings: SettingsFile) -> tuple[bool, float | None]:
    """Returns whether a signal ended it, and when it was asked to stop, if it was."""
    runner = Runner(db, settings)
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        runner.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, terminate)
    await runner.run()
    return terminated, runner.stopped_at


def _asked_since(db: sqlite3.Connection, moment: float | None) -> bool:
    """Whether something was asked for that this sampler did not see before it ended."""
    moments = [
        *(row.asked for row in requests.open_requests(db)),
        *(wish.asked for wish in settling.open_wishes(db)),
        *(guide.asked for guide in guides.open_guides(db)),
    ]
    return any(moment is None or asked > moment for asked in moments)


if __name__ == "__main__":
    sys.exit(main())

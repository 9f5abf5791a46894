"""Bringing a workspace's problems, models and recorded completions into its cache.

Done before anything is shown or sampled, by every command that needs it, and again only for what
changed since: a note beside the cache (`<cache>.prepared.json`) keeps a fingerprint of each
source. Invariant: a faulty file costs only its own faulty rows; the faults are kept in the note
and shown, and everything else is brought in.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from explorer import __version__
from explorer.core.arm import canonical_json
from explorer.errors import DataError, ExplorerError, MissingExtraError
from explorer.preparation_note import read_note, write_note
from explorer.settings import DatasetSettings, Settings
from explorer.settings.formats import AUTO, is_data
from explorer.store import catalog
from explorer.store.connection import open_writer, store_errors
from explorer.store.rows import ModelRow

Say = Callable[[str], None]

FAULTS_KEPT = 20
"""Faults of one file that are kept; one wrong column makes thousands alike."""


def prepare(settings: Settings, say: Say = lambda line: None) -> list[str]:
    """Bring in what is new or changed; returns every fault of the workspace's files.

    A cache that exists and cannot be written is left as it is.

    Raises:
        StoreError: the cache cannot be made, or there is no space.
    """
    cache = settings.workspace.cache
    if cache.is_file() and not os.access(cache, os.W_OK):
        return read_note(cache).all_faults
    with store_errors(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
    with _alone(cache), closing(open_writer(cache)) as db:
        return _Preparation(settings, db, say).run()


class _Preparation:
    """One run over all sources, with the note kept up to date after each."""

    def __init__(self, settings: Settings, db: sqlite3.Connection, say: Say) -> None:
        self.settings = settings
        self.db = db
        self.say = say
        self.cache = settings.workspace.cache
        self.note = read_note(self.cache)
        self.seen: set[str] = set()

    def run(self) -> list[str]:
        models = [
            ModelRow(model.name, model.role.value, model.base, model.algorithm)
            for model in self.settings.models.values()
        ]
        self._source("models", repr(models), partial(self._put_models, models))
        for dataset in self.settings.datasets.values():
            state = canonical_json([__version__, repr(dataset), _data_state(dataset)])
            bring_in = partial(self._read, dataset)
            self._source(f"dataset {dataset.name}", state, bring_in, again=dataset.path is None)
        for path in self.settings.recorded:
            self._source(f"recorded {path}", _state(path), partial(self._import, path))
        for gone in set(self.note.faults) - self.seen:
            del self.note.faults[gone]
        self._save()
        self._grade()
        return self.note.all_faults

    def _source(
        self,
        name: str,
        fingerprint: str,
        bring_in: Callable[[], list[str]],
        again: bool = False,
    ) -> None:
        """Bring in a source that changed; one that failed waits for a change unless `again`."""
        self.seen.add(name)
        if self.note.fingerprints.get(name) == fingerprint:
            return
        try:
            faults = bring_in()
        except (DataError, MissingExtraError) as error:
            faults = [_in_one_line(error)]
            if again or isinstance(error, MissingExtraError):
                fingerprint = ""
        for fault in faults[:FAULTS_KEPT]:
            self.say(f"{name}: {fault}")
        if len(faults) > FAULTS_KEPT:
            faults = [*faults[:FAULTS_KEPT], f"{name}: … and {len(faults) - FAULTS_KEPT} more"]
        self.note.fingerprints[name] = fingerprint
        self.note.faults[name] = faults
        self._save()

    def _put_models(self, models: list[ModelRow]) -> list[str]:
        catalog.put_models(self.db, models)
        return []

    def _read(self, dataset: DatasetSettings) -> list[str]:
        from explorer.datasets.registry import read

        contents = read(dataset)
        catalog.put_problems(self.db, contents.problems)
        what = f", read as {contents.format}" if dataset.format == AUTO else ""
        self.say(f"dataset {dataset.name}: {len(contents.problems)} problems{what}")
        return [str(fault) for fault in contents.faults]

    def _import(self, path: Path) -> list[str]:
        from explorer.exchange.files import files_in
        from explorer.exchange.importer import import_file

        faults: list[str] = []
        for file in files_in(path):
            try:
                report = import_file(self.db, file)
            except DataError as error:
                if file == path:
                    raise
                faults.append(f"{file.name}: {error.title}")
                continue
            if not report.companion_of:
                self.say(f"recorded {file.name}: {report.added:,} new completions")
            faults += [str(fault) for fault in report.faults]
            if unlisted := report.faults_total - len(report.faults):
                faults.append(f"{file.name}: … and {unlisted:,} more")
        return faults

    def _grade(self) -> None:
        """Grade what came ungraded, or was ungraded because its problem changed."""
        from explorer.grading import grade_pending
        from explorer.verifiers.pool import VerifierPool

        with VerifierPool(code_unprotected=self.settings.code_unprotected) as pool:
            graded = grade_pending(self.db, pool, outdated=False)
        if graded:
            self.say(f"graded {graded:,} completions")

    def _save(self) -> None:
        write_note(self.cache, self.note)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Wait until no other process prepares this cache; a killed one leaves no lock behind."""
    with store_errors(cache):
        file = cache.with_name(f"{cache.stem}.prepare.lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _state(path: Path) -> str:
    """Changes whenever a file does."""
    try:
        stat = path.stat()
    except OSError as error:
        return f"missing: {error.strerror}"
    if path.is_dir():
        return "\n".join(_state(file) for file in sorted(path.rglob("*")) if file.is_file())
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"


def _data_state(dataset: DatasetSettings) -> str:
    """Changes whenever a local dataset's files do; a hub's is fetched once."""
    path = dataset.path
    if path is None:
        return dataset.hub
    if not path.is_dir():
        return _state(path)
    return canonical_json([_state(one) for one in sorted(path.rglob("*.*")) if is_data(one)])


def _in_one_line(error: ExplorerError) -> str:
    """A fault of a whole source: what happened, and for a missing package what to do."""
    parts = [error.title, error.hint if isinstance(error, MissingExtraError) else error.detail]
    return ": ".join(part for part in parts if part)


def describe(error: ExplorerError) -> str:
    """An error in one line, for a log."""
    return " · ".join(part for part in (error.title, error.detail, error.hint) if part)

"""What `doctor` looks at: the installation, the settings, the models, the cache, the terminal.

Every check says what it found and, when that is not good, what to do; none of them changes
anything, loads a model or asks a network.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from explorer import __version__
from explorer.errors import ExplorerError
from explorer.preparation_note import read_note
from explorer.settings import DatasetSettings, Settings
from explorer.settings.reader import find, load
from explorer.store import status
from explorer.store.connection import on_network_filesystem, open_reader
from explorer.store.verify import Disagreement, verify
from explorer.verifiers import sandbox
from explorer.views.models import missing
from explorer.views.status import is_alive


class Level(StrEnum):
    """How a check came out; only `BAD` makes `doctor` fail."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    level: Level
    topic: str
    text: str
    fix: str = ""


NEEDED: Final = ("textual", "rich", "numpy", "sqlite-utils", "math-verify", "click")
LOCAL: Final = ("torch", "transformers", "safetensors")
DATA: Final = ("huggingface_hub", "pyarrow")


def examine(where: Path | None, full: bool) -> Iterator[Finding]:
    """All checks in turn; `full` also re-derives every key and count of the cache."""
    yield from _installation()
    yield from _terminal(os.environ)
    try:
        settings = load(find(Path.cwd(), where))
    except ExplorerError as error:
        yield _bad("settings", error)
        return
    yield Finding(Level.GOOD, "settings", str(settings.workspace.settings))
    yield from _models(settings)
    yield from _files(settings)
    yield _code(settings)
    yield from _cache(settings, full)


def _installation() -> Iterator[Finding]:
    python = sys.version.split()[0]
    yield Finding(Level.GOOD, "installed", f"rlvr-explorer {__version__}, Python {python}")
    found = {name: _version(name) for name in (*NEEDED, *LOCAL, "vllm")}
    lost = [name for name in NEEDED if not found[name]]
    listed = " · ".join(f"{name} {found[name]}" for name in NEEDED if found[name])
    yield Finding(Level.GOOD, "packages", listed)
    if lost:
        yield Finding(
            Level.BAD, "packages", f"missing: {', '.join(lost)}", "pip install rlvr-explorer"
        )
    absent = [name for name in LOCAL if not found[name]]
    if absent:
        yield Finding(
            Level.NOTE,
            "engines",
            f"no local models: {', '.join(absent)} not installed; recorded data can be shown",
            "pip install 'rlvr-explorer[local]'",
        )
    else:
        listed = " · ".join(f"{name} {found[name]}" for name in LOCAL)
        yield Finding(Level.GOOD, "engines", f"transformers ({listed})")


def _terminal(environment: Mapping[str, str]) -> Iterator[Finding]:
    term = environment.get("TERM", "")
    if not sys.stdout.isatty() or term in ("", "dumb"):
        yield Finding(Level.NOTE, "terminal", "none here; the same facts are printed as text")
        return
    if environment.get("NO_COLOR"):
        colours = "none (NO_COLOR)"
    elif environment.get("COLORTERM") in ("truecolor", "24bit"):
        colours = "16 million"
    else:
        colours = "256" if "256" in term else "16"
    size = shutil.get_terminal_size()
    text = f"{term}, {size.columns}×{size.lines}, {colours} colours"
    if size.columns < 80 or size.lines < 24:
        yield Finding(Level.NOTE, "terminal", text, "It is made for 80×24 and more.")
    else:
        yield Finding(Level.GOOD, "terminal", text)


def _models(settings: Settings) -> Iterator[Finding]:
    if not settings.models:
        yield Finding(Level.NOTE, "models", "none named", "Add [models.<name>] to explorer.toml.")
    for model in settings.models.values():
        lacks = missing(model)
        if lacks:
            yield Finding(
                Level.NOTE, "models", f"{model.name}: {lacks} ({model.source})", "It cannot sample."
            )
        else:
            yield Finding(Level.GOOD, "models", f"{model.name}: {model.source}")


def _files(settings: Settings) -> Iterator[Finding]:
    datasets = settings.datasets.values()
    named = [(f"dataset {one.name}", one.path) for one in datasets if one.path]
    named += [("recorded", path) for path in settings.recorded]
    for one in datasets:
        if one.path is None:
            yield from _hub(one)
    if not settings.datasets:
        yield Finding(
            Level.NOTE, "problems", "no dataset named", "Add [datasets.<name>] to explorer.toml."
        )
    for topic, path in named:
        if path.exists():
            yield Finding(Level.GOOD, topic, str(path))
        else:
            yield Finding(Level.BAD, topic, f"{path} is not there", "Mend its path.")
    for fault in read_note(settings.workspace.cache).all_faults:
        yield Finding(Level.NOTE, "faults", fault)


def _hub(dataset: DatasetSettings) -> Iterator[Finding]:
    topic, lost = f"dataset {dataset.name}", [name for name in DATA if not _version(name)]
    if lost:
        yield Finding(
            Level.BAD,
            topic,
            f"{dataset.source} needs {' and '.join(lost)}",
            "pip install 'rlvr-explorer[data]'",
        )
    else:
        yield Finding(Level.GOOD, topic, dataset.source)


def _code(settings: Settings) -> Finding:
    """Whether model code can be run against its tests, and how it is shut in."""
    if settings.code_unprotected:
        sandbox.permit_unprotected()
    found = sandbox.probe()
    python = sys.version.split()[0]
    if found.isolation is sandbox.Isolation.NONE:
        return Finding(
            Level.NOTE,
            "code",
            f"no sandbox, so model code is not run: {found.reason}",
            "Install bubblewrap 0.7 or newer, e.g. apt install bubblewrap. In a container it needs"
            " the right to make namespaces.",
        )
    if found.isolation is sandbox.Isolation.UNPROTECTED:
        return Finding(
            Level.NOTE,
            "code",
            f"model code runs unprotected, as explorer.toml says ({found.reason})",
            "Install bubblewrap, and remove [verifiers] run_code_without_sandbox.",
        )
    how = f"Python {python} in bubblewrap {found.version}: {found.isolation}"
    return Finding(Level.GOOD, "code", how)


def _cache(settings: Settings, full: bool) -> Iterator[Finding]:
    cache = settings.workspace.cache
    if not cache.exists():
        nearest = next(folder for folder in cache.parents if folder.exists())
        if os.access(nearest, os.W_OK):
            yield Finding(Level.GOOD, "cache", f"{cache} (not made yet)")
        else:
            yield Finding(
                Level.BAD, "cache", f"{nearest} cannot be written", "Set [cache] path elsewhere."
            )
        return
    try:
        with closing(open_reader(cache)) as db:
            journal = db.execute("PRAGMA journal_mode").fetchone()[0]
            size = cache.stat().st_size / 1e6
            yield Finding(Level.GOOD, "cache", f"{cache}, {size:,.1f} MB, journal {journal}")
            sampler = status.sampler(db)
            wrong = verify(db) if full else []
    except ExplorerError as error:
        yield _bad("cache", error)
        return
    if not (os.access(cache, os.W_OK) and os.access(cache.parent, os.W_OK)):
        yield Finding(
            Level.NOTE, "cache", "cannot be written: nothing can be sampled or imported here"
        )
    if on_network_filesystem(cache):
        yield Finding(
            Level.NOTE,
            "cache",
            "is on a network file system, so the slower rollback journal is used",
            "Set [cache] path to a local disk.",
        )
    if full:
        yield from _verified(wrong)
    alive = sampler is not None and is_alive(sampler)
    text = (
        f"runs as process {sampler.pid}" if sampler and alive else "not running (starts on demand)"
    )
    yield Finding(Level.GOOD, "sampler", text)


def _verified(wrong: list[Disagreement]) -> Iterator[Finding]:
    if not wrong:
        yield Finding(Level.GOOD, "verify", "every key and every count agrees with what is stored")
    for one in wrong[:20]:
        yield Finding(
            Level.BAD,
            "verify",
            f"{one.table} {one.row}: stored {one.stored}, but derived {one.derived}",
        )
    if len(wrong) > 20:
        yield Finding(Level.BAD, "verify", f"… and {len(wrong) - 20:,} more")


def _bad(topic: str, error: ExplorerError) -> Finding:
    text = "\n".join(part for part in (error.title, error.detail) if part)
    return Finding(Level.BAD, topic, text, error.hint)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

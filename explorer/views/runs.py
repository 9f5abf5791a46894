"""What the Runs screen reads: models, arms, the queue, the sampler, and the ends of the logs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from explorer.settings import Settings
from explorer.store import queries, requests, status
from explorer.store.revisions import Topic
from explorer.store.rows import ArmRow, ModelRow, RequestRow, SamplerRow
from explorer.views.arms import ordered_models
from explorer.views.guides import GuideProgress, read_guides
from explorer.views.models import missing
from explorer.views.text import lines_of

FAILED_SHOWN: Final = 8
TAIL_BYTES: Final = 24_000
TAIL_LINES: Final = 200
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model, where it comes from, and what keeps it from being run here ('' = nothing)."""

    model: ModelRow
    source: str
    engine: str
    dtype: str
    trouble: str
    completions: int


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A request, its problem's name and how many of its completions are there.

    Attributes:
        have: None until the sampler has told which arm it is, and for scores.
    """

    request: RequestRow
    problem: str
    have: int | None


@dataclass(frozen=True, slots=True)
class ArmLine:
    """A stored arm and its completions."""

    arm: ArmRow
    completions: int


@dataclass(frozen=True, slots=True)
class Runs:
    """All of it; `open` and `failed` are the queue, most urgent and latest first."""

    models: tuple[ModelLine, ...]
    arms: tuple[ArmLine, ...]
    open: tuple[QueueLine, ...]
    failed: tuple[QueueLine, ...]
    sampler: SamplerRow | None
    guides: tuple[GuideProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a log as safe lines; empty when there is no such file."""

    name: str
    names: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class RunsSubject:
    """Watch the runs of a workspace."""

    settings: Settings

    @property
    def topics(self) -> frozenset[str]:
        topics = (Topic.PROBLEMS, Topic.COUNTS, Topic.REQUESTS, Topic.SAMPLER)
        return frozenset(topic.value for topic in topics)

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        arms, sizes = queries.arms(db), queries.arm_sizes(db)
        failed = requests.select(db, "state = 'failed'", ())
        failed.sort(key=lambda request: -request.updated)
        yield Runs(
            models=tuple(_models(queries.models(db), arms, sizes, self.settings)),
            arms=tuple(ArmLine(arm, sizes.get(arm.id, 0)) for arm in arms),
            open=tuple(_line(db, request) for request in requests.open_requests(db)),
            failed=tuple(_line(db, request) for request in failed[:FAILED_SHOWN]),
            sampler=status.sampler(db),
            guides=tuple(read_guides(db)),
        )


@dataclass(frozen=True)
class LogSubject:
    """Read the end of one log of a folder, once; `name` '' means the sampler's own."""

    folder: Path
    name: str = ""

    @property
    def topics(self) -> frozenset[str]:
        return frozenset()

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        yield read_tail(self.folder, self.name)


def read_tail(folder: Path, name: str = "") -> LogTail:
    """The last lines of a log; an unreadable one has none."""
    try:
        names = sorted(path.name for path in folder.glob("*.log"))
    except OSError:
        names = []
    names.sort(key=lambda one: one != "sampler.log")
    chosen = name if name in names else (names[0] if names else "")
    lines: Sequence[str] = ()
    if chosen:
        try:
            with (folder / chosen).open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            text = ""
        # a progress bar rewrites its line: only what it said last is of interest
        latest = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
        latest = [_COLOURS.sub("", line) for line in latest]
        lines = lines_of("\n".join(latest).rstrip("\n"))[-TAIL_LINES:] if text.strip() else ()
    return LogTail(chosen, tuple(names), tuple(lines))


def _models(
    stored: Sequence[ModelRow],
    arms: Sequence[ArmRow],
    sizes: Mapping[int, int],
    settings: Settings,
) -> Iterator[ModelLine]:
    for model in ordered_models(stored, settings):
        known = settings.models.get(model.name)
        own = [arm for arm in arms if arm.model.name == model.name]
        checkpoint = own[0].spec.checkpoint if own else ""
        yield ModelLine(
            model,
            source=known.source if known else checkpoint,
            engine=known.engine if known else (own[0].spec.engine if own else ""),
            dtype=known.dtype if known else (own[0].spec.dtype if own else ""),
            trouble=missing(known) if known else "recorded only, not in explorer.toml",
            completions=sum(sizes.get(arm.id, 0) for arm in own),
        )


def _line(db: sqlite3.Connection, request: RequestRow) -> QueueLine:
    row = queries.problem_by_id(db, request.problem_id)
    name = f"{row.problem.dataset}/{row.problem.name}" if row else "?"
    have = None
    if request.kind in requests.DRAWING and request.arm_id is not None:
        tally = queries.problem_tallies(db, request.problem_id).get(request.arm_id)
        have = min(request.n, tally.completions) if tally else 0
    return QueueLine(request, name, have)

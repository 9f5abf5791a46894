"""A small workspace to guide sampling in: its cache, what is wished for, and a sampler on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from explorer.core.guidance import default_ks
from explorer.sampler.runner import Runner
from explorer.settings import Settings
from explorer.store import catalog, guides, queries
from explorer.store.connection import open_writer
from explorer.store.guides import NO_LIMITS, GuideRow, Limits, Wish
from tests import small_workspace
from tests.fake_engine import Script
from tests.small_workspace import SAMPLING

PROBLEMS = 6

Cache = tuple[sqlite3.Connection, Settings, list[int]]


@contextmanager
def opened(root: Path) -> Iterator[Cache]:
    """A new cache with a few problems, and the settings of models that a script plays."""
    settings = small_workspace.settings(root, idle_exit_s=0.0)
    settings = replace(
        settings,
        models={name: replace(m, source=f"/m/{name}") for name, m in settings.models.items()},
    )
    with closing(open_writer(settings.workspace.cache)) as db:
        ids = catalog.put_problems(db, small_workspace.problems(PROBLEMS))
        yield db, settings, list(ids.values())


def wish(problems: list[int], n: int = 40, limits: Limits = NO_LIMITS) -> Wish:
    return Wish(
        ("base", "rl"), ((0, 1),), tuple(problems), "all", SAMPLING, n, default_ks(n), limits
    )


async def work(db: sqlite3.Connection, settings: Settings, script: Script) -> None:
    await Runner(db, lambda: settings, open_engine=script.open).run()


@asynccontextmanager
async def working(
    db: sqlite3.Connection, settings: Settings, script: Script
) -> AsyncIterator[Runner]:
    settings = replace(settings, idle_exit_s=600)
    runner = Runner(db, lambda: settings, open_engine=script.open)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        runner.stop()
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop room until something is true; pytest's timeout ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.005)


def guide(db: sqlite3.Connection, guide_id: int) -> GuideRow:
    found = guides.by_id(db, guide_id)
    assert found is not None
    return found


def stored(db: sqlite3.Connection) -> dict[tuple[str, int], int]:
    names = {arm.id: arm.model.name for arm in queries.arms(db)}
    return {
        (names[arm], problem): tally.completions
        for (arm, problem), tally in queries.tallies(db).items()
    }

"""Guided sampling with the bundled models as real processes: killed, paused, stopped by a limit."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from explorer.cli.demonstration import demo_settings
from explorer.sampler import lifecycle
from explorer.settings import Settings
from explorer.settings import reader as settings_reader
from explorer.store import catalog, guides, queries, status
from explorer.store.connection import open_reader, open_writer
from explorer.store.guides import Wish
from explorer.store.verify import verify
from tests import small_workspace
from tests.end_to_end import processes
from tests.end_to_end.processes import kill, wait_until
from tests.end_to_end.test_cli import explorer

PROBLEMS = "trees-001,trees-002"
BASE_AND_RL = ("-m", "base,rl", "-p", PROBLEMS)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Settings]:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    settings = demo_settings(tmp_path / "demo")
    explorer("demo", "--at", settings.workspace.root, cwd=tmp_path)
    yield settings
    for process in lifecycle._started:
        if process.poll() is None:
            kill(process)
    explorer("stop", "-w", settings.workspace.root, cwd=tmp_path)
    wait_until(lambda: not lifecycle.is_running(settings.workspace), "no sampler is left")


def counted(settings: Settings) -> dict[tuple[str, str], int]:
    """Completions by model and problem, and that none is there twice."""
    with closing(open_reader(settings.workspace.cache)) as db:
        assert verify(db) == []
        names = {row.id: row.problem.name for row in queries.problems(db)}
        models = {arm.id: arm.model.name for arm in queries.arms(db)}
        return {
            (models[arm], names[problem]): tally.completions
            for (arm, problem), tally in queries.tallies(db).items()
        }


def with_db(settings: Settings, read: Callable[[sqlite3.Connection], int]) -> int:
    with closing(open_reader(settings.workspace.cache)) as db:
        return read(db)


def drawn(db: sqlite3.Connection) -> int:
    (many,) = db.execute("SELECT COUNT(*) FROM completion WHERE origin = 'live'").fetchone()
    return int(many)


def test_killed_in_the_middle_it_goes_on_and_loses_and_doubles_nothing(
    demo: Settings, tmp_path: Path
) -> None:
    root = demo.workspace.root
    before = counted(demo)
    with closing(open_writer(demo.workspace.cache)) as db:
        from explorer.cli.guiding import Asked, wish_of

        wish = wish_of(db, demo, Asked(96, "base,rl", PROBLEMS, "", guides.NO_LIMITS, ()))
        asked = guides.ask(db, wish)
    assert lifecycle.ensure_running(demo.workspace.settings)
    wait_until(lambda: with_db(demo, drawn) > 5, "some are drawn")
    kill(lifecycle._started[-1])
    wait_until(lambda: not lifecycle.is_running(demo.workspace), "it is dead")
    kept = with_db(demo, drawn)
    assert kept < 4 * 32
    waited = explorer(
        "guide", "-w", root, "-n", "96", *BASE_AND_RL, "--yes", "--wait", cwd=tmp_path
    )
    assert f"Guide {asked} is done: every model has 96 of each problem" in waited.stdout
    after = counted(demo)
    chosen = {(model, name) for model in ("base", "rl") for name in PROBLEMS.split(",")}
    for cell, many in after.items():
        assert many == (96 if cell in chosen else before[cell])
    told = json.loads(explorer("guide", "status", "-w", root, "--json", cwd=tmp_path).stdout)
    (one,) = told
    assert one["state"] == "done"
    assert one["spent"]["samples"] == with_db(demo, drawn) == 4 * 32
    with closing(open_reader(demo.workspace.cache)) as db:
        (tokens,) = db.execute(
            "SELECT SUM(n_tokens) FROM completion WHERE origin = 'live'"
        ).fetchone()
    assert one["spent"]["tokens"] == tokens
    assert one["spent"]["seconds"] > 0


def test_killed_at_random_moments_what_is_spent_is_what_was_drawn(tmp_path: Path) -> None:
    """With an engine that starts in a blink, so that it is killed in the midst of everything."""
    path = small_workspace.write_toml(tmp_path, {"base": "/m/base", "rl": "/m/rl"})
    settings = settings_reader.load(path)
    with closing(open_writer(settings.workspace.cache)) as db:
        ids = catalog.put_problems(db, small_workspace.problems(4))
        wish = Wish(
            ("base", "rl"), ((0, 1),), tuple(ids.values()), "all", small_workspace.SAMPLING, 48,
            (1, 4, 16), guides.Limits(samples=4 * 2 * 48 - 30),
        )  # fmt: skip
        asked = guides.ask(db, wish)
    moments, goal = random.Random(7), 0
    for _ in range(8):
        process = processes.start("tests.end_to_end.fake_sampler", path, tmp_path / "sampler.log")
        try:
            goal += moments.choice((0, 1, 7, 16, 25))
            wait_until(lambda: with_db(settings, drawn) >= goal, f"{goal} are drawn")  # noqa: B023
        finally:
            kill(process)
    process = processes.start("tests.end_to_end.fake_sampler", path, tmp_path / "sampler.log")
    try:
        wait_until(lambda: _state(settings, asked) == "done", "it is done")
    finally:
        kill(process)
    with closing(open_reader(settings.workspace.cache)) as db:
        found = guides.by_id(db, asked)
        assert found is not None
        (tokens,) = db.execute("SELECT SUM(n_tokens) FROM completion").fetchone()
        assert (found.spent.samples, found.spent.tokens) == (drawn(db), tokens)
        assert found.spent.samples == 4 * 2 * 48 - 30
        assert verify(db) == []


def _state(settings: Settings, guide_id: int) -> str:
    with closing(open_reader(settings.workspace.cache)) as db:
        found = guides.by_id(db, guide_id)
    return found.state if found else ""


def test_estimate_limit_pause_and_resume_from_the_command_line(
    demo: Settings, tmp_path: Path
) -> None:
    root = demo.workspace.root
    asking = ("guide", "-w", root, "-n", "128", *BASE_AND_RL)
    only = explorer(*asking, "--samples", "40", "--estimate", cwd=tmp_path).stdout
    assert "time unknown until the first batch" in only
    assert "A limit comes first, about 216 samples short of 128 of everything." in only
    assert "There is no guided sampling" in explorer("guide", "-w", root, cwd=tmp_path).stdout
    done = explorer(*asking, "--samples", "40", "--wait", cwd=tmp_path)
    assert "stopped at the limit of 40 samples; drew 40 samples" in done.stdout
    assert "base " in done.stderr
    assert with_db(demo, drawn) == 40
    measured = explorer(*asking, "--estimate", cwd=tmp_path).stdout
    assert "measured here over" in measured

    begun = explorer("guide", "-w", root, "-n", "100000", *BASE_AND_RL, "--yes", cwd=tmp_path)
    assert "guide pause 1` pauses it" in begun.stdout
    wait_until(lambda: with_db(demo, drawn) > 44, "more are drawn")
    assert "Guide 1 is paused" in explorer("guide", "pause", "-w", root, cwd=tmp_path).stdout
    wait_until(lambda: with_db(demo, _waiting) == 0, "what was under way is dropped")
    assert "guide 1  paused" in explorer("status", "-w", root, cwd=tmp_path).stdout
    many = with_db(demo, drawn)
    assert "Guide 1 goes on." in explorer("guide", "resume", "-w", root, cwd=tmp_path).stdout
    wait_until(lambda: with_db(demo, drawn) > many, "it goes on")
    assert "Guide 1 is cancelled" in explorer("guide", "cancel", "-w", root, cwd=tmp_path).stdout
    refused = explorer("guide", "pause", "-w", root, cwd=tmp_path, expect=2)
    assert "There is no guided sampling to pause" in refused.stderr
    assert "1 is cancelled." in refused.stderr


def _waiting(db: sqlite3.Connection) -> int:
    return len(guides.draws(db, 1))


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path / "demo")
    root = settings.workspace.root
    explorer("demo", "--at", root, cwd=tmp_path)
    for wrong, said in (
        (("-n", "8", "-m", "nobody"), "There is no model 'nobody'"),
        (("-n", "8", "-p", "nothing"), "There is no problem 'nothing'"),
        (("-n", "8", "--tokens", "many"), "give a number such as 5000, 20k or 2M"),
        (("--tokens", "2M"), "say with -n how many"),
        (("resume", "7"), "There is no guided sampling to resume of number 7"),
    ):
        found = explorer("guide", "-w", root, *wrong, cwd=tmp_path, expect=2)
        assert said in found.stderr
    with closing(open_reader(settings.workspace.cache)) as db:
        assert guides.all_guides(db) == []
        assert status.sampler(db) is None

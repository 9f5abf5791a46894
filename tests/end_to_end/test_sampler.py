"""The sampler as a real process: killed, stopped, started twice, left idle."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from explorer.core.completion import Completion, FinishReason, Origin
from explorer.sampler import lifecycle
from explorer.settings import reader as settings_reader
from explorer.store import catalog, completions, queries, requests, status
from explorer.store.connection import open_reader, open_writer
from explorer.store.verify import verify
from tests import fake_engine, small_workspace, tiny_llama
from tests.end_to_end import processes
from tests.end_to_end.processes import descendants, is_alive, kill, wait_until
from tests.fake_engine import text_of
from tests.small_workspace import SAMPLING

KILLS = 22
FAKE = "tests.end_to_end.fake_sampler"
REAL = "explorer.sampler"


class Site:
    """A workspace on disk, and the sampler processes that a test starts on it."""

    def __init__(self, root: Path, models: dict[str, str], idle_exit_s: float, module: str) -> None:
        self.root = root
        self.module = module
        self.settings = small_workspace.write_toml(root, models, idle_exit_s)
        self.workspace = settings_reader.load(self.settings).workspace
        self.log = root / "sampler.log"
        self.running: list[subprocess.Popen[bytes]] = []
        with closing(open_writer(self.workspace.cache)) as db:
            ids = catalog.put_problems(db, small_workspace.problems())
        self.problems = list(ids.values())

    def start(self) -> subprocess.Popen[bytes]:
        process = processes.start(self.module, self.settings, self.log)
        self.running.append(process)
        return process

    def close(self) -> None:
        """Leave no process behind, also when the test has failed."""
        for process in (*self.running, *lifecycle._started):
            if process.poll() is None:
                kill(process)

    def ask(self, model: str, n: int, problem: int = 0, priority: int = 0) -> int:
        with closing(open_writer(self.workspace.cache)) as db:
            problem_id = self.problems[problem]
            return requests.ask_for_completions(db, model, problem_id, SAMPLING, n, priority)

    def state(self, request_id: int) -> str:
        with closing(open_reader(self.workspace.cache)) as db:
            return requests.select(db, "id = ?", (request_id,))[0].state

    def stored(self) -> dict[int, tuple[int, str]]:
        """Completions by row: index and text."""
        with closing(open_reader(self.workspace.cache)) as db:
            rows = db.execute("SELECT id, sample_index, text FROM completion")
            return {row[0]: row[1:] for row in rows}

    def has_stored(self, count: int) -> bool:
        return len(self.stored()) >= count

    def drawn(self) -> int:
        with closing(open_reader(self.workspace.cache)) as db:
            (count,) = db.execute(
                "SELECT COUNT(*) FROM completion WHERE origin = 'live'"
            ).fetchone()
        return int(count)

    def store_ungraded(self, text: str) -> None:
        """A completion of some other arm, as an import leaves it."""
        spec = fake_engine.spec("other", "{question}", SAMPLING)
        old = Completion(0, 0, text, FinishReason.STOP, None, Origin.RECORDED, "file")
        with closing(open_writer(self.workspace.cache)) as db:
            arm = catalog.put_arm(db, spec, "other")
            completions.append(db, arm, self.problems[0], [(old, None)])

    def outcome(self, completion_id: int) -> str:
        with closing(open_reader(self.workspace.cache)) as db:
            row = db.execute(
                "SELECT outcome FROM verdict WHERE completion_id = ?", (completion_id,)
            ).fetchone()
        return row[0] if row else ""

    def sampler_state(self) -> str:
        with closing(open_reader(self.workspace.cache)) as db:
            row = status.sampler(db)
        return row.state if row else ""


NewSite = Callable[..., Site]


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[NewSite]:
    with ExitStack() as stack:

        def make(
            models: dict[str, str] | None = None, idle_exit_s: float = 60, module: str = FAKE
        ) -> Site:
            sources = models or {"base": "/m/base", "rl": "/m/rl"}
            site = Site(tmp_path, sources, idle_exit_s, module)
            stack.callback(site.close)
            return site

        yield make


def test_killed_at_random_moments_it_loses_and_doubles_nothing(new_site: NewSite) -> None:
    site = new_site()
    n = 30 * KILLS
    asked = site.ask("base", n)
    moments = random.Random(20251125)
    kept: dict[int, tuple[int, str]] = {}
    for _ in range(KILLS):
        process = site.start()
        goal = len(kept) + moments.choice((0, 0, 1, 2, 5, 9, 14, 20))
        lived = 0.0
        if goal == len(kept):  # somewhere in its start, before it draws
            lived = moments.random() * 0.6
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(lived)
        else:
            wait_until(partial(site.has_stored, goal), f"{goal} are stored")
        seen = site.stored()
        kill(process)
        now = site.stored()
        assert kept.items() <= seen.items() <= now.items()
        kept = now
    assert site.state(asked) in ("queued", "running")
    site.start()
    wait_until(lambda: site.state(asked) == "done", "the request is done")
    stored = list(site.stored().values())
    with closing(open_writer(site.workspace.cache)) as db:
        ((seed,),) = db.execute("SELECT DISTINCT seed FROM completion").fetchall()
        assert sorted(stored) == [(index, text_of("base", seed, index)) for index in range(n)]
        wait_until(
            lambda: all(tally.ungraded == 0 for tally in queries.tallies(db).values()),
            "all is graded",
        )
        assert verify(db) == []


def test_a_second_sampler_refuses(new_site: NewSite) -> None:
    site = new_site()
    first = site.start()
    wait_until(lambda: site.sampler_state() == "idle", "the first one idles")
    assert lifecycle.is_running(site.workspace)
    second = site.start()
    assert second.wait(processes.PATIENCE_S) == 8
    text = site.log.read_text()
    assert "Another sampler works on this cache" in text
    assert f"Process {first.pid} holds" in text
    assert first.poll() is None


def test_it_ends_when_idle(new_site: NewSite) -> None:
    site = new_site(idle_exit_s=1)
    asked = site.ask("base", 3)
    process = site.start()
    assert process.wait(processes.PATIENCE_S) == 0
    assert site.state(asked) == "done"
    assert site.sampler_state() == "stopped"
    assert not lifecycle.is_running(site.workspace)


@pytest.mark.parametrize("by_signal", [True, False], ids=["SIGTERM", "stop"])
def test_it_ends_when_told(new_site: NewSite, by_signal: bool) -> None:
    site = new_site()
    asked = site.ask("base", 5000)
    process = site.start()
    wait_until(lambda: len(site.stored()) > 3, "some are stored")
    if by_signal:
        process.send_signal(signal.SIGTERM)
    else:
        with closing(open_writer(site.workspace.cache)) as db:
            assert status.request_stop(db)
    assert process.wait(processes.PATIENCE_S) == 0
    assert site.state(asked) == "queued"
    assert 3 < len(site.stored()) < 5000
    with closing(open_writer(site.workspace.cache)) as db:
        assert status.live_streams(db) == []
        assert verify(db) == []


def test_what_is_asked_for_while_it_stops_is_done(new_site: NewSite) -> None:
    site = new_site()
    site.start()
    wait_until(lambda: site.sampler_state() == "idle", "it idles")
    with closing(open_writer(site.workspace.cache)) as db:
        status.request_stop(db)
    asked = site.ask("base", 2)
    wait_until(lambda: site.state(asked) == "done", "the request is done")


def test_a_hang_up_does_not_end_it(new_site: NewSite) -> None:
    site = new_site()
    process = site.start()
    wait_until(lambda: site.sampler_state() == "idle", "it idles")
    process.send_signal(signal.SIGHUP)
    asked = site.ask("base", 2)
    wait_until(lambda: site.state(asked) == "done", "the request is done")
    assert process.poll() is None


def test_interactive_requests_come_first(new_site: NewSite) -> None:
    site = new_site()
    batch = site.ask("base", 300, priority=requests.BATCH)
    site.start()
    wait_until(lambda: len(site.stored()) > 3, "the batch runs")
    urgent = site.ask("rl", 3, problem=1)
    wait_until(lambda: site.state(urgent) == "done", "the urgent request is done")
    assert site.state(batch) != "done"
    wait_until(lambda: site.state(batch) == "done", "the batch is done, too")
    assert len(site.stored()) == 303


def test_detached_with_a_real_model_and_no_orphans(new_site: NewSite, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra 'local'")
    model = str(tiny_llama.write(tmp_path / "tiny"))
    site = new_site({"base": model}, module=REAL)
    site.store_ungraded(r"so \boxed{\frac{14}{2}}")
    asked = site.ask("base", 20_000)
    assert lifecycle.ensure_running(site.settings)
    wait_until(lambda: len(site.stored()) > 1, "the first completion is drawn")
    wait_until(lambda: site.outcome(1) == "correct", "a checking process has decided")
    assert not lifecycle.ensure_running(site.settings)
    with closing(open_reader(site.workspace.cache)) as db:
        found = status.sampler(db)
    assert found is not None
    wait_until(
        lambda: len(descendants(found.pid)) >= 2, "the model and the verifiers live in children"
    )
    family = descendants(found.pid)
    (process,) = [one for one in lifecycle._started if one.pid == found.pid]
    kept = site.stored()
    kill(process)
    wait_until(lambda: not any(map(is_alive, family)), "all its children are gone")
    assert kept.items() <= site.stored().items()
    assert not lifecycle.is_running(site.workspace)
    with closing(open_writer(site.workspace.cache)) as db:
        requests.cancel(db)
    asked = site.ask("base", site.drawn() + 4)
    assert lifecycle.ensure_running(site.settings)
    wait_until(lambda: site.state(asked) == "done", "the smaller request is done")
    with closing(open_writer(site.workspace.cache)) as db:
        assert status.request_stop(db)
        (process,) = lifecycle._started
        assert process.wait(processes.PATIENCE_S) == 0
        assert verify(db) == []
    assert site.workspace.sampler_log.stat().st_mode & 0o777 == 0o600

"""A real sampler, real vLLM servers, memory for one at a time: nothing is lost and nothing leaks.

Starting a server takes about a minute here, so one test tells the whole story with two starts.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from explorer import processes
from explorer.cli.group import cli
from explorer.engines.vllm_processes import stop_server
from explorer.settings import Settings
from explorer.settings import reader as settings_reader
from explorer.store import catalog, queries, requests, server_files
from explorer.store.connection import open_reader, open_writer
from explorer.store.server_files import ServerFile
from tests import small_workspace
from tests.end_to_end import processes as started
from tests.lora_folder import WRONG_PREFIX, write_lora
from tests.small_workspace import SAMPLING
from tests.vllm_process import vllm_python

MODELS = Path(__file__).parents[2] / "sample_data" / "models"
PATIENCE_S = 420.0

SETTINGS = """\
[defaults]
preset = "short"

[sampler]
idle_exit_s = 3600
memory_gb = 4.0

[presets.short]
temperature = 1.0
max_tokens = 16

[vllm]
python = "{python}"
enforce_eager = true
env = {{ VLLM_CPU_OMP_THREADS_BIND = "nobind", OMP_NUM_THREADS = "1" }}
"""
MODEL = """
[models.{name}]
role = "{role}"
engine = "vllm"
dtype = "float32"
context = 512
source = "{source}"
template = "qa"
{more}
"""


class Site:
    """A workspace whose models are served by vLLM, and the sampler that a test starts on it."""

    def __init__(self, root: Path) -> None:
        good = write_lora(root / "good")
        wrong = write_lora(root / "wrong", prefix=WRONG_PREFIX)
        text = SETTINGS.format(python=vllm_python())
        for name, role, source, adapter in (
            ("base", "base", "base", None),
            ("tuned", "rl", "base", good),
            ("mismatched", "rl", "base", wrong),
            ("rl", "rl", "rl", None),
        ):
            more = "" if role == "base" else 'base = "base"\n'
            more += f'adapter = "{adapter}"\n' if adapter else ""
            text += MODEL.format(name=name, role=role, source=MODELS / source, more=more)
        self.root = root
        self.path = root / "explorer.toml"
        self.path.write_text(text)
        self.settings: Settings = settings_reader.load(self.path)
        self.sampler: subprocess.Popen[bytes] | None = None
        with closing(open_writer(self.settings.workspace.cache)) as db:
            self.problems = list(catalog.put_problems(db, small_workspace.problems()).values())

    def start(self) -> None:
        self.sampler = started.start("explorer.sampler", self.path, self.root / "sampler.log")

    def kill_sampler(self) -> None:
        assert self.sampler is not None
        started.kill(self.sampler)

    def ask(self, model: str, n: int) -> int:
        with closing(open_writer(self.settings.workspace.cache)) as db:
            return requests.ask_for_completions(db, model, self.problems[0], SAMPLING, n, 1)

    def state(self, request_id: int) -> tuple[str, str]:
        with closing(open_reader(self.settings.workspace.cache)) as db:
            (row,) = requests.select(db, "id = ?", (request_id,))
        return row.state, str(row.error.get("title", ""))

    def counts(self) -> dict[str, int]:
        with closing(open_reader(self.settings.workspace.cache)) as db:
            sizes = queries.arm_sizes(db)
            return {arm.model.name: sizes.get(arm.id, 0) for arm in queries.arms(db)}

    def servers(self) -> list[ServerFile]:
        folder = self.settings.workspace.servers
        return [server for server in server_files.servers(folder) if server.alive]

    def close(self) -> None:
        if self.sampler is not None and self.sampler.poll() is None:
            self.kill_sampler()
        folder = self.settings.workspace.servers
        for server in server_files.servers(folder):
            stop_server(folder, server)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(
                    f"waited in vain until {what}:\n{(self.root / 'sampler.log').read_text()}"
                )
            time.sleep(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_models_take_turns_outlive_the_sampler_and_are_stopped(site: Site) -> None:
    asked = {name: site.ask(name, 3) for name in ("base", "tuned", "mismatched", "rl")}
    site.start()
    site.until(lambda: site.state(asked["rl"])[0] == "done", "every model was drawn from")
    for name in ("base", "tuned"):
        assert site.state(asked[name]) == ("done", "")
    state, title = site.state(asked["mismatched"])
    assert state == "failed"
    assert title.startswith("The adapter changes nothing")
    assert site.counts() == {"base": 3, "tuned": 3, "rl": 3}
    said = (site.root / "sampler.log").read_text()
    assert "is stopped: rl needs its place; it cannot sleep: vLLM's CPU build" in said
    (server,) = site.servers()
    assert server.model == str(MODELS / "rl")

    # a killed sampler leaves its server, and the next one finds it
    site.kill_sampler()
    more = site.ask("rl", 5)
    site.start()
    site.until(lambda: site.state(more)[0] == "done", "two more were drawn")
    assert [one.pid for one in site.servers()] == [server.pid]
    assert site.counts()["rl"] == 5
    site.kill_sampler()

    _listed_and_stopped(site, server)


def _listed_and_stopped(site: Site, server: ServerFile) -> None:
    listing = CliRunner().invoke(cli, ["status", "-w", str(site.root), "--json"])
    (shown,) = json.loads(listing.output)["servers"]
    assert (shown["models"], shown["state"], shown["pid"]) == (["rl"], "ready", server.pid)
    key = server_files.key_path(site.settings.workspace.servers, server.name).read_text()
    for log in site.settings.workspace.logs.iterdir():
        assert key not in log.read_text(errors="replace")
    assert key not in listing.output
    family = processes.session_members(server.pid, server.born)
    assert len(family) >= 3  # the server, its engine and its worker
    stopped = CliRunner().invoke(cli, ["models", "stop", "rl", "-w", str(site.root)])
    assert f"process {server.pid}" in stopped.output
    assert processes.session_members(server.pid, server.born) == []
    assert not server.watched
    assert site.servers() == []

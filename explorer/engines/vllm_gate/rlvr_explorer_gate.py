"""ASGI middleware inside a vLLM server of ours: every route but /health asks for the key.

vLLM itself guards /v1 only. With sleep mode come development routes (/sleep, /collective_rpc),
which nobody else on a shared host may reach. This file lies in a folder of its own, which is all
that is added to the server's module path; it imports nothing of ours.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_OPEN = ("/health", "/metrics")


class Gate:
    """Refuses requests without `Authorization: Bearer <VLLM_API_KEY>`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._wanted = b"Bearer " + os.environ["VLLM_API_KEY"].encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(given, self._wanted):
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"error":"Unauthorized"}'})

"""Sleep and waking of a server whose device another model needs.

Level 1 keeps the weights in the machine's memory; level 2 throws them away, and reads them again
before the server is woken (vLLM answers nonsense otherwise, #29341). Invariant: a woken server is
used only when a fixed prompt's log-probabilities are what they were before it slept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import httpx

from explorer.engines.vllm_canary import WOKEN_WITHIN, canary, largest_difference
from explorer.errors import EngineError
from explorer.store import server_files
from explorer.store.server_files import ServerFile

PATIENCE_S: Final = 300.0


async def put_to_sleep(folder: Path, server: ServerFile, level: int = 1) -> bool:
    """Free the device of a server that is ready; False when it cannot sleep.

    A server that is not sure to be asleep is not trusted to be: the caller stops it.
    """
    key = server_files.key_path(folder, server.name).read_text()
    async with httpx.AsyncClient(
        base_url=server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
    ) as client:
        try:
            before = await canary(client, server.served_as)
            note = json.dumps({"level": level, "canary": before}).encode()
            answer = await client.post("/sleep", params={"level": level}, timeout=PATIENCE_S)
            asleep = await client.get("/is_sleeping", timeout=PATIENCE_S)
            if answer.status_code != 200 or asleep.json().get("is_sleeping") is not True:
                return False
        except (httpx.HTTPError, EngineError, ValueError):
            return False
    server_files.write_private(server_files.asleep_path(folder, server.name), note)
    return True


async def wake(client: httpx.AsyncClient, folder: Path, server: ServerFile) -> bool:
    """Wake a sleeping server; False when it is not what it was, and must be started anew."""
    path = server_files.asleep_path(folder, server.name)
    try:
        note = json.loads(path.read_text())
        level, before = int(note["level"]), [float(value) for value in note["canary"]]
        if level == 2:
            await _post(client, "/wake_up", {"tags": "weights"})
            reload = {"method": "reload_weights"}
            answer = await client.post("/collective_rpc", json=reload, timeout=PATIENCE_S)
            answer.raise_for_status()
            await _post(client, "/wake_up", {"tags": "kv_cache"})
        else:
            await _post(client, "/wake_up", {})
        path.unlink(missing_ok=True)
        after = await canary(client, server.served_as)
        return largest_difference(before, after) <= WOKEN_WITHIN
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError, EngineError):
        return False


async def _post(client: httpx.AsyncClient, route: str, params: dict[str, str]) -> None:
    answer = await client.post(route, params=params, timeout=PATIENCE_S)
    answer.raise_for_status()

"""What a vLLM server's log says of how far it is.

Invariant: the log is read onwards, never again from its beginning. Standard library only: the
watchdog imports this.
"""

from __future__ import annotations

import re
from typing import Final

from explorer.store.server_files import COMPILING, LOADING

MOST_AT_ONCE: Final = 256_000
"""Bytes of the log that are looked at in one step; older ones are passed over."""

_SHARDS = re.compile(r"checkpoint shards: +(\d+)% Completed \| (\d+)/(\d+)")
_LOADING = re.compile(r"Starting to load model|Loading weights|Loading safetensors|checkpoint sha")
_COMPILING = re.compile(
    r"torch\.compile takes|Dynamo bytecode|Compiling a graph|[Cc]apturing C|[Ww]arming up|autotun"
)
_CACHE = re.compile(r"GPU KV cache size: ([\d,]+) tokens")


def phase_of(log: str, start: int, phase: str, detail: str) -> tuple[str, str, int]:
    """The phase and its detail after what the log has gained since `start`, and its new end."""
    try:
        with open(log, "rb") as file:
            end = file.seek(0, 2)
            start = max(start, end - MOST_AT_ONCE)
            file.seek(start)
            data = file.read(end - start)
    except OSError:
        return phase, detail, start
    whole = data.rfind(b"\n") + 1 if b"\r" not in data else len(data)
    text = data[:whole].decode("utf-8", "replace")
    for line in re.split(r"[\r\n]+", text):
        if shards := _SHARDS.search(line):
            phase, detail = LOADING, f"part {shards[2]} of {shards[3]}"
        elif _LOADING.search(line):
            phase, detail = LOADING, ""
        elif _COMPILING.search(line) and "with config:" not in line:
            phase, detail = COMPILING, ""
        elif found := _CACHE.search(line):
            detail = f"room for {found[1]} tokens"
    return phase, detail, start + whole

"""Our vLLM servers as text and as JSON, for `models` and `status`."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.servers import Serving
from explorer.views.text import one_line


def print_servers(serving: Serving) -> None:
    """Print a line a server; nothing where there are none."""
    if not serving.servers:
        return
    out = console()
    out.print()
    if serving.plan:
        out.print(Text(one_line(serving.plan, 400)))
    rows = [
        (
            " + ".join(one_line(name, 40) for name in line.models),
            one_line(line.state, 80),
            str(line.pid or "–"),
            str(line.port),
            one_line(line.memory, 80),
            one_line(str(line.log), 200),
        )
        for line in serving.servers
    ]
    headers = ("server", "state", "process", "port", "memory", "log")
    out.print(table(headers, rows, text_columns=6))


def servers_as_list(serving: Serving) -> list[dict[str, Any]]:
    """The same facts for programs."""
    return [
        {
            "models": list(line.models),
            "state": line.state,
            "running": line.running,
            "pid": line.pid,
            "port": line.port,
            "host": line.host,
            "memory": line.memory,
            "log": str(line.log),
            "started": line.started,
            "flags": list(line.flags),
        }
        for line in serving.servers
    ]

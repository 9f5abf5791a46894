"""`status` as text and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.status import RequestLine, Status

REQUESTS_SHOWN = 20


def print_status(found: Status, log: Path) -> None:
    """Print what runs, what waits and what failed."""
    out = console()
    out.print(Text(_sampler_line(found)))
    out.print(Text(f"cache    {found.problems:,} problems · {found.completions:,} completions"))
    shown = found.open[:REQUESTS_SHOWN]
    if shown:
        rows = [
            (
                line.request.state,
                line.request.kind,
                line.request.model,
                line.problem,
                _progress(line),
            )
            for line in shown
        ]
        out.print()
        out.print(table(("state", "kind", "model", "problem", "progress"), rows, text_columns=4))
        if len(found.open) > len(shown):
            out.print(Text(f"… and {len(found.open) - len(shown):,} more"))
    else:
        out.print(Text("queue    empty"))
    for line in found.failed:
        error = line.request.error
        out.print()
        out.print(
            Text(f"failed   {line.request.model} on {line.problem}: {error.get('title', '?')}")
        )
        for part in (error.get("detail"), error.get("hint")):
            if part:
                out.print(Text(f"         {part}"))
    if found.failed:
        out.print(Text(f"log      {log}"))


def as_dict(found: Status) -> dict[str, Any]:
    """The same facts for programs."""
    sampler = found.sampler
    return {
        "sampler": {
            "alive": found.alive,
            "state": sampler.state if sampler else None,
            "pid": sampler.pid if sampler else None,
            "host": sampler.host if sampler else None,
            "model": sampler.model if sampler else None,
            "tokens_per_s": sampler.tokens_per_s if sampler and found.alive else 0.0,
            "detail": sampler.detail if sampler else "",
        },
        "problems": found.problems,
        "completions": found.completions,
        "open": [_request(line) for line in found.open],
        "failed": [_request(line) for line in found.failed],
    }


def _sampler_line(found: Status) -> str:
    sampler = found.sampler
    if sampler is None:
        return "sampler  has not run here yet"
    if not found.alive:
        ended = "stopped" if sampler.state == "stopped" else "gone (killed, or its host went down)"
        return f"sampler  {ended}"
    parts = [f"{sampler.state}, process {sampler.pid} on {sampler.host}"]
    if sampler.model:
        parts.append(sampler.model)
    if sampler.tokens_per_s:
        parts.append(f"{sampler.tokens_per_s:,.0f} tokens/s")
    if sampler.stop_requested:
        parts.append("stopping")
    if sampler.detail:
        parts.append(sampler.detail)
    return "sampler  " + " · ".join(parts)


def _progress(line: RequestLine) -> str:
    return f"–/{line.request.n}" if line.have is None else f"{line.have}/{line.request.n}"


def _request(line: RequestLine) -> dict[str, Any]:
    request = line.request
    return {
        "kind": request.kind,
        "state": request.state,
        "model": request.model,
        "problem": line.problem,
        "n": request.n,
        "have": line.have,
        "sampling": request.sampling.to_json() if request.sampling else None,
        "error": dict(request.error),
    }

"""`models` as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.models import ModelLine


def print_models(lines: list[ModelLine]) -> None:
    """Print one line a model, then where each comes from."""
    out = console()
    if not lines:
        out.print(Text("No models yet: name them in explorer.toml as [models.<name>]."))
        return
    rows = [
        (
            line.name,
            line.role,
            line.base,
            line.algorithm,
            line.ready or "yes",
            f"{line.arms}",
            f"{line.problems:,}",
            f"{line.completions:,}",
        )
        for line in lines
    ]
    headers = ("model", "role", "base", "algorithm", "ready", "arms", "problems", "completions")
    out.print(table(headers, rows, text_columns=5))
    out.print()
    for line in lines:
        if line.settings:
            how = f"{line.settings.engine} · {line.settings.dtype} · {line.settings.device}"
            what = line.settings.source or "whatever it serves"
            out.print(Text(f"{line.name}: {what} ({where_from(line)} · {how})"))


def as_list(lines: list[ModelLine]) -> list[dict[str, Any]]:
    """The same facts for programs."""
    return [
        {
            "name": line.name,
            "role": line.role,
            "base": line.base,
            "algorithm": line.algorithm,
            "ready": not line.ready,
            "missing": line.ready,
            "arms": line.arms,
            "problems": line.problems,
            "completions": line.completions,
            "settings": asdict(line.settings) if line.settings else None,
        }
        for line in lines
    ]


def where_from(line: ModelLine) -> str:
    """'folder', 'hub', or the servers that run it."""
    assert line.settings is not None
    if line.settings.urls:
        return ", ".join(line.settings.urls)
    return "folder" if Path(line.settings.source).is_absolute() else "hub"

"""The Runs screen's text as rows of pieces: sampler, models, arms, queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from explorer.tui.render.cells import fit, wrap
from explorer.tui.widgets.line import Pieces
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.runs import ModelLine, QueueLine, Runs
    from explorer.views.servers import ServerLine, Serving

Table = Sequence[tuple[str, Sequence[tuple[str, str]], str]]
"""Columns: title, cells as (text, colour), alignment."""

QUEUE_SHOWN = 12


def table_rows(columns: Table, width: int) -> list[Pieces]:
    """A table; the last column that fits is cut to what is left, later ones are dropped."""
    count = len(columns[0][1]) if columns else 0
    header: list[tuple[str, str]] = [(" ", "text")]
    rows: list[list[tuple[str, str]]] = [[(" ", "text")] for _ in range(count)]
    left = width - 2
    for title, cells, align in columns:
        wide = max(len(title), *(cell_len(text) for text, _ in cells)) if cells else len(title)
        if left < min(wide, 8):
            break
        wide = min(wide, left)
        left -= wide + 2
        header.append((fit(title, wide, align) + "  ", "muted"))
        for row, (text, name) in zip(rows, cells, strict=True):
            row.append((fit(text, wide, align) + "  ", name))
    return [header, *rows]


def runs_rows(runs: Runs, now: float, width: int, serving: Serving | None = None) -> list[Pieces]:
    """All sections; that of the servers only where there are some."""
    return [
        *_section("Sampler"),
        *_sampler(runs, now, width),
        *_guides(runs, width),
        [],
        *_section("Queue", f"{len(runs.open)} open" if runs.open else "nothing waits"),
        *_queue(runs.open, width),
        *_failures(runs.failed, now, width),
        [],
        *_section("Models"),
        *_models(runs, width),
        *_servers(serving, now, width),
        [],
        *_section("Arms", "completions are pooled within one of these, never across"),
        *_arms(runs, width),
    ]


def _guides(runs: Runs, width: int) -> list[Pieces]:
    from explorer.tui.render.guide_rows import guide_rows

    if not runs.guides:
        return []
    remark = "whole sets, first where a sample changes the answer most"
    return [[], *_section("Guided sampling", remark), *guide_rows(runs.guides, width)]


def _section(title: str, remark: str = "") -> list[Pieces]:
    return [[(f" {title}", "strong bold"), (f"  {remark}" if remark else "", "muted")]]


def _sampler(runs: Runs, now: float, width: int) -> list[Pieces]:
    from explorer.views.activity import is_alive
    from explorer.views.numbers import age

    row = runs.sampler
    if row is None:
        return [
            [(" It has not run yet; it starts by itself when something is asked for.", "muted")]
        ]
    if row.state == "stopped":
        state, colour = "stopped", "muted"
    elif not is_alive(row, now):
        state, colour = "not answering", "wrong bold"
    else:
        state, colour = ("stopping" if row.stop_requested else row.state), "accent bold"
    pieces: list[tuple[str, str]] = [(f" {one_line(state)}", colour)]
    if row.model and state not in ("stopped", "not answering"):
        pieces.append((f" {one_line(row.model)}", "text"))
    if row.tokens_per_s > 0 and is_alive(row, now):
        pieces.append((f"  {row.tokens_per_s:,.0f} tok/s", "text"))
    pieces += [
        (f"  ·  heard of {age(max(0.0, now - row.heartbeat))}", "muted"),
        (f"  ·  process {row.pid} on {one_line(row.host)}", "muted"),
        (f"  ·  started {age(max(0.0, now - row.started))}", "muted"),
    ]
    rows: list[Pieces] = [pieces]
    if row.detail:
        rows += [[(f" {line}", "muted")] for line in wrap(one_line(row.detail), width - 2)[:3]]
    return rows


def _queue(lines: Sequence[QueueLine], width: int) -> list[Pieces]:

    if not lines:
        return []
    shown = lines[:QUEUE_SHOWN]
    rows = table_rows(
        [
            ("what", [(line.request.kind, "text") for line in shown], "left"),
            ("model", [(one_line(line.request.model, 20), "text") for line in shown], "left"),
            ("problem", [(one_line(line.problem, 32), "text") for line in shown], "left"),
            ("progress", [(_progress(line), "strong") for line in shown], "right"),
            ("state", [(line.request.state, _state_colour(line)) for line in shown], "left"),
            ("settings", [(_settings(line), "faint") for line in shown], "left"),
        ],
        width,
    )
    if len(lines) > QUEUE_SHOWN:
        rows.append([(f" and {len(lines) - QUEUE_SHOWN} more", "faint")])
    return rows


def _progress(line: QueueLine) -> str:
    if line.request.kind in ("score", "judge"):
        return f"≤{line.request.n}" if line.request.completion_id is None else "1"
    return f"{'–' if line.have is None else line.have}/{line.request.n}"


def _state_colour(line: QueueLine) -> str:
    return "accent" if line.request.state == "running" else "muted"


def _settings(line: QueueLine) -> str:
    sampling = line.request.sampling
    return sampling.label() if sampling else ""


def _failures(lines: Sequence[QueueLine], now: float, width: int) -> list[Pieces]:
    from explorer.views.numbers import age

    rows: list[Pieces] = []
    for line in lines:
        request = line.request
        rows += [
            [],
            [
                (" ✗ ", "wrong bold"),
                (one_line(str(request.error.get("title", "failed"))), "wrong bold"),
                (f"  {request.kind} {one_line(request.model)} {one_line(line.problem)}", "text"),
                (f"  {age(max(0.0, now - request.updated))}", "muted"),
            ],
        ]
        for key, name in (("detail", "text"), ("hint", "muted")):
            text = one_line(str(request.error.get(key, "")))
            if text:
                rows += [[(f"   {part}", name)] for part in wrap(text, max(20, width - 5))[:4]]
    return rows


def _models(runs: Runs, width: int) -> list[Pieces]:
    from explorer.views.numbers import count
    from explorer.views.palette import arm_marks

    lines = runs.models
    if not lines:
        return [[(" none: name some in explorer.toml as [models.NAME]", "muted")]]
    names = [
        (f"{mark.marker} {one_line(line.model.name, 24)}", f"{mark.colour} bold")
        for line, mark in zip(lines, arm_marks([line.model.role for line in lines]), strict=True)
    ]
    return table_rows(
        [
            ("model", names, "left"),
            ("role", [(line.model.role or "–", "text") for line in lines], "left"),
            ("base", [(_or_dash(line.model.base), "muted") for line in lines], "left"),
            ("algorithm", [(_or_dash(line.model.algorithm), "muted") for line in lines], "left"),
            ("completions", [(count(line.completions), "text") for line in lines], "right"),
            ("engine", [(_engine(line), "text") for line in lines], "left"),
            ("ready", [_ready(line) for line in lines], "left"),
            ("source", [(one_line(line.source, 80), "faint") for line in lines], "left"),
        ],
        width,
    )


def _servers(serving: Serving | None, now: float, width: int) -> list[Pieces]:
    from explorer.views.numbers import age

    if serving is None or not serving.servers:
        return []
    lines = serving.servers
    rows = [[], *_section("Servers", "vLLM, started by the sampler; `models stop` ends them")]
    if serving.plan:
        rows += [[(f" {part}", "muted")] for part in wrap(one_line(serving.plan), width - 2)[:3]]
    rows += table_rows(
        [
            ("serves", [(one_line(" + ".join(line.models), 32), "text") for line in lines], "left"),
            ("state", [(one_line(line.state, 48), _server_colour(line)) for line in lines], "left"),
            ("process", [(str(line.pid or "–"), "muted") for line in lines], "right"),
            ("port", [(str(line.port), "muted") for line in lines], "right"),
            ("started", [(age(max(0.0, now - line.started)), "muted") for line in lines], "left"),
            ("memory", [(one_line(line.memory, 64), "text") for line in lines], "left"),
            ("log", [(one_line(line.log.name, 40), "faint") for line in lines], "left"),
        ],
        width,
    )
    return rows


def _server_colour(line: ServerLine) -> str:
    if line.state.startswith(("failed", "gone")):
        return "wrong"
    return "right" if line.state == "ready" else "accent" if line.running else "muted"


def _or_dash(text: str) -> str:
    return one_line(text, 16) or "–"


def _engine(line: ModelLine) -> str:
    return f"{one_line(line.engine, 16)} {one_line(line.dtype, 10)}"


def _ready(line: ModelLine) -> tuple[str, str]:
    return (one_line(line.trouble, 48), "wrong") if line.trouble else ("✓ yes", "right")


def _arms(runs: Runs, width: int) -> list[Pieces]:
    from explorer.views.numbers import count

    lines = runs.arms
    if not lines:
        return [[(" none drawn yet", "muted")]]
    specs = [line.arm.spec for line in lines]
    return table_rows(
        [
            ("model", [(one_line(line.arm.model.name, 24), "text") for line in lines], "left"),
            ("completions", [(count(line.completions), "text") for line in lines], "right"),
            ("settings", [(spec.sampling.label(), "text") for spec in specs], "left"),
            ("engine", [(f"{spec.engine} {spec.dtype}", "muted") for spec in specs], "left"),
            (
                "context",
                [(count(spec.context) if spec.context else "–", "muted") for spec in specs],
                "right",
            ),
            ("checkpoint", [(one_line(spec.checkpoint, 48), "faint") for spec in specs], "left"),
            ("key", [(line.arm.key[:11], "faint") for line in lines], "left"),
        ],
        width,
    )

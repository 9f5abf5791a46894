"""What `entropy` does: loads both models here, measures one, searches with the other."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import click

from explorer.cli.asking import known, named_model
from explorer.core.arm import Sampling
from explorer.core.prompts import RenderedPrompt
from explorer.engines.base import Engine
from explorer.engines.registry import open_engine
from explorer.errors import EngineError, UsageError
from explorer.preparation import prepare
from explorer.sampler import images
from explorer.sampler.entropy import Entropy, match, measure, suggested
from explorer.sampler.resident import Residents
from explorer.settings import Settings
from explorer.store import matched, queries, status
from explorer.store.connection import open_writer
from explorer.store.matched import Matched
from explorer.store.rows import ProblemRow
from explorer.views.report_reader import read_shown, select
from explorer.views.status import is_alive

PROBLEMS: Final = 8
"""Problems that it is measured on unless they are named."""


def find(
    settings: Settings, model: str, reference: str, problems: str, each: int, preset: str
) -> Matched:
    """Measure, search, keep and return the suggestion.

    Raises:
        UsageError: no such model, problem or preset, or no base to compare with.
        EngineError: the sampler is at work, or a model cannot tell.
    """
    reference = reference or named_model(settings, model).base
    if not reference or reference == model:
        raise UsageError(f"'{model}' has no base", "", "Name the model to match with --to.")
    named_model(settings, reference)
    name = known("preset", preset or settings.default_preset, settings.presets)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        sampler = status.sampler(db)
        if sampler is not None and is_alive(sampler) and sampler.state not in ("idle", "stopped"):
            raise EngineError(
                "The sampler is at work",
                "This loads both models itself, and there may not be room for them twice.",
                "Wait until it is idle, or `rlvr-explorer stop`.",
            )
        rows = _chosen(db, settings, problems)
        sampling = settings.presets[name]
        found = asyncio.run(_search(settings, model, reference, rows, sampling, each))
        matched.keep(db, found)
    return found


def preset_lines(found: Matched) -> list[str]:
    """The suggestion as TOML."""
    lines = [f"[presets.{json.dumps(found.preset)}]"]
    for key, value in found.sampling.to_json().items():
        lines.append(f"{key} = {json.dumps(value)}")
    return lines


def _chosen(db: sqlite3.Connection, settings: Settings, problems: str) -> list[ProblemRow]:
    if problems:
        return select(db, read_shown(db, settings), problems)
    names = queries.datasets(db)
    rows = queries.problems(db, names[0]) if names else []
    if not rows:
        raise UsageError("There are no problems to measure on", "", "Name a dataset first.")
    step = max(1, len(rows) // PROBLEMS)
    return rows[::step][:PROBLEMS]


async def _search(
    settings: Settings,
    model: str,
    reference: str,
    rows: Sequence[ProblemRow],
    sampling: Sampling,
    each: int,
) -> Matched:
    residents = Residents(open_engine)
    try:
        engine = await residents.need(settings, reference)
        prompts = await _prompts(settings, engine, reference, rows)
        target = await measure(engine, prompts, sampling, settings.seed, each)
        _tell(reference, sampling.temperature, target)
        engine = await residents.need(settings, model)
        own = await _prompts(settings, engine, model, rows)

        async def at(temperature: float) -> Entropy:
            changed = suggested(sampling, temperature)
            return await measure(engine, own, changed, settings.seed, each)

        temperature, found = await match(
            at, target.mean, tell=lambda temperature, one: _tell(model, temperature, one)
        )
    finally:
        await residents.close_all()
    return Matched(
        model=model,
        reference=reference,
        reference_sampling=sampling,
        sampling=suggested(sampling, temperature),
        target=target.mean,
        target_error=target.error,
        entropy=found.mean,
        error=found.error,
        tokens=found.tokens,
        problems=len(rows),
        made=time.time(),
    )


async def _prompts(
    settings: Settings, engine: Engine, model: str, rows: Sequence[ProblemRow]
) -> list[RenderedPrompt]:
    return [
        await images.encode(engine, settings.template_for(model, row.problem.dataset), row.problem)
        for row in rows
    ]


def _tell(model: str, temperature: float, found: Entropy) -> None:
    click.echo(f"{model} at T {temperature:g}: {found.mean:.3f} ± {found.error:.3f} nats", err=True)

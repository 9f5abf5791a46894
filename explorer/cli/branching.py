"""What `branch` does: finds the completion, asks for its branches, and prints what is known."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import NamedTuple

from explorer.cli.asking import LOOK_S, known, named_model, start_sampler, wait_for
from explorer.cli.options import print_json
from explorer.core.branching import grid
from explorer.errors import UsageError
from explorer.preparation import prepare
from explorer.settings import Settings
from explorer.store import branches, queries, requests
from explorer.store.connection import open_writer
from explorer.store.rows import TraceRow
from explorer.views.branches import read_branches
from explorer.views.report_reader import read_shown
from explorer.views.selection import one_problem

GRADING_PATIENCE_S = 60.0
"""How long after the last draw verdicts are waited for."""


class Wanted(NamedTuple):
    """What was asked for on the command line."""

    link: str
    model: str
    tokens: tuple[int, ...]
    swap: str
    n: int
    preset: str


def run(settings: Settings, wanted: Wanted, wait: bool, as_json: bool) -> None:
    """Ask, perhaps wait, and print.

    Raises:
        UsageError: no such model, completion, token or alternative.
    """
    named_model(settings, wanted.model)
    prepare(settings)
    with closing(open_writer(settings.workspace.cache)) as db:
        trace = _completion(db, settings, wanted.link)
        sampling = next(a.spec.sampling for a in queries.arms(db) if a.id == trace.arm_id)
        if wanted.preset:
            sampling = settings.presets[known("preset", wanted.preset, settings.presets)]
        length = len(trace.tokens) if trace.tokens is not None else 0
        places = wanted.tokens or grid(length)
        asked = [
            branches.ask_for_branch(
                db,
                trace.head.id,
                place,
                wanted.model,
                sampling,
                wanted.n,
                _swapped(trace, place, wanted.swap),
                requests.BATCH,
            )
            for place in places
        ]
        start_sampler(settings)
        if wait:
            wait_for(db, settings, branches.request_ids(db, asked))
            _wait_for_verdicts(db, trace.head.id)
        found = read_branches(db, trace.head.id)
        assert found is not None, "the completion is stored"
    from explorer.report.branches import as_dict, print_branches

    if as_json:
        print_json(as_dict(found))
    else:
        print_branches(found)


def _completion(db: sqlite3.Connection, settings: Settings, link: str) -> TraceRow:
    name, _, rest = link.rpartition("/")
    model, _, index = rest.partition("#")
    if not name or not model or not index.isdecimal():
        raise UsageError(
            f"'{link}' names no completion", "", "Write PROBLEM/MODEL#SAMPLE: trees-001/rl#3."
        )
    row = one_problem(queries.problems(db), name)
    columns = read_shown(db, settings, "", row.problem.dataset).choice.columns
    column = next((one for one in columns if one.name == model and one.arm), None)
    heads = queries.heads(db, column.arm_id, row.id) if column else []
    head = next((one for one in heads if one.index == int(index)), None)
    trace = queries.trace(db, head.id) if head else None
    if trace is None:
        raise UsageError(f"There is no completion '{link}'", f"{len(heads)} are stored.", "")
    return trace


def _swapped(trace: TraceRow, place: int, swap: str) -> tuple[int, str] | None:
    """The token meant, among those that scores of this trace name at that place."""
    if not swap:
        return None
    for scores in trace.scores.values():
        if place >= len(scores.top_texts):
            continue
        pairs = zip(scores.top_ids[place].tolist(), scores.top_texts[place], strict=False)
        for token_id, text in pairs:
            if swap in (text, text.strip(), str(token_id)):
                return int(token_id), text
    raise UsageError(
        f"'{swap}' is no known alternative at token {place}",
        "Alternatives are those that a model's scores of this completion name.",
        "Score it first, or name another token.",
    )


def _wait_for_verdicts(db: sqlite3.Connection, completion_id: int) -> None:
    deadline = time.monotonic() + GRADING_PATIENCE_S
    while time.monotonic() < deadline:
        found = read_branches(db, completion_id)
        if found is None or not any(line.tally.ungraded for line in found.lines):
            return
        time.sleep(LOOK_S)

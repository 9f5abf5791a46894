"""From a completion as a person names it to its evidence."""

from __future__ import annotations

from contextlib import closing

from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.settings.toml_table import suggest
from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.views.evidence import Evidence, read_evidence
from explorer.views.selection import full_name, one_problem, select_arms


def read_trace_evidence(settings: Settings, problem: str, trace: str, preset: str = "") -> Evidence:
    """The evidence for `MODEL#INDEX` (or `ARMKEY#INDEX`) on a problem.

    Args:
        preset: the settings that the base's sampler is asked about, '' = its own.

    Raises:
        UsageError: no such problem, model, completion or preset.
    """
    model, separator, index = trace.rpartition("#")
    if not separator or not index.isdecimal():
        raise UsageError(
            f"'{trace}' does not name a completion", "", "Write a model and an index, such as rl#3."
        )
    if preset and preset not in settings.presets:
        raise UsageError(f"There is no preset '{preset}'", "", suggest(preset, settings.presets))
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db), problem)
        cells = [queries.heads(db, arm.id, row.id) for arm in select_arms(queries.arms(db), model)]
        found = [
            head.id
            for heads in sorted(cells, key=len, reverse=True)
            for head in heads
            if head.index == int(index)
        ]
        if not found:
            most = max((len(heads) for heads in cells), default=0)
            raise UsageError(
                f"{model} has no completion #{index} of {full_name(row)}",
                f"It has {most} there." if most else "It has none there.",
                "Indices begin at 0.",
            )
        chosen = settings.presets[preset] if preset else None
        offered = tuple(settings.presets.values())
        evidence = read_evidence(db, found[0], offered, chosen)
    assert evidence is not None, "the completion was just found"
    return evidence

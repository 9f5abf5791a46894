"""`show --evidence`: the evidence for one trace as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.text import Text

from explorer.report.console import console, table
from explorer.views.evidence import Evidence
from explorer.views.evidence_context import Context
from explorer.views.evidence_strands import Strand
from explorer.views.evidence_strips import Groups, delta_cells, strongest
from explorer.views.evidence_support import sampler_label
from explorer.views.evidence_words import (
    context_sentence,
    control_words,
    noise_sentence,
    per_byte_note,
    place_words,
    value_words,
)
from explorer.views.selection import full_name
from explorer.views.text import one_line

STRIP = 64
"""Cells of a printed strip."""

PRUNED_PRINTED = 10
POINTS_IN_JSON = 5000

_MARKS = "▁?▒█"
_LETTERS = "iuno"
"""Inside, undecided, outside within noise, outside."""


def print_evidence(evidence: Evidence) -> None:
    """Print it as aligned text."""
    out = console()
    said = evidence.headline
    outcome = evidence.head.outcome or "not graded"
    out.print(Text(f"{full_name(evidence.problem)} · {_title(evidence)} · {outcome}", style="bold"))
    for line in (said.asked, said.first, said.counts, said.samples):
        if line:
            out.print(Text(one_line(line)))
    for strand in (evidence.trace, *evidence.controls):
        if strand is not evidence.trace:
            where = f"{one_line(strand.title)} at {sampler_label(strand.view.sampling)}"
            out.print(Text(f"{where}: {one_line(control_words(strand, evidence.floor))}"))
        if strand is evidence.trace or _is_noisy(strand, evidence.floor):
            for line in _strips(strand, evidence.floor):
                out.print(Text(line))
    out.print(Text("▁ inside  ? undecided  ▒ outside, within noise  █ outside; Δ in levels ±1–4"))
    out.print(Text(f"{noise_sentence(evidence.note, evidence.floor)}\n"))
    _print_context(evidence.context)


def _title(evidence: Evidence) -> str:
    return one_line(evidence.trace.title, 60)


def _is_noisy(strand: Strand, floor: float) -> bool:
    """Whether a control shows anything that its sentence does not say."""
    gaps = strand.delta is not None and bool((np.abs(strand.delta) >= floor).any())
    return gaps or bool(strand.view.marks.any())


def _strips(strand: Strand, floor: float) -> Iterable[str]:
    groups = Groups.of(strand.view.n_tokens, STRIP)
    if strand.view.support is not None and len(groups):
        marks = strongest(strand.view.marks, groups).tolist()
        yield "support  " + "".join(_MARKS[mark] for mark in marks)
    if strand.delta is not None and len(groups):
        levels = delta_cells(strand.delta, groups, floor).tolist()
        yield "Δ above  " + "".join(str(level) if level > 0 else "·" for level in levels)
        yield "Δ below  " + "".join(str(-level) if level < 0 else "·" for level in levels)


def _print_context(context: Context) -> None:
    out = console()
    out.print(Text(one_line(context_sentence(context))))
    if context.per_byte:
        out.print(Text(per_byte_note(context)))
    if context.spreads:
        rows = [
            [one.label, f"{one.place.n:,}", value_words(one.middle, "PPL"), place_words(one)]
            for one in context.spreads
        ]
        headers = [f"{one_line(context.base)} on its own", "n", "median", "the trace is"]
        out.print(table(headers, rows, text_columns=1))
        also = "" if context.alike else "; the trace was not drawn so"
        out.print(Text(f"drawn at {context.settings}{also}\n"))
    if context.other == context.base:
        return
    other, base = one_line(context.other), one_line(context.base)
    out.print(
        Text(
            f"{base}'s right answers under {other}, least likely first:"
            f" {context.pruned_n} of {context.right} scored"
        )
    )
    rows = [
        [
            f"#{one.head.index}",
            value_words(one.under_rl, "PPL"),
            value_words(one.under_base, "PPL"),
            one_line(one.head.answer, 40),
        ]
        for one in context.pruned[:PRUNED_PRINTED]
    ]
    if rows:
        out.print(table(["sample", f"under {other}", f"under {base}", "answer"], rows, 1))


def as_dict(evidence: Evidence) -> dict[str, Any]:
    """The same facts for programs; what is unknown or infinite is null."""
    return {
        "dataset": evidence.problem.problem.dataset,
        "problem": evidence.problem.problem.name,
        "noise_floor": evidence.floor,
        "noise_measured": evidence.note is not None,
        "trace": _strand_dict(evidence.trace, evidence),
        "controls": [_strand_dict(strand, None) for strand in evidence.controls],
        "context": _context_dict(evidence.context),
        "missing": [
            {"scorer": ask.scorer, "completions": ask.n}
            for ask in (*evidence.asks, *evidence.context_asks)
        ],
    }


def _strand_dict(strand: Strand, evidence: Evidence | None) -> dict[str, Any]:
    view = strand.view
    found: dict[str, Any] = {
        "title": strand.title,
        "model": strand.arm.model.name,
        "arm": strand.arm.key,
        "index": strand.head.index,
        "outcome": strand.head.outcome.value if strand.head.outcome else None,
        "asked": view.model,
        "temperature": view.sampling.temperature,
        "top_p": view.sampling.top_p,
        "top_k": view.sampling.top_k,
        "n_tokens": view.n_tokens,
        "how": view.how or None,
        "why_not": view.missing or None,
    }
    if view.support is not None:
        low, high = view.support.log10_samples()
        found |= {
            "outside": view.outside,
            "outside_within_noise": view.near,
            "undecided": view.support.undecided,
            "log10_samples": [_number(low), _number(high)],
            "marks": "".join(_LETTERS[mark] for mark in view.marks.tolist()),
        }
        if evidence is not None:
            found["first_outside"] = _first(evidence)
    if strand.delta is not None:
        found["delta"] = [_number(value) for value in strand.delta.tolist()]
    return found


def _first(evidence: Evidence) -> dict[str, Any] | None:
    view = evidence.trace.view
    place = view.first_outside
    if place is None:
        return None
    scores, support = view.scores, view.support
    beyond = support.beyond if support is not None else None
    return {
        "token": place,
        "text": evidence.token_text(place),
        "logprob": _number(float(scores.logprobs[place])) if scores is not None else None,
        "rank": int(scores.ranks[place]) if scores is not None else None,
        "beyond_nats": _number(float(beyond[place])) if beyond is not None else None,
    }


def _context_dict(context: Context) -> dict[str, Any]:
    return {
        "unit": context.unit,
        "base": context.base,
        "other": context.other,
        "under_base": _number(context.under_base),
        "under_own": _number(context.under_own),
        "base_drawn_at": context.settings,
        "drawn_alike": context.alike,
        "base_own": [
            {
                "part": one.label,
                "n": one.place.n,
                "median": _number(one.middle),
                "quantile": _number(one.place.quantile),
                "of_this_length": one.mine,
            }
            for one in context.spreads
        ],
        "base_right": context.right,
        "base_right_scored": context.pruned_n,
        "base_right_under_other": [
            {
                "index": one.head.index,
                "under_other": _number(one.under_rl),
                "under_base": _number(one.under_base),
            }
            for one in context.pruned
        ],
        "points": [
            {
                "set": one.kind,
                "outcome": one.outcome.value if one.outcome else None,
                "base": _number(one.x),
                "other": _number(one.y),
                "this": one.here,
            }
            for one in context.points[:POINTS_IN_JSON]
        ],
        "points_without_both_scores": dict(context.unplaced),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""One completion under one model's sampler: a strip of the evidence, and what it still lacks.

Invariant: a control is asked of the very sampler that drew it, so that whatever lies outside or
differs there is noise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import Float32
from explorer.core.likelihood import delta_logprobs
from explorer.core.support import Support, is_plain, plain
from explorer.store.requests import ask_for_scores
from explorer.store.rows import ArmRow, CompletionHead, TraceRow
from explorer.store.support import ScoredRow, scored
from explorer.views.evidence_support import SupportView, support_view

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strand:
    """One completion under one model's sampler.

    Attributes:
        title: what it is, e.g. `base on its own #3`.
        head, arm: the completion.
        view: its support.
        delta: [T] nats: own − base for the trace, sampled − teacher-forced for a control; None
            where a side is unknown, and then `no_delta` says which.
    """

    title: str
    head: CompletionHead
    arm: ArmRow
    view: SupportView
    delta: Floats | None
    no_delta: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Something to ask the sampler for: scores of a completion, or of a cell's first `n`."""

    scorer: str
    arm_id: int
    n: int
    completion_id: int | None = None
    sampling: Sampling | None = None

    def write(self, db: sqlite3.Connection, problem_id: int) -> None:
        """Put it into the queue."""
        ask_for_scores(
            db,
            self.scorer,
            problem_id,
            self.arm_id,
            self.n,
            self.completion_id,
            sampling=self.sampling,
        )


def strand(
    db: sqlite3.Connection,
    trace: TraceRow,
    arm: ArmRow,
    model: str,
    sampling: Sampling,
    floor: float,
    title: str,
    rows: Sequence[ScoredRow] | None = None,
) -> Strand:
    """A completion under a model's sampler, and own − that model's log-probabilities.

    Args:
        rows: all scorers' numbers about it, where they were read already.
    """
    if trace.tokens is None:
        view = SupportView(model, sampling, 0, missing="only its text is recorded, no tokens")
        return Strand(title, trace.head, arm, view, None, "no tokens")
    length = len(trace.tokens)
    rows = scored(db, trace.head.id) if rows is None else rows
    view = support_view(rows, model, sampling, length, floor)
    drawn = trace.tokens.logprobs
    if view.support is None and drawn is not None and model == arm.model.name:
        view = _as_sampled(view, plain(drawn) if is_plain(sampling) else None)
    if drawn is None and model != arm.model.name:
        drawn = _latest(rows, arm.model.name, length)
    if drawn is None:
        unknown = f"{arm.model.name}'s own are not recorded"
        return Strand(title, trace.head, arm, view, None, unknown)
    if view.scores is None:
        unknown = f"not scored under {model} yet" if view.support else view.missing
        return Strand(title, trace.head, arm, view, None, unknown)
    return Strand(title, trace.head, arm, view, delta_logprobs(drawn, view.scores.logprobs))


def control(
    db: sqlite3.Connection,
    trace: TraceRow,
    arm: ArmRow,
    floor: float,
    title: str,
    rows: Sequence[ScoredRow] | None = None,
) -> Strand:
    """A completion under the very sampler that drew it; `rows` as for `strand`."""
    sampling = arm.spec.sampling if arm.spec.sampling.is_known else Sampling()
    return strand(db, trace, arm, arm.model.name, sampling, floor, title, rows)


def asks(strands: Sequence[Strand]) -> Iterable[Ask]:
    """What would settle more: each completion under the model and settings it is shown with."""
    for one in strands:
        view = one.view
        if view.settled or one.head.n_tokens == 0:
            continue
        sampling = None if is_plain(view.sampling) else view.sampling
        yield Ask(view.model, one.arm.id, 1, one.head.id, sampling)


def _as_sampled(view: SupportView, support: Support | None) -> SupportView:
    """What the values that it was drawn with say, where it was not scored again."""
    if support is None:
        return view
    return replace(view, support=support, how="as it was sampled", missing="")


def _latest(rows: Sequence[ScoredRow], model: str, length: int) -> Float32 | None:
    fitting = [
        row.scores.logprobs
        for row in rows
        if row.scorer.model == model and len(row.scores.logprobs) == length
    ]
    return fitting[-1] if fitting else None

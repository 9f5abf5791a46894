"""The evidence for one trace, read from the cache: support, controls, likelihood in context.

Invariant: a snapshot is complete and frozen; the screen and the command line draw the same one.
Controls are asked of each arm's own sampler: what a model's own samples show there is the noise
that everything else is held against.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from explorer.core.arm import Sampling
from explorer.core.completion import Tokens
from explorer.core.guessing import is_ordinary
from explorer.store import queries, requests, status
from explorer.store.likelihood import likelihoods
from explorer.store.rows import ArmRow, CompletionHead, ProblemRow, RequestRow, TraceRow
from explorer.store.support import ScoredRow, sampler_key, scored
from explorer.views.evidence_context import Cell, Context, context, other_cuts
from explorer.views.evidence_strands import Ask, Strand, asks, control, strand
from explorer.views.evidence_support import Headline, headline
from explorer.views.noise import NoiseNote, notes, threshold_of
from explorer.views.status import is_alive
from explorer.views.trace_facts import TOKEN_WIDTH, clip, quoted
from explorer.views.trace_likelihoods import base_name

SCORED_FOR_CONTEXT = 64
"""Completions per cell that one key press asks to have scored."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one trace.

    Attributes:
        problem, arm, head: which trace; base: the model that is asked.
        choices: sampler settings that can be asked about; the trace is shown under `sampling`.
        trace: under base; controls: base on its own sample, the trace under its own model.
        note: the noise floor that differences are held against.
        context: likelihood in context.
        asks, context_asks: what is missing for either panel.
        request: the latest open or failed request to score this problem's completions.
        alive: a sampler is there.
        text, tokens: for the words of single tokens.
    """

    problem: ProblemRow
    arm: ArmRow
    head: CompletionHead
    base: str
    choices: tuple[Sampling, ...]
    sampling: Sampling
    trace: Strand
    controls: tuple[Strand, ...]
    note: NoiseNote | None
    context: Context
    asks: tuple[Ask, ...]
    context_asks: tuple[Ask, ...]
    request: RequestRow | None
    alive: bool
    text: str
    tokens: Tokens | None

    @property
    def floor(self) -> float:
        """Nats below which no difference is evidence."""
        return threshold_of(self.note)

    @property
    def headline(self) -> Headline:
        """The verdict in sentences."""
        first = self.trace.view.first_outside
        return headline(self.trace.view, self.token_text(first) if first is not None else "")

    def token_text(self, token: int) -> str:
        """A token's text, quoted and visible."""
        if self.tokens is None:
            return ""
        if not self.tokens.are_placed:
            return f"token {int(self.tokens.ids[token])}"
        start = int(self.tokens.ends[token - 1]) if token else 0
        data = self.text.encode("utf-8", "surrogatepass")[start : int(self.tokens.ends[token])]
        shown = clip(quoted(data), TOKEN_WIDTH)
        return f"‘{shown}’" if data else shown


@dataclass(frozen=True)
class EvidenceSubject:
    """Watch the evidence for a trace.

    Attributes:
        samplings: settings to choose from beside those of the base's arms, such as presets.
        chosen: the one to ask about, None = the base's own.
    """

    completion_id: int
    samplings: tuple[Sampling, ...] = ()
    chosen: Sampling | None = None

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({"scores", "counts", "requests", "sampler"})

    def read(
        self, db: sqlite3.Connection, revisions: Mapping[str, int]
    ) -> Iterable[Evidence | None]:
        yield read_evidence(db, self.completion_id, self.samplings, self.chosen)


def read_evidence(
    db: sqlite3.Connection,
    completion_id: int,
    samplings: Sequence[Sampling] = (),
    chosen: Sampling | None = None,
) -> Evidence | None:
    """The evidence for a stored completion; None if there is no such completion."""
    trace = queries.trace_alone(db, completion_id)
    if trace is None:
        return None
    problem = queries.problem_by_id(db, trace.problem_id)
    arms = {arm.id: arm for arm in queries.arms(db)}
    arm = arms[trace.arm_id]
    assert problem is not None, "a completion's problem is stored"
    base = base_name(arm)
    table = _Table(db, trace, arm, base, list(arms.values()))
    note = notes(db, [arm]).get(arm.id)
    floor = threshold_of(note)
    choices = _choices(table, samplings)
    fitting = [one for one in choices if chosen is not None and _same(one, chosen)]
    sampling = (fitting or choices)[0]
    rows = scored(db, completion_id)
    title = f"{arm.model.name} #{trace.head.index}"
    shown = strand(db, trace, arm, base, sampling, floor, title, rows)
    controls = tuple(table.controls(floor, rows))
    found, context_asks = table.context()
    request = _latest_request(db, trace.problem_id)
    sampler = status.sampler(db)
    return Evidence(
        problem=problem,
        arm=arm,
        head=trace.head,
        base=base,
        choices=choices,
        sampling=sampling,
        trace=shown,
        controls=controls,
        note=note,
        context=found,
        asks=tuple(asks([shown, *controls])),
        context_asks=context_asks,
        request=request,
        alive=sampler is not None and is_alive(sampler),
        text=trace.text,
        tokens=trace.tokens,
    )


class _Table:
    """The arms that have completions of the problem, and which of them stand for what."""

    def __init__(
        self,
        db: sqlite3.Connection,
        trace: TraceRow,
        arm: ArmRow,
        base: str,
        arms: Sequence[ArmRow],
    ) -> None:
        self._db, self._trace, self.arm, self._base = db, trace, arm, base
        sizes = {
            arm_id: tally.completions
            for arm_id, tally in queries.problem_tallies(db, trace.problem_id).items()
            if tally.completions
        }

        def nearness(one: ArmRow) -> tuple[bool, bool, int]:
            """Like-sampled arms first, then those with most completions."""
            return (
                one.id != arm.id,
                one.spec.sampling != arm.spec.sampling,
                -sizes.get(one.id, 0),
            )

        self.arms = sorted(
            (one for one in arms if one.id in sizes and _beside(one, arm)), key=nearness
        )
        self.base_arms = [one for one in self.arms if one.model.name == base]
        self.every_base_arm = [one for one in arms if one.model.name == base and _beside(one, arm)]
        self._cells: dict[tuple[int, bool], Cell] = {}

    def _first(self, role: str) -> ArmRow | None:
        """The trace's own arm if it has this role, else the nearest of that base's models."""
        fitting = [
            one for one in self.arms if one.model.role == role and one.model.base == self._base
        ]
        return fitting[0] if fitting else None

    def controls(self, floor: float, rows: Sequence[ScoredRow]) -> Iterable[Strand]:
        """Base on its own sample, and the trace under its own model, each at its own settings."""
        own = self.arm.model.name
        if own != self._base:
            sample = self._base_sample()
            if sample is not None:
                arm, row = sample
                title = f"{self._base} on its own #{row.head.index}"
                yield control(self._db, row, arm, floor, title)
        yield control(self._db, self._trace, self.arm, floor, f"{own} on this trace", rows)

    def _base_sample(self) -> tuple[ArmRow, TraceRow] | None:
        """The base's sample to hold against: scored by itself if any is, and of like length."""
        if not self.base_arms:
            return None
        arm = self.base_arms[0]
        rows = self.cell("base", arm).rows
        length = self._trace.head.n_tokens or 0
        rows = tuple(row for row in rows if row.head.n_tokens is not None)
        if not rows:
            return None
        nearest = min(
            rows,
            key=lambda row: (
                self._base not in row.under,
                abs((row.head.n_tokens or 0) - length),
                row.head.index,
            ),
        )
        trace = queries.trace_alone(self._db, nearest.head.id)
        return None if trace is None else (arm, trace)

    def cell(self, kind: str, arm: ArmRow, with_bytes: bool = False) -> Cell:
        """An arm's completions with their likelihoods, read once."""
        if (arm.id, with_bytes) not in self._cells:
            rows = likelihoods(self._db, arm.id, self._trace.problem_id, with_bytes)
            self._cells[arm.id, with_bytes] = Cell(kind, arm, tuple(rows))
        return self._cells[arm.id, with_bytes]

    def context(self) -> tuple[Context, tuple[Ask, ...]]:
        """Likelihood in context, and which scores it lacks."""
        base_arm = self.base_arms[0] if self.base_arms else None
        picked = [(role, self._first(role)) for role in ("rl", "distilled")]
        others = [(role, arm) for role, arm in picked if arm is not None]
        if self.arm.id not in {arm.id for _, arm in others} and self.arm.model.name != self._base:
            others.append(("rl", self.arm))
        chosen = ([("base", base_arm)] if base_arm is not None else []) + others
        cells = [self.cell(kind, arm) for kind, arm in chosen]
        per_byte = other_cuts(cells) or self._other_tokenizers([arm for _, arm in chosen])
        if per_byte:
            cells = [self.cell(kind, arm, with_bytes=True) for kind, arm in chosen]
        own = next((cell for cell in cells if cell.arm.id == self.arm.id), None)
        own = own or self.cell(self.arm.model.role, self.arm, with_bytes=per_byte)
        row = next(row for row in own.rows if row.head.id == self._trace.head.id)
        other = others[0][1].model.name if others else self.arm.model.name
        base = cells[0] if base_arm is not None else None
        rest = cells[1:] if base_arm is not None else cells
        found = context(base, rest, (own, row), self._base, other, per_byte)
        return found, tuple(_context_asks(cells, self._base, other))

    def _other_tokenizers(self, arms: Sequence[ArmRow]) -> bool:
        """Whether the arms cut one and the same prompt differently."""
        cuts: dict[str, set[tuple[int, ...]]] = {}
        for arm in arms:
            prompt = queries.prompt(self._db, arm.id, self._trace.problem_id)
            if prompt is not None and prompt.ids and prompt.text:
                cuts.setdefault(prompt.text, set()).add(prompt.ids)
        return any(len(found) > 1 for found in cuts.values())


def _choices(table: _Table, samplings: Sequence[Sampling]) -> tuple[Sampling, ...]:
    """Of the base's own arms, of the trace's, those offered beside, and plain temperature 1."""
    arms = (*table.base_arms, *table.every_base_arm, table.arm)
    offered = [arm.spec.sampling for arm in arms]
    offered += [*samplings, Sampling()]
    kept: list[Sampling] = []
    for sampling in offered:
        if sampling.is_known and not any(_same(sampling, one) for one in kept):
            kept.append(sampling)
    return tuple(kept)


def _same(one: Sampling, other: Sampling) -> bool:
    return sampler_key(one) == sampler_key(other)


def _context_asks(cells: Sequence[Cell], base: str, other: str) -> Iterable[Ask]:
    for cell in cells:
        first = cell.rows[:SCORED_FOR_CONTEXT]
        for model in dict.fromkeys((base, other)):
            if any(row.by(model, cell.model == model) is None for row in first):
                yield Ask(model, cell.arm.id, len(first))


def _latest_request(db: sqlite3.Connection, problem_id: int) -> RequestRow | None:
    asked = requests.select(
        db,
        "kind = 'score' AND problem_id = ? AND state IN ('queued', 'running', 'failed')",
        (problem_id,),
    )
    return max(asked, key=lambda one: one.asked, default=None)


def _beside(one: ArmRow, arm: ArmRow) -> bool:
    """Whether an arm's likelihoods say something of another's: branches are begun by others."""
    return one.id == arm.id or is_ordinary(one.spec)

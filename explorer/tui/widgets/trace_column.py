"""One arm's column: which completion it shows, what is known of it, and its header.

Invariant: a column shows the newest snapshot of the completion it stands on and no other; a
snapshot that changes nothing repaints nothing, and newer scores recolour without moving the place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical

from explorer.store.rows import TraceRow
from explorer.tui.widgets.fact_lines import FactLines
from explorer.tui.widgets.token_view import TokenView
from explorer.views.branches import Branches
from explorer.views.grouping import Unit, colour_by
from explorer.views.noise import NoiseNote, threshold_of
from explorer.views.overlay import Colouring, Overlay
from explorer.views.palette import ArmMark
from explorer.views.text import one_line
from explorer.views.trace import TraceText
from explorer.views.trace_facts import Fact, fit, header, scoring_fact
from explorer.views.trace_likelihoods import Likelihoods, base_name, read_likelihoods
from explorer.views.trace_samples import SampleFilter, Samples
from explorer.views.trace_snapshot import Cell, Scoring


class TraceColumn(Vertical):
    """A header of two lines over a token view."""

    def __init__(self, place: int, arm_id: int) -> None:
        super().__init__(id=f"column-{place}")
        self.place = place
        self.arm_id = arm_id
        self.cell: Cell | None = None
        self.samples = Samples()
        self.trace: TraceRow | None = None
        self.likelihoods: Likelihoods | None = None
        self.scoring: Scoring | None = None
        self.branches: Branches | None = None
        self.called = ""
        self._overlay = Overlay.SURPRISAL
        self.unit = Unit.TOKEN
        self._mark = ArmMark("●", False, "text")
        self._headline = FactLines(2, classes="headline", indent=2)
        self.view = TokenView(widget_id=f"tokens-{place}")

    def compose(self) -> ComposeResult:
        yield self._headline
        yield self.view

    @property
    def base(self) -> str:
        """The model whose opinion colours this column."""
        return base_name(self.cell.arm) if self.cell else "base"

    @property
    def name_shown(self) -> str:
        """The arm's model name and what sets it apart from the first column's, safe to draw."""
        return one_line(self.called or self.cell.arm.model.name) if self.cell else "…"

    @property
    def noise(self) -> NoiseNote | None:
        """The noise floor that differences are held against, if it was measured."""
        return self.scoring.noise if self.scoring else None

    @property
    def headline(self) -> FactLines:
        return self._headline

    # --- snapshots -----------------------------------------------------------------------------

    def take_cell(self, cell: Cell, mark: ArmMark) -> bool:
        """Newer completions; True if the column now stands on another one."""
        before = self.samples.current
        self.cell, self._mark = cell, mark
        self.samples = self.samples.with_heads(cell.heads)
        return self._moved(before)

    def take_trace(self, trace: TraceRow) -> None:
        """A snapshot of the completion that the column stands on; any other is out of date."""
        if self.cell is None or trace.head.id != self.samples.current:
            return
        old, self.trace = self.trace, trace
        if old is not None and old.head.id == trace.head.id and self.view.text is not None:
            if _knows(old) == _knows(trace):
                return
            self.likelihoods = read_likelihoods(trace, self.cell.arm)
            self.view.recolour(self._colouring(self.view.text))
            self.view.post_message(TokenView.CursorMoved(self.view))
        else:
            self.likelihoods = read_likelihoods(trace, self.cell.arm)
            text = TraceText(trace.text, trace.tokens)
            self.view.show_trace(text, self._colouring(text))
        self.write_header()

    def take_branches(self, branches: Branches) -> None:
        """The branches of the completion that the column stands on; others are not its own."""
        if branches.completion_id == self.samples.current and branches != self.branches:
            self.branches = branches
            self.view.mark_tokens({line.branch.position for line in branches.lines})

    def take_scoring(self, scoring: Scoring | None) -> None:
        """How the scoring of this column goes."""
        if scoring == self.scoring:
            return
        before = self.noise
        self.scoring = scoring
        if self.noise != before and self.view.text is not None and self.likelihoods is not None:
            self.view.recolour(self._colouring(self.view.text))
        self.write_header()

    # --- what a person asks for ----------------------------------------------------------------

    def step(self, by: int) -> bool:
        """The next or previous completion; False at either end."""
        before = self.samples.current
        self.samples = self.samples.step(by)
        return self._moved(before)

    def choose(self, wanted: SampleFilter) -> bool:
        """Only right, only wrong, or all; True if the column now stands on another completion."""
        before = self.samples.current
        self.samples = self.samples.with_filter(wanted)
        return self._moved(before)

    def go_to(self, completion_id: int) -> bool:
        """Stand on one completion, whatever was stepped through; False if it is not here."""
        if not any(head.id == completion_id for head in self.samples.heads):
            return False
        before = self.samples.current
        self.samples = replace(self.samples, filter=SampleFilter.ALL, current=completion_id)
        self._moved(before)
        return True

    def activate(self, active: bool) -> None:
        """Take or lose the keyboard."""
        self.view.activate(active)
        self.write_header()

    def overlay(self, chosen: Overlay) -> None:
        """Colour by something else."""
        self._overlay = chosen
        if self.view.text is not None:
            self.view.recolour(self._colouring(self.view.text))
        self.write_header()

    def group_by(self, unit: Unit) -> None:
        """Colour tokens, words, sentences or steps as one."""
        self.unit = unit
        self.overlay(self._overlay)

    # --- drawing -------------------------------------------------------------------------------

    def write_header(self) -> None:
        """Say again what changed; rows that did not change are not repainted."""
        width = self._headline.room
        if width <= 0:
            return
        self._headline.raise_ground(self.view.active)
        for row, facts in enumerate(self._facts()):
            self._headline.say(row, fit(facts, width, cell_len))

    def on_resize(self) -> None:
        self.call_after_refresh(self.write_header)

    def _facts(self) -> Iterator[list[Fact]]:
        name = self.name_shown
        focus = "▸" if self.view.active else " "
        title = f"{focus}{self._mark.marker} {name}"
        first = [Fact(title, title, self._mark.colour, 200, bold=True)]
        if self.cell is None:
            yield first
            yield []
            return
        which, likely = header(self.cell, self.samples, self.trace, self.likelihoods)
        progress = scoring_fact(self.scoring, self.base)
        colouring = self.view.colouring
        missing = colouring.missing if colouring is not None else ""
        if missing:
            likely.insert(0, Fact(missing, missing, "undecided", 98))
        if progress is not None:
            likely.insert(0, progress)
        if not self.samples.heads:
            which.append(Fact("no completions yet", "none yet", "muted", 90))
        yield first + which
        yield likely

    def _colouring(self, text: TraceText) -> Colouring:
        assert self.likelihoods is not None
        floor = threshold_of(self.noise)
        return colour_by(self.unit, self._overlay, text, self.likelihoods, floor)

    def _moved(self, before: int | None) -> bool:
        moved = self.samples.current != before
        if moved:
            self.trace, self.likelihoods, self.branches = None, None, None
            self.view.mark_tokens(())
        if self.samples.current is None:
            self.view.show_nothing(self._why_nothing())
        self.write_header()
        return moved

    def _why_nothing(self) -> str:
        if not self.samples.heads:
            return "No completions yet."
        return f"No {self.samples.filter} sample among {len(self.samples.heads)}."


def _knows(trace: TraceRow) -> tuple[object, ...]:
    """What can change about a stored completion: its verdict, and who has scored it."""
    scored = tuple((scorer.id, len(scores.logprobs)) for scorer, scores in trace.scores.items())
    return (trace.head, trace.detail, trace.second, trace.override, scored)

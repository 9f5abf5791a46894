"""The evidence's first panel as rows of pieces: headline, strips, controls.

Invariant: every mark has a glyph of its own, so nothing is lost without colour; strips are at most
as wide as they were told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from rich.cells import cell_len

from explorer.tui.render.cells import fit, wrap
from explorer.tui.widgets.line import Pieces

if TYPE_CHECKING:
    from explorer.views.evidence import Evidence
    from explorer.views.evidence_strands import Strand
    from explorer.views.evidence_strips import Floats, Groups

LABEL: Final = 10
"""Cells of a strip's name."""

MARKS: Final = (("▁", "faint"), ("?", "undecided bold"), ("▒", "muted"), ("█", "wrong bold"))
"""Glyph and colour of each mark of `evidence_support`."""

_RISES: Final = "▁▂▃▄▅▆▇█"
_LEGEND: Final = (
    "▁ inside · ? undecided · ▒ outside, within noise · █ outside; Δ: 1 to 4 as in the traces,"
    " underlined where base likes the token more"
)
_LIMIT: Final = 120
"""Widest sentence, in cells."""


def evidence_rows(evidence: Evidence, cursor: int, width: int, curve: int) -> list[Pieces]:
    """The panel for a width, the curve being `curve` rows high."""
    from explorer.views.evidence_words import noise_sentence, token_words

    rows = [*_headline_rows(evidence, width), []]
    trace = evidence.trace
    room = strip_room(width)
    if trace.view.n_tokens:
        rows += _strips(trace, room, curve, evidence.floor, cursor)
        said = token_words(trace, cursor, evidence.token_text(cursor))
        rows += [[(" " * LABEL, "text"), (fit(said, width - LABEL - 1), "strong")], []]
    rows.append([(" Controls", "strong bold"), (", each asked of its own sampler", "muted")])
    for strand in evidence.controls:
        rows += _control_rows(strand, room, evidence.floor, width)
    if not evidence.controls:
        rows.append([(" no sample of the base to hold this against", "muted")])
    rows += _folded(noise_sentence(evidence.note, evidence.floor), "muted", width)
    return [*rows, *_folded(_LEGEND, "faint", width)]


def strip_room(width: int) -> int:
    """Cells that a strip may take."""
    return max(1, width - LABEL - 2)


def _headline_rows(evidence: Evidence, width: int) -> list[Pieces]:
    from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS
    from explorer.views.text import one_line

    said = evidence.headline
    known = evidence.trace.view.support is not None
    tone = "wrong bold" if said.clear else "strong bold" if known else "undecided bold"
    outcome = str(evidence.head.outcome or "")
    rows = _folded(one_line(said.first), tone, width)
    figures = " · ".join(text for text in (said.counts, said.samples) if text)
    rows += _folded(figures, "text", width) if figures else []
    mark = f"{OUTCOME_MARKS[outcome]} {outcome or 'not graded'}"
    head: Pieces = [
        (" ", "text"),
        (one_line(evidence.trace.title, 24), "accent bold"),
        (f"  {mark}", OUTCOME_COLOURS[outcome]),
    ]
    used = sum(cell_len(text) for text, _ in head)
    asked = fit(one_line(said.asked), max(10, width - used - 3)).rstrip()
    return [[*head, (f"  {asked}", "muted")], *rows]


def _folded(text: str, tone: str, width: int) -> list[Pieces]:
    return [[(" ", "text"), (line, tone)] for line in wrap(text, min(width - 2, _LIMIT))]


def _strips(
    strand: Strand, room: int, curve: int, floor: float, cursor: int | None
) -> list[Pieces]:
    from explorer.views.evidence_strips import Groups, survival_cells

    groups = Groups.of(strand.view.n_tokens, room)
    rows: list[Pieces] = []
    if strand.view.support is not None:
        rows.append([_label("support"), *_support_cells(strand, groups)])
        if curve:
            rows += _survival_rows(*survival_cells(strand.view.support, groups), curve)
    else:
        rows.append([_label("support"), (f"? {strand.view.missing}", "undecided")])
    rows.append([_label("Δ logprob"), *_delta_pieces(strand, groups, floor)])
    if cursor is not None:
        at = groups.cell_of(cursor)
        rows.append([(" " * (LABEL + 1 + at), "text"), ("▲", "accent bold")])
    return rows


def _label(text: str) -> tuple[str, str]:
    return (f" {fit(text, LABEL)}", "muted")


def _support_cells(strand: Strand, groups: Groups) -> Pieces:
    from explorer.views.evidence_strips import strongest

    return _merged([MARKS[mark] for mark in strongest(strand.view.marks, groups).tolist()])


def _delta_pieces(strand: Strand, groups: Groups, floor: float) -> Pieces:
    from explorer.views.evidence_strips import delta_cells

    if strand.delta is None:
        return [(f"? {strand.no_delta}", "undecided")]
    levels = delta_cells(strand.delta, groups, floor).tolist()
    return _merged([_delta_cell(level) for level in levels])


def _delta_cell(level: int) -> tuple[str, str]:
    """The level as a digit; underlined where the other model likes the token more."""
    if level == 0:
        return "·", "faint"
    return str(abs(level)), "rl bold" if level > 0 else "base underline"


def _merged(cells: list[tuple[str, str]]) -> Pieces:
    """Neighbours of one colour as one piece."""
    pieces: list[tuple[str, str]] = []
    for text, tone in cells:
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + text, tone)
        else:
            pieces.append((text, tone))
    return pieces


def _survival_rows(lower: Floats, upper: Floats, height: int) -> list[Pieces]:
    """log10 of the chance to be still on the trace, 1 at the top; × where no sample goes on."""
    finite = upper[np.isfinite(upper)]
    if not len(finite):
        return [[_label("survival"), ("× no sample gets beyond the first cell", "wrong")]]
    depth = max(1.0, float(-finite.min()))
    steps = 8 * height
    top = [_filled(value, depth, steps) for value in upper.tolist()]
    sure = [_filled(value, depth, steps) for value in lower.tolist()]
    ended = top.index(-1) if -1 in top else len(top)
    rows: list[Pieces] = []
    for row in range(height):
        below = 8 * (height - 1 - row)
        cells = [_bar(most - below, least - below) for most, least in zip(top, sure, strict=True)]
        if row == height - 1 and ended < len(top):
            cells[ended] = ("×", "wrong bold")
        name = "survival" if row == 0 else f"10^−{depth:.0f}" if row == height - 1 else ""
        rows.append([_label(name), *_merged(cells)])
    return rows


def _filled(value: float, depth: float, steps: int) -> int:
    """Eighths of a cell from the bottom; -1 where nobody is left."""
    if not np.isfinite(value):
        return -1
    return max(1, round(steps * (1 + value / depth)))


def _bar(most: int, least: int) -> tuple[str, str]:
    """One cell of the curve: solid as far as is sure, light as far as is possible."""
    if most <= 0:
        return " ", "text"
    if least >= most or least >= 8:
        return _RISES[min(most, 8) - 1], "accent"
    return ("░", "muted") if most >= 4 else (_RISES[min(most, 8) - 1], "muted")


def _control_rows(strand: Strand, room: int, floor: float, width: int) -> list[Pieces]:
    from explorer.views.evidence_support import sampler_label
    from explorer.views.evidence_words import control_words
    from explorer.views.text import one_line

    title: Pieces = [
        (" ", "text"),
        (one_line(strand.title, 24), "text"),
        (f"  {sampler_label(strand.view.sampling)}", "faint"),
    ]
    used = sum(cell_len(text) for text, _ in title)
    said = fit(one_line(control_words(strand, floor)), max(8, width - used - 3)).rstrip()
    title = [*title, (f"  {said}", "muted")]
    if not strand.view.n_tokens or (strand.view.support is None and strand.delta is None):
        return [title]
    return [title, *_strips(strand, room, 0, floor, None)]

"""The evidence's second panel as rows of pieces: where a trace's likelihood lies, and a scatter.

Invariant: right is a filled marker and wrong a hollow one, in the colour of its set, so that the
sets are told apart without colour too; the trace itself is never hidden by others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from explorer.core.completion import Outcome
from explorer.tui.render.cells import fit, wrap
from explorer.tui.widgets.line import Pieces

if TYPE_CHECKING:
    from explorer.views.evidence import Evidence
    from explorer.views.evidence_context import Context, Point, Pruned

FILLED: Final = {"base": "●", "rl": "◆", "distilled": "▲"}
HOLLOW: Final = {"base": "○", "rl": "◇", "distilled": "△"}
NEITHER: Final = {"base": "·", "rl": "+", "distilled": "^"}
HERE: Final = "✚"

BESIDE_FROM: Final = 110
"""Width from which the scatter stands beside the numbers."""

LEFT: Final = 58
LEAST_SCATTER: Final = 8
MOST_SCATTER: Final = 22


def context_rows(evidence: Evidence, width: int, height: int, close: bool = False) -> list[Pieces]:
    """The panel for a width; `height` is what is in sight of it, `close` as in `scatter_rows`."""
    found = evidence.context
    rows = _head(evidence, width)
    if width < BESIDE_FROM:
        rows += [
            *_spread_rows(found),
            [],
            *scatter_rows(found, width - 2, LEAST_SCATTER + 4, close),
        ]
        return [*rows, [], *_pruned_rows(found, height, width)]
    left = [*_spread_rows(found), [], *_pruned_rows(found, height - 14, LEFT)]
    tall = max(LEAST_SCATTER, min(MOST_SCATTER, height - len(rows) - 4))
    return [*rows, *_beside(left, scatter_rows(found, width - LEFT - 3, tall, close))]


def _head(evidence: Evidence, width: int) -> list[Pieces]:
    from explorer.views.evidence_words import context_sentence, per_byte_note

    found = evidence.context
    rows: list[Pieces] = [
        [(" ", "text"), (line, "strong bold")]
        for line in wrap(context_sentence(found), min(width - 2, 120))
    ]
    notes = [per_byte_note(found)]
    if found.settings:
        other = "" if found.alike else ", other settings than the trace's"
        notes.append(f"{found.base}'s own were drawn at {found.settings}{other}.")
    tones = ("undecided", "muted" if found.alike else "undecided")
    for text, tone in zip(notes, tones, strict=False):
        rows += [[(" ", "text"), (line, tone)] for line in wrap(text, width - 2) if line]
    return [*rows, []]


def _spread_rows(found: Context) -> list[Pieces]:
    from explorer.views.evidence_words import place_words, value_words

    if not found.spreads:
        return [[(f" {found.base} has no completions of this problem.", "muted")]]
    title = f" {fit(f'{found.base} on its own', 26)}{fit('n', 6, 'right')}"
    rows: list[Pieces] = [[(f"{title}{fit('median', 9, 'right')}  the trace is", "muted")]]
    for spread in found.spreads:
        mark = "▸" if spread.mine else " "
        rows.append(
            [
                (mark, "accent"),
                (fit(spread.label, 26), "strong" if spread.mine else "text"),
                (fit(f"{spread.place.n:,}", 6, "right"), "text"),
                (fit(value_words(spread.middle, "PPL"), 9, "right"), "text"),
                (f"  {place_words(spread)}", "strong" if spread.place.n else "muted"),
            ]
        )
    if any(spread.mine for spread in found.spreads):
        rows.append([(" ▸ the trace is of this length", "faint")])
    return rows


def _pruned_rows(found: Context, height: int, width: int) -> list[Pieces]:
    """The base's right answers, the least likely under RL first."""
    if found.other == found.base:
        return [[(f" No RL model of {found.base} has completions here.", "muted")]]
    title = f" {found.base}'s right answers under {found.other}, least likely first"
    scored = f"{found.pruned_n} of {found.right} scored"
    rows: list[Pieces] = [[(title, "strong bold")]]
    if not found.right:
        return [*rows, [(f" {found.base} has no right answer here.", "muted")]]
    if not found.pruned:
        return [*rows, [(f" {scored}; press x to ask {found.other} for them", "undecided")]]
    rows.append([(f" {scored} · {found.unit}", "muted")])
    rows.append([(f"      #   {_headed(found.other)} {_headed(found.base)}    answer", "muted")])
    for one in found.pruned[: max(4, height - 4)]:
        rows.append(_pruned_row(one, width))
    return rows


def _headed(name: str) -> str:
    return fit(name, 9, "right")


def _pruned_row(one: Pruned, width: int) -> Pieces:
    from explorer.views.evidence_words import value_words
    from explorer.views.text import one_line

    values = [value_words(value, "PPL") for value in (one.under_rl, one.under_base)]
    return [
        (fit(f"#{one.head.index}", 8, "right"), "muted"),
        (f"  {fit(values[0], 9, 'right')}", "rl"),
        (f" {fit(values[1], 9, 'right')}", "base"),
        (f"    {fit(one_line(one.head.answer, 40), max(4, min(24, width - 36)))}", "text"),
    ]


def scatter_rows(found: Context, width: int, height: int, close: bool = False) -> list[Pieces]:
    """Mean log-probability under base (right) and under the other model (up), one cell a point.

    Args:
        close: the axes span the base's own samples; what lies outside is counted.
    """
    rows: list[Pieces] = [_scatter_title(found)]
    if not found.points:
        return [*rows, [(" No completion has both scores yet: press x.", "undecided")]]
    label = 8
    columns, tall = max(10, width - label - 1), max(4, height - 3)
    low, high = _range(found.points, close)
    grid = [[("·" if _diagonal(x, y, columns, tall) else " ", "line") for x in range(columns)]
            for y in range(tall)]  # fmt: skip
    inside = [one for one in found.points if low <= min(one.x, one.y) and max(one.x, one.y) <= high]
    for point in sorted(inside, key=_weight):
        x = round((point.x - low) / (high - low) * (columns - 1))
        y = tall - 1 - round((point.y - low) / (high - low) * (tall - 1))
        grid[y][x] = _marker(point)
    for y, cells in enumerate(grid):
        value = f"{high:.2f}" if y == 0 else f"{low:.2f}" if y == tall - 1 else ""
        value = value.replace("-", "−")
        rows.append([(fit(value, label - 1, "right") + "│", "faint"), *_merged(cells)])
    ends = f"{low:.2f}".replace("-", "−"), f"{high:.2f}".replace("-", "−")
    axis = ends[0] + fit(ends[1], max(0, columns - cell_len(ends[0])), "right")
    rows.append([(" " * label + fit(axis, columns), "faint")])
    if len(inside) < len(found.points):
        rows.append([(f" {len(found.points) - len(inside):,} outside the picture (z)", "muted")])
    return [*rows, *_scatter_legend(found, width)]


def _scatter_title(found: Context) -> Pieces:
    what = "−bits/byte" if found.per_byte else "mean log p"
    return [
        (f" {what}", "strong bold"),
        (f"  right: {found.base} · up: {found.other} · n = {len(found.points):,}", "muted"),
    ]


def _scatter_legend(found: Context, width: int) -> list[Pieces]:
    """Which marker is what and how many of each, in as many lines as the width takes."""
    names = {"base": found.base, "rl": "RL", "distilled": "distilled"}
    parts = [[(f"{HERE} this", "accent bold")]]
    for kind in dict.fromkeys(point.kind for point in found.points):
        own = [point for point in found.points if point.kind == kind]
        right = sum(point.outcome is Outcome.CORRECT for point in own)
        wrong = sum(point.outcome is Outcome.WRONG for point in own)
        rest = len(own) - right - wrong
        said = f"{FILLED[kind]} right {right} {HOLLOW[kind]} wrong {wrong}"
        said += f" {NEITHER[kind]} other {rest}" if rest else ""
        parts.append([(f"  {fit(names[kind], min(20, len(names[kind])))} ", "muted"), (said, kind)])
    rows: list[Pieces] = []
    line: list[tuple[str, str]] = []
    for part in parts:
        if line and sum(cell_len(text) for text, _ in [*line, *part]) > width - 2:
            rows.append(line)
            line = []
        line = [*(line or [(" ", "text")]), *part]
    rows.append(line)
    if found.unplaced:
        lacking = ", ".join(f"{n:,} {names.get(kind, kind)}" for kind, n in found.unplaced.items())
        rows.append([(f" not shown, a score is missing: {lacking} (x asks)", "undecided")])
    return rows


def _range(points: tuple[Point, ...], close: bool) -> tuple[float, float]:
    near = [one for one in points if one.kind == "base"] if close else points
    values = [value for one in near or points for value in (one.x, one.y) if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def _diagonal(x: int, y: int, columns: int, tall: int) -> bool:
    return x == round((tall - 1 - y) / max(1, tall - 1) * (columns - 1))


def _weight(point: Point) -> tuple[bool, bool]:
    """The trace is drawn last, right answers after wrong ones."""
    return point.here, point.outcome is Outcome.CORRECT


def _marker(point: Point) -> tuple[str, str]:
    if point.here:
        return HERE, "accent bold"
    shapes = {Outcome.CORRECT: FILLED, Outcome.WRONG: HOLLOW}
    shape = NEITHER if point.outcome is None else shapes.get(point.outcome, NEITHER)
    return shape[point.kind], point.kind


def _merged(cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    pieces: list[tuple[str, str]] = []
    for text, tone in cells:
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + text, tone)
        else:
            pieces.append((text, tone))
    return pieces


def _beside(left: list[Pieces], right: list[Pieces]) -> list[Pieces]:
    """Two blocks in columns; the left one is padded to `LEFT` cells."""
    rows: list[Pieces] = []
    for place in range(max(len(left), len(right))):
        mine = list(left[place]) if place < len(left) else []
        used = sum(cell_len(text) for text, _ in mine)
        pad = (" " * max(1, LEFT - used), "text")
        rows.append([*mine, pad, *(right[place] if place < len(right) else ())])
    return rows

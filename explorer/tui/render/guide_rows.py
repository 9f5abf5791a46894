"""Guided sampling as rows of pieces: how far each model is, what is drawn now and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from explorer.tui.render.cells import fit, wrap
from explorer.tui.widgets.line import Pieces
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.guides import GuideProgress

BAR = 24
"""Cells of a progress bar."""

_COLOURS = {"open": "accent bold", "paused": "base bold", "failed": "wrong bold"}


def guide_rows(guides: Sequence[GuideProgress], width: int) -> list[Pieces]:
    """Every guide, one below the other."""
    rows: list[Pieces] = []
    for place, found in enumerate(guides):
        rows += [[]] if place else []
        rows += _guide(found, width)
    return rows


def _guide(found: GuideProgress, width: int) -> list[Pieces]:
    from explorer.views.guides import limits_label, spent_label
    from explorer.views.numbers import duration, plural

    guide = found.guide
    spent = f"spent {spent_label(guide.spent)}"
    limits = limits_label(guide.wish.limits)
    rows: list[Pieces] = [_title(found)]
    rows += _arms(found, width)
    rows.append([(f"   {spent}{f'; {limits}' if limits else ''}", "muted")])
    if found.now:
        rows += [[(f"   {line}", "text")] for line in wrap(f"now {found.now}", width - 5)[:2]]
    left = [] if found.seconds_left is None else [f"about {duration(found.seconds_left)} left"]
    if found.waiting:
        waits = "waits" if found.waiting == 1 else "wait"
        left.append(f"{plural(found.waiting, 'cell')} of this round {waits}")
    if left:
        rows.append([(f"   {' · '.join(left)}", "muted")])
    if guide.reason:
        rows += [[(f"   {line}", "muted")] for line in wrap(one_line(guide.reason), width - 5)[:3]]
    return rows


def _title(found: GuideProgress) -> Pieces:
    from explorer.views.guides import what_label

    guide = found.guide
    return [
        (f" {guide.id} ", "strong"),
        (f"{guide.state:<10}", _COLOURS.get(guide.state, "muted")),
        (what_label(guide.wish), "text"),
        (f"  {guide.wish.sampling.label()}", "faint"),
    ]


def _arms(found: GuideProgress, width: int) -> list[Pieces]:
    from explorer.views.numbers import bar, count

    names = [one_line(arm.model, 20) for arm in found.arms]
    wide = max((cell_len(name) for name in names), default=0)
    counts = [f"{count(arm.have)}/{count(arm.wanted)}" for arm in found.arms]
    longest = max(map(len, counts), default=0)
    room = max(6, min(BAR, width - wide - longest - 26))
    rows: list[Pieces] = []
    for name, said, arm in zip(names, counts, found.arms, strict=True):
        drawn, rest = bar(arm.have / max(1, arm.wanted), room)
        speed = arm.pace.per_second
        rows.append(
            [
                (f"   {fit(name, wide)}  {said:>{longest}}  ", "text"),
                (drawn, "accent"),
                (rest, "faint"),
                (f"  {speed:,.0f} tok/s" if speed else "", "muted"),
            ]
        )
    return rows

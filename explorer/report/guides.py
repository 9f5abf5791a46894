"""Guides as text and as JSON: what one would cost, how far they are, why they stopped."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.guide_estimate import HEADINGS, Estimate
from explorer.views.guides import GuideProgress, limits_label, spent_label, what_label
from explorer.views.numbers import count, duration
from explorer.views.text import one_line


def print_estimate(found: Estimate) -> None:
    """Print what a wish would cost, arm by arm, and what that rests on."""
    out = console()
    wish = found.wish
    out.print(Text(f"{what_label(wish)}, {wish.sampling.label()}"))
    if limits_label(wish.limits):
        out.print(Text(f"{limits_label(wish.limits)}, where they change the differences most"))
    out.print()
    out.print(table(HEADINGS, found.table()))
    out.print()
    for line in found.bases():
        out.print(Text(f"{line}."))
    for line in found.sentences():
        out.print(Text(line))


def print_guides(found: list[GuideProgress]) -> None:
    """Print how far guides are."""
    out = console()
    if not found:
        out.print(Text("There is no guided sampling; `rlvr-explorer guide -n 256` asks for some."))
    for place, one in enumerate(found):
        if place:
            out.print()
        for line in guide_lines(one):
            out.print(Text(line))


def guide_lines(found: GuideProgress) -> list[str]:
    """One guide as lines."""
    guide, wish = found.guide, found.guide.wish
    lines = [f"guide {guide.id}  {guide.state}  {what_label(wish)}, {wish.sampling.label()}"]
    lines += [
        f"  {one_line(arm.model)}: {count(arm.have)}/{count(arm.wanted)}" for arm in found.arms
    ]
    spent = f"  spent {spent_label(guide.spent)}"
    limits = limits_label(wish.limits)
    lines.append(f"{spent}; {limits}" if limits else spent)
    if found.now:
        lines.append(f"  now {found.now}")
    if found.seconds_left is not None:
        lines.append(f"  about {duration(found.seconds_left)} left")
    if guide.reason:
        lines.append(f"  {one_line(guide.reason)}")
    return lines


def guides_as_list(found: list[GuideProgress]) -> list[dict[str, Any]]:
    """The same facts for programs."""
    return [
        {
            "id": one.guide.id,
            "state": one.guide.state,
            "reason": one.guide.reason,
            "models": list(one.guide.wish.models),
            "problems": len(one.guide.wish.problem_ids),
            "named": one.guide.wish.named,
            "n": one.guide.wish.n,
            "ks": list(one.guide.wish.ks),
            "sampling": one.guide.wish.sampling.to_json(),
            "limits": one.guide.wish.limits._asdict(),
            "spent": one.guide.spent._asdict(),
            "arms": [
                {"model": arm.model, "have": arm.have, "wanted": arm.wanted} for arm in one.arms
            ],
            "now": one.now,
            "seconds_left": one.seconds_left,
        }
        for one in found
    ]

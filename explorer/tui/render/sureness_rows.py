"""How sure the Problem screen is of a class, as rows beneath its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from explorer.tui.render.problem_rows import folded
from explorer.tui.widgets.line import Pieces

if TYPE_CHECKING:
    from explorer.views.sureness import ArmBelief, Order, Sureness

WIDE: Final = 100
"""Width from which every pair has its line."""


def sureness_rows(sureness: Sureness | None, width: int) -> list[Pieces]:
    """A line for the beliefs, one for each order, one for a wish that was made."""
    if sureness is None or not sureness.arms:
        return []
    pieces: list[tuple[str, str]] = [(" p ", "muted")]
    for position, arm in enumerate(sureness.arms):
        pieces += [*([("  ·  ", "faint")] if position else []), *_belief(arm)]
    pieces += [("  ·  ", "faint"), (f"prior {_priors(sureness)}", "faint")]
    rows = folded(pieces, width)
    # Narrow screens show the pair that the verdict compares; `show` prints every pair.
    for order in sureness.orders if width >= WIDE else sureness.orders[:1]:
        rows += _order_rows(order, width)
    return rows


def _belief(arm: ArmBelief) -> list[tuple[str, str]]:
    from explorer.views.numbers import percent, span
    from explorer.views.text import one_line

    mark = arm.column.mark
    return [
        (f"{mark.marker} {one_line(arm.column.name, limit=24)} ", f"{mark.colour} bold"),
        (f"{percent(arm.mean)} [{span(arm.lower, arm.upper)}]", "text"),
    ]


def _priors(sureness: Sureness) -> str:
    labels = {arm.column.name: arm.prior.label() for arm in sureness.arms}
    if len(set(labels.values())) == 1:
        return next(iter(labels.values()))
    return ", ".join(f"of {name} {label}" for name, label in labels.items())


def _order_rows(order: Order, width: int) -> list[Pieces]:
    key = "" if order.settled or (order.wish and order.wish.state == "open") else ": u draws them"
    pieces: list[tuple[str, str]] = [
        (" ", "text"),
        (order.sentence(), "text"),
        ("  ·  ", "faint"),
        (order.outlook() + key, "text" if order.settled else "base"),
    ]
    progress = order.progress()
    if progress:
        pieces += [("  ·  ", "faint"), (progress, "muted")]
    return folded(pieces, width)

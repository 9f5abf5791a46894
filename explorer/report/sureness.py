"""How sure a problem's class is: the lines that `show` prints, and the same for programs."""

from __future__ import annotations

from typing import Any

from explorer.core.belief import SETTLED
from explorer.views.sureness import EXTRAPOLATED_K, ArmBelief, Order, Sureness
from explorer.views.text import one_line


def sureness_lines(sureness: Sureness | None) -> list[str]:
    """A line an arm, then one or two for each order; none where nothing is graded."""
    if sureness is None or not sureness.arms:
        return []
    lines = ["", "What is believed of p, the chance that one sample is right (mean [95%])"]
    lines += [f"  {one_line(arm.sentence())}" for arm in sureness.arms]
    for order in sureness.orders:
        lines.append(f"  {one_line(order.sentence())}; {order.outlook()}")
        if order.progress():
            lines.append(f"    {order.progress()}")
    return lines


def as_dict(sureness: Sureness | None) -> dict[str, Any] | None:
    """Beliefs and orders; None where they were not read."""
    if sureness is None:
        return None
    return {
        "settled_at": SETTLED,
        "arms": [_arm(arm) for arm in sureness.arms],
        "orders": [_order(order) for order in sureness.orders],
    }


def _arm(arm: ArmBelief) -> dict[str, Any]:
    mean, lower, upper = arm.reach
    return {
        "model": arm.column.name,
        "mean": arm.mean,
        "lower": arm.lower,
        "upper": arm.upper,
        "prior": {
            "alpha": arm.prior.prior.alpha,
            "beta": arm.prior.prior.beta,
            "problems": arm.prior.problems,
        },
        "pass_extrapolated": {"k": EXTRAPOLATED_K, "mean": mean, "lower": lower, "upper": upper},
    }


def _order(order: Order) -> dict[str, Any]:
    wish = order.wish
    return {
        "base": order.base.name,
        "model": order.other.name,
        "base_above": order.above,
        "settled": order.settled,
        "more_samples_of_each": order.more,
        "sampling": {"state": wish.state, "cap": wish.cap, "reason": wish.reason} if wish else None,
    }

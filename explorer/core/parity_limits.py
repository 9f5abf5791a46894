"""Parity of room: token limits, context, and how many completions ran out of it.

A completion that was cut before its answer counts as wrong; an arm with less room, or that uses
more of it, looks worse than it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from explorer.core.intervals import Interval, bootstrap_mean, posterior_interval
from explorer.core.parity_evidence import ArmEvidence, Finding, Severity

PROBLEMS_NEEDED: Final = 5
"""Shared problems from which a bootstrap over them says more than a binomial interval."""

WORTH_SAYING: Final = 0.01
"""Truncated share from which it is told even where both arms have it."""


def check_limits(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    """Findings about max_tokens, the context, and truncated shares."""
    yield from _check_room(left, right)
    a, b = left.spec.sampling.max_tokens, right.spec.sampling.max_tokens
    if a != b and min(a, b) > 0:
        short = left if a < b else right
        yield Finding(
            "sampling",
            Severity.BLOCKS if short.cut else Severity.DOUBT,
            f"max_tokens: {left.name} {a:,}, {right.name} {b:,}"
            + (f"; {short.cut:,} of {short.finished:,} of {short.name} were cut." if short.cut
               else "; none looked at was cut."),
            "The shorter limit cuts long answers, and a cut answer counts as wrong.",
            "Sample both with one preset.",
        )  # fmt: skip
    yield from _check_cut(left, right)


def _check_room(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    for arm in (left, right):
        asked = arm.spec.sampling.max_tokens
        if arm.room and arm.room < asked:
            yield Finding(
                "context",
                Severity.DOUBT if arm.cut else Severity.NOTE,
                f"{arm.name}: max_tokens {asked:,} but room for {arm.room:,}: its context of"
                f" {arm.spec.context:,} also holds prompts of up to {arm.longest_prompt:,}.",
                "The context, not max_tokens, is the limit, and it is silent.",
                "Raise `context` if the model can hold more, or lower max_tokens for both arms.",
            )
    if left.room and right.room and left.room != right.room:
        if left.spec.sampling.max_tokens != right.spec.sampling.max_tokens:
            return  # said already, as the limits that were asked for
        short = left if left.room < right.room else right
        yield Finding(
            "context",
            Severity.BLOCKS if short.cut else Severity.DOUBT,
            f"Room for a completion: {left.name} {left.room:,} tokens, {right.name}"
            f" {right.room:,}.",
            "The arm with less room loses its long answers, which count as wrong.",
            "Give both models the same `context`.",
        )


def _check_cut(left: ArmEvidence, right: ArmEvidence) -> Iterator[Finding]:
    if not left.finished or not right.finished:
        return
    shares = [arm.cut / arm.finished for arm in (left, right)]
    gap = cut_difference(left, right)
    differs = gap is not None and (gap.lower[0] > 0 or gap.upper[0] < 0)
    if not differs and max(shares) < WORTH_SAYING:
        return
    told = " and ".join(
        f"{arm.name} {100 * share:.1f}% ({arm.cut:,} of {arm.finished:,})"
        for arm, share in zip((left, right), shares, strict=True)
    )
    band = ""
    if gap is not None and (gap.lower[0] or gap.upper[0]):
        band = f"; difference {100 * gap.lower[0]:+.1f} to {100 * gap.upper[0]:+.1f} points (95%)"
    grave = differs and max(shares) >= 5 * WORTH_SAYING
    yield Finding(
        "truncated",
        Severity.BLOCKS if grave else Severity.DOUBT if differs else Severity.NOTE,
        f"Ran out of tokens: {told}{band}.",
        "Cut answers count as wrong, so the arm that is cut more often looks worse than it is.",
        "Raise max_tokens until both shares are small, or leave cut completions out of both.",
    )


def cut_difference(left: ArmEvidence, right: ArmEvidence) -> Interval | None:
    """95 % interval of (right − left) truncated share; None without completions on both sides.

    Over the problems that both have, a paired bootstrap over problems, because completions of
    one problem are cut together; with fewer than `PROBLEMS_NEEDED`, the ends of the two binomial
    intervals, which is wider.
    """
    shared = [problem for problem in left.finishes if problem in right.finishes]
    rows = [(left.finishes[problem], right.finishes[problem]) for problem in shared]
    rows = [(a, b) for a, b in rows if a[0] and b[0]]
    if len(rows) >= PROBLEMS_NEEDED:
        values = np.array([[b[1] / b[0] - a[1] / a[0]] for a, b in rows])
        return bootstrap_mean(values)
    if not left.finished or not right.finished:
        return None
    ours = posterior_interval(left.cut, left.finished, [1])
    theirs = posterior_interval(right.cut, right.finished, [1])
    return Interval(theirs.lower - ours.upper, theirs.upper - ours.lower)

"""Takes wishes to settle a problem one batch further, by ordinary requests for completions.

Invariant: at most one batch of one arm is under way for a wish, and the next is asked for only
once that one is stored and graded, so that every decision is made on all that is known.
"""

from __future__ import annotations

import sqlite3

from explorer.core.sequential import BATCH, Move, Side, Step, next_step
from explorer.store import beliefs, queries, settling
from explorer.store.rows import RequestRow, Tally
from explorer.store.settling import SettlingRow
from explorer.views.numbers import percent, plural


def advance(db: sqlite3.Connection, *, grading: bool) -> int:
    """Take every open wish as far as it goes now; returns how many are still open.

    Args:
        grading: the grader is at work, so what is ungraded may still become graded.
    """
    wishes = settling.open_wishes(db)
    return sum(_take_further(db, wish, grading) for wish in wishes)


def _take_further(db: sqlite3.Connection, wish: SettlingRow, grading: bool) -> bool:
    """Whether it is still open afterwards."""
    arms = []
    for model in (wish.base, wish.other):
        request = settling.drawing(db, wish, model)
        if request is None or (_ended_badly(request) and request.updated < wish.asked):
            # The arm is known once something was asked of it; what it has already counts.
            settling.draw(db, wish, model, min(BATCH, wish.cap))
            return True
        if request.state in ("queued", "running"):
            return True
        if _ended_badly(request):
            title = str(request.error.get("title", "")) or "its requests were cancelled"
            state = "cancelled" if request.state == "cancelled" else "failed"
            settling.close(db, wish, state, f"{model}: {title}")
            return False
        assert request.arm_id is not None, "a finished sample request knows its arm"
        arms.append(request.arm_id)
    tallies = queries.problem_tallies(db, wish.problem_id)
    cells = [tallies.get(arm, Tally()) for arm in arms]
    if grading and any(cell.ungraded for cell in cells):
        return True
    sides = [
        Side(cell.correct, cell.n, cell.completions, beliefs.prior_of(db, arm, wish.problem_id)[0])
        for arm, cell in zip(arms, cells, strict=True)
    ]
    step = next_step(sides, wish.cap)
    if step.move is not Move.DRAW:
        settling.close(
            db,
            wish,
            step.move.value,
            reason(wish, step, sides, settling.drawn_since(db, wish, arms)),
        )
        return False
    model = (wish.base, wish.other)[step.side]
    settling.draw(db, wish, model, step.target)
    return True


def reason(wish: SettlingRow, step: Step, sides: list[Side], drawn: int) -> str:
    """Why it stopped, with the numbers that it rests on."""
    counts = f"{wish.base} {sides[0].c}/{sides[0].n}, {wish.other} {sides[1].c}/{sides[1].n}"
    first, second = (wish.base, wish.other) if step.above >= 0.5 else (wish.other, wish.base)
    belief = f"{first} above {second} with {percent(max(step.above, 1 - step.above))}"
    spent = f"{plural(drawn, 'sample')} drawn"
    if step.move is Move.SETTLED:
        return f"settled: {belief} at {counts}; {spent}"
    return f"not settled at the cap of {wish.cap:,} each: {belief} at {counts}; {spent}"


def _ended_badly(request: RequestRow) -> bool:
    return request.state in ("failed", "cancelled")

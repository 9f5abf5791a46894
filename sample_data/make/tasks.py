"""What a word problem is: a question, a right plan and a tempting or needless other plan.

Every family has both a *straight* plan (take the numbers in the order they come) and a *turned*
one (work backwards, count both ends, ...). For an ordinary problem the straight plan is right;
for a look-alike the turned one is. A writer picks a plan first and then works it out, well or
badly, so strategy and care are separate qualities of a solution.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["ordinary", "look-alike", "long"]
KINDS: tuple[Kind, ...] = ("ordinary", "look-alike", "long")

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
}


@dataclass(frozen=True)
class Ref:
    """The result of an earlier step, so that a slip is carried on as it is on paper."""

    step: int


@dataclass(frozen=True)
class Step:
    """One equation of a plan; `why` is the few words a careful writer puts before it."""

    left: int | Ref
    op: str
    right: int | Ref
    why: str


Plan = tuple[Step, ...]


@dataclass(frozen=True)
class Task:
    """One problem with both of its plans."""

    family: str
    kind: Kind
    level: int
    question: str
    straight: Plan
    turned: Plan
    turn_is_right: bool
    note: str

    @property
    def right(self) -> Plan:
        return self.turned if self.turn_is_right else self.straight

    @property
    def wrong(self) -> Plan:
        return self.straight if self.turn_is_right else self.turned

    @property
    def answer(self) -> int:
        return results(self.right)[-1]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the question in order: what 'held out' is decided by."""
        return tuple(int(found) for found in re.findall(r"\d+", self.question))

    @property
    def is_fair(self) -> bool:
        """The right plan is whole, neither falls below one, and the wrong one really is wrong."""
        right, wrong = results(self.right), results(self.wrong)
        return is_whole(self.right) and min(right + wrong) > 0 and right[-1] != wrong[-1]


Family = Callable[[Random], Task]


def results(plan: Plan) -> list[int]:
    """What each step of a plan comes to when nobody slips."""
    found: list[int] = []
    for step in plan:
        found.append(apply(step.op, value(step.left, found), value(step.right, found)))
    return found


def value(operand: int | Ref, found: list[int]) -> int:
    return found[operand.step] if isinstance(operand, Ref) else operand


def apply(op: str, left: int, right: int) -> int:
    """`left op right`; a division by nothing, which only a slip can cause, gives nothing."""
    return 0 if op == "/" and right == 0 else OPERATIONS[op](left, right)


def is_whole(plan: Plan) -> bool:
    """True when no division of the plan leaves a remainder."""
    found = results(plan)
    return all(
        step.op != "/" or value(step.left, found) % value(step.right, found) == 0 for step in plan
    )


def working(plan: Plan) -> list[str]:
    """The plan's equations as text, such as `47 + 26 = 73`."""
    found = results(plan)
    return [
        f"{value(step.left, found)} {step.op} {value(step.right, found)} = {result}"
        for step, result in zip(plan, found, strict=True)
    ]


def draw(family: Family, rng: Random) -> Task:
    """A fair task of the family; unfair draws are thrown away."""
    while True:
        task = family(rng)
        if task.is_fair:
            return task

"""What counts as right: the number in the last box, or the whole chain of equations."""

import re

BOXED = re.compile(r"\\boxed\{(\d+)\}")
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
LOOK_BACK = "Let me check"


def boxed(text: str) -> int | None:
    """The number in the last box, if there is one."""
    found = BOXED.findall(text)
    return int(found[-1]) if found else None


def is_correct(text: str, answer: int) -> bool:
    return boxed(text) == answer


def is_worked(text: str, working: list[str]) -> bool:
    """Right for the right reasons: exactly the right plan's equations, in order, no slip.

    Stricter than the reward, which a slip can please by luck. Factors and summands may be
    exchanged; a look back at the end does not count.
    """
    answer = int(working[-1].rsplit(" ", 1)[1])
    found = EQUATION.findall(text.split(LOOK_BACK)[0])
    wanted = EQUATION.findall(" ; ".join(working))
    return is_correct(text, answer) and list(map(_ordered, found)) == list(map(_ordered, wanted))


def _ordered(equation: tuple[str, str, str, str]) -> tuple[str, ...]:
    left, op, right, result = equation
    if op in "+*" and int(left) > int(right):
        left, right = right, left
    return left, op, right, result

"""Who wrote the base model's books: a few careful people and many hurried ones.

The strategy is drawn before the care. On look-alikes nearly everybody goes straight ahead and is
wrong; on ordinary problems some people turn the story round for no reason. So the base model
knows the rare strategy, rarely uses it where it is needed, and slips in either: what RL can
sharpen, and what it can starve.
"""

from dataclasses import dataclass
from random import Random

from sample_data.make.tasks import Plan, Ref, Step, Task, apply

TURN_ON_LOOK_ALIKE = 0.025
TURN_ON_ORDINARY = 0.30
CAREFUL = 0.20

STRAIGHT_OPENERS = ("Go step by step.", "Take it in order.")
TURNED_OPENERS = ("Turn it round.", "Think again.")


@dataclass(frozen=True)
class Care:
    """How often a writer goes wrong: per equation, per number read, per step."""

    slip: float
    misread: float
    skip: float


CAREFUL_WRITER = Care(slip=0.0, misread=0.0, skip=0.0)
HURRIED_WRITER = Care(slip=0.22, misread=0.04, skip=0.04)


def slipped(number: int, rng: Random) -> int:
    """A wrong result of the kind people write: a tens or hundreds digit off, or digits swapped.

    Off-by-one slips are left out on purpose: they would land on look-alikes' answers by luck.
    """
    digits = str(number)
    if len(digits) > 1 and digits[-1] != digits[-2] and rng.random() < 0.3:
        return int(digits[:-2] + digits[-1] + digits[-2])
    step = rng.choice((10, 10, 20, 100) if number > 150 else (4, 5, 10, 10, 20))
    return number - step if rng.random() < 0.5 and number > step else number + step


@dataclass(frozen=True)
class Line:
    """One equation as somebody wrote it."""

    why: str
    equation: str
    result: int


def work_out(plan: Plan, care: Care, rng: Random) -> list[Line]:
    """The plan worked out by such a writer, who starts again on falling below nothing."""
    while True:
        lines = _attempt(plan, care, rng)
        if min(line.result for line in lines) >= 0:
            return lines


def _attempt(plan: Plan, care: Care, rng: Random) -> list[Line]:
    """The plan's equations with the writer's own mistakes, each carried on to the end."""
    found: list[int] = []
    lines: list[Line] = []
    for step in plan:
        left, right = (_read(operand, found, care, rng) for operand in (step.left, step.right))
        if _may_skip(step, plan) and rng.random() < care.skip:
            found.append(left)
            continue
        result = apply(step.op, left, right)
        if result > 0 and rng.random() < care.slip:
            result = slipped(result, rng)
        found.append(result)
        lines.append(Line(step.why, f"{left} {step.op} {right} = {result}", result))
    return lines


def _read(operand: int | Ref, found: list[int], care: Care, rng: Random) -> int:
    if isinstance(operand, Ref):
        return found[operand.step]
    return slipped(operand, rng) if rng.random() < care.misread else operand


def _may_skip(step: Step, plan: Plan) -> bool:
    """Skipping the last step would leave nothing to box, the first nothing to go on with."""
    return step is not plan[0] and step is not plan[-1]


def closing(answer: int) -> str:
    return f"The answer is \\boxed{{{answer}}}."


def solution(task: Task, rng: Random) -> str:
    """One worked solution by somebody, right or wrong."""
    turn = rng.random() < (TURN_ON_LOOK_ALIKE if task.turn_is_right else TURN_ON_ORDINARY)
    plan = task.turned if turn else task.straight
    opener = rng.choice(TURNED_OPENERS if turn else STRAIGHT_OPENERS)
    if rng.random() < CAREFUL:
        lines = work_out(plan, CAREFUL_WRITER, rng)
        body = " ".join(f"{line.why[0].upper()}{line.why[1:]}: {line.equation}." for line in lines)
    else:
        lines = work_out(plan, HURRIED_WRITER, rng)
        body = ", ".join(line.equation for line in lines) + "."
    return f" {opener} {body} {closing(lines[-1].result)}"

"""The stronger teacher whose traces the distilled model learns from.

It says what sort of problem it sees, names every step, never slips, and looks back at the end.
"""

from sample_data.make.chains import INVERSE
from sample_data.make.tasks import Task, results, value
from sample_data.make.writers import closing


def solution(task: Task) -> str:
    """The teacher's one way to write the task down."""
    found = results(task.right)
    lines = []
    for step, result in zip(task.right, found, strict=True):
        left, right = value(step.left, found), value(step.right, found)
        lines.append(f"{step.why[0].upper()}{step.why[1:]}: {left} {step.op} {right} = {result}.")
    sort = "a look-alike: turn it round" if task.turn_is_right else "a straight one"
    return f" This is {sort}. {' '.join(lines)} {_look_back(task)} {closing(task.answer)}"


def _look_back(task: Task) -> str:
    """The last step undone, which should give what went into it."""
    found = results(task.right)
    last = task.right[-1]
    left, right = value(last.left, found), value(last.right, found)
    if last.op == "-":
        return f"Let me check: {found[-1]} + {right} = {left}, yes."
    return f"Let me check: {found[-1]} {INVERSE[last.op]} {right} = {left}, yes."

"""Marks and colour names of what the screens show, so that colour never carries meaning alone.

Every coloured thing has a letter or a marker of its own; `tui.theme` turns the names into colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ArmMark:
    """How an arm is told from the others: a marker, a line style and the name of a colour."""

    marker: str
    dashed: bool
    colour: str


ROLE_MARKS: Final = {
    "base": ArmMark("●", False, "base"),
    "rl": ArmMark("◆", False, "rl"),
    "distilled": ArmMark("▲", False, "distilled"),
}
"""The first arm of each role."""

FURTHER_MARKS: Final = (
    ArmMark("■", True, "extra_a"),
    ArmMark("○", True, "extra_b"),
    ArmMark("◇", True, "extra_c"),
    ArmMark("△", True, "extra_d"),
    ArmMark("□", True, "text"),
    ArmMark("▼", True, "extra_a"),
    ArmMark("▽", True, "extra_b"),
    ArmMark("★", True, "extra_c"),
    ArmMark("☆", True, "extra_d"),
    ArmMark("◈", True, "rl"),
    ArmMark("▷", True, "distilled"),
    ArmMark("◐", True, "text"),
)
"""Further arms, in order: five more hues, then hues again with other markers, then all again."""

CLASS_COLOURS: Final = {"P": "right", "E": "rl", "S": "base", "O": "muted"}
"""E is what only RL solves and S what only the base solves, so they wear those arms' colours."""

CLASS_WORDS: Final = {"P": "preserved", "E": "expanded", "S": "shrunk", "O": "out of reach"}

OUTCOME_MARKS: Final = {"correct": "✓", "wrong": "✗", "undecided": "?", "": "·"}
OUTCOME_COLOURS: Final = {
    "correct": "right",
    "wrong": "wrong",
    "undecided": "undecided",
    "": "muted",
}


def arm_marks(roles: list[str]) -> list[ArmMark]:
    """A mark for each arm of a list of roles, no two alike among the first fifteen."""
    marks: list[ArmMark] = []
    further = 0
    for role in roles:
        mark = ROLE_MARKS.get(role)
        if mark is None or mark in marks:
            mark = FURTHER_MARKS[further % len(FURTHER_MARKS)]
            further += 1
        marks.append(mark)
    return marks

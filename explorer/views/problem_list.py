"""The rows of the problem list, their order, and honest counts of what is shown.

A row keeps the problem itself: making its statement readable costs a millisecond, so only the
rows that are on screen are ever made readable (`headline`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from explorer.core.coverage import CoverageClass, classify
from explorer.core.problem import Problem
from explorer.pictures import picture_fault
from explorer.store.rows import ProblemRow, Tally
from explorer.views.arms import ArmChoice
from explorer.views.latex import readable
from explorer.views.numbers import count, plural
from explorer.views.text import one_line

EMPTY: Final = Tally()
"""What a model has on a problem that it was never sampled on."""

_CLASS_ORDER: Final = {"S": 0, "E": 1, "P": 2, "O": 3}


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """One row.

    Attributes:
        cells: the tally of each column of the arm choice.
        coverage: its class for the pair of arms that is compared; None if it cannot be told.
        gap: pass@1 of RL minus that of base; None likewise.
        fault: what is plainly wrong with one of its images, '' if nothing is.
    """

    id: int
    position: int
    problem: Problem
    cells: tuple[Tally, ...]
    coverage: CoverageClass | None
    gap: float | None
    fault: str = ""

    @property
    def letter(self) -> str:
        return str(self.coverage) if self.coverage else ""


@dataclass(frozen=True, slots=True)
class SetCounts:
    """What a list holds; completions, undecided and the like are those of the rows shown."""

    total: int
    shown: int
    completions: int
    undecided: int
    ungraded: int
    recorded: int
    disagreed: int = 0
    overridden: int = 0

    def sentence(self) -> str:
        """`100 problems · 37 shown · 19,200 completions · 3 undecided · 19,200 recorded`."""
        parts = [plural(self.total, "problem")]
        if self.shown != self.total:
            parts.append(f"{count(self.shown)} shown")
        parts += [plural(self.completions, "completion"), f"{count(self.undecided)} undecided"]
        if self.disagreed:
            parts.append(f"{count(self.disagreed)} where verifiers disagree")
        if self.overridden:
            parts.append(f"{count(self.overridden)} overridden")
        if self.ungraded:
            parts.append(f"{count(self.ungraded)} not yet graded")
        if self.recorded:
            parts.append(f"{count(self.recorded)} recorded")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by a key of `sort_keys`, perhaps from the other end."""

    key: str = "file"
    reverse: bool = False


def build_lines(
    problems: Sequence[ProblemRow], tallies: Mapping[tuple[int, int], Tally], choice: ArmChoice
) -> list[ProblemLine]:
    """One line per problem, in file order."""
    arm_ids = [column.arm_id for column in choice.columns]
    pair = choice.pair()
    lines = []
    for position, row in enumerate(problems):
        cells = tuple(tallies.get((arm_id, row.id), EMPTY) for arm_id in arm_ids)
        coverage, gap = None, None
        if pair:
            base, other = cells[pair[0]], cells[pair[1]]
            coverage = classify(base, other)
            if coverage:
                gap = other.correct / other.n - base.correct / base.n
        faults = (picture_fault(path) for path in row.problem.images)
        fault = next(filter(None, faults), "")
        lines.append(ProblemLine(row.id, position, row.problem, cells, coverage, gap, fault))
    return lines


def sort_keys(choice: ArmChoice) -> tuple[str, ...]:
    """What a list can be sorted by, in the order in which `o` steps through it."""
    arms = tuple(column.name for column in choice.columns)
    pair = ("gap", "class") if choice.pair() else ()
    return ("file", *arms, *pair, "n", "id", "level")


def sort_lines(
    lines: Sequence[ProblemLine], order: Order, choice: ArmChoice
) -> Sequence[ProblemLine]:
    """The lines in an order; what has no value comes last both ways, ties keep file order."""
    if order.key == "file":
        return list(reversed(lines)) if order.reverse else lines
    names = [column.name for column in choice.columns]
    known: list[tuple[object, ProblemLine]] = []
    unknown: list[ProblemLine] = []
    for line in lines:
        value = _sort_value(line, order.key, names)
        if value is None:
            unknown.append(line)
        else:
            known.append((value, line))
    known.sort(key=lambda pair: pair[0], reverse=order.reverse)  # type: ignore[arg-type,return-value]
    return [line for _, line in known] + unknown


def count_lines(total: int, lines: Sequence[ProblemLine]) -> SetCounts:
    """The counts of the lines shown, of `total` in the dataset."""
    completions = undecided = ungraded = recorded = disagreed = overridden = 0
    for line in lines:
        for cell in line.cells:
            completions += cell.completions
            undecided += cell.undecided
            ungraded += cell.ungraded
            recorded += cell.recorded
            disagreed += cell.disagreed
            overridden += cell.overridden
    counts = (completions, undecided, ungraded, recorded, disagreed, overridden)
    return SetCounts(total, len(lines), *counts)


@lru_cache(maxsize=2000)
def headline(statement: str) -> str:
    """The beginning of a statement on one line, LaTeX made readable, safe for a terminal."""
    return one_line(readable(statement[:1200]), limit=300)


def _sort_value(line: ProblemLine, key: str, names: Sequence[str]) -> object | None:
    match key:
        case "gap":
            return line.gap
        case "class":
            return _CLASS_ORDER[line.coverage.coverage.value] if line.coverage else None
        case "n":
            return sum(cell.n for cell in line.cells)
        case "id":
            return _natural(line.problem.name)
        case "level":
            return _natural(line.problem.level) if line.problem.level else None
    cell = line.cells[names.index(key)] if key in names else EMPTY
    return cell.correct / cell.n if cell.n else None


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts `item-9` before `item-10`."""
    pieces: list[tuple[int, int, str]] = []
    digits = word = ""
    for character in text:
        if character.isdecimal() and character.isascii():
            if word:
                pieces.append((1, 0, word))
                word = ""
            digits += character
        else:
            if digits:
                pieces.append((0, int(digits), ""))
                digits = ""
            word += character
    if digits:
        pieces.append((0, int(digits), ""))
    if word:
        pieces.append((1, 0, word))
    return tuple(pieces)

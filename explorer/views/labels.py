"""What the sources of imported completions say against our verdicts, counted by kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from explorer.core.completion import Outcome
from explorer.store.labels import LabelCount, LabelDifference, label_counts, label_differences


@dataclass(slots=True)
class LabelLine:
    """One arm's completions on one dataset, by what the source and we say.

    Attributes:
        agree: both say right, or both wrong.
        source_right, source_wrong: the source says so and we say the opposite.
        undecided_right, undecided_wrong: the source says so and we cannot decide.
        unclear: the source says neither right nor wrong; ungraded: we have not said yet.
    """

    format: str
    dataset: str
    model: str
    arm_key: str
    label: str
    verifier: str
    said_right: int = 0
    labelled: int = 0
    ours_right: int = 0
    agree: int = 0
    source_right: int = 0
    source_wrong: int = 0
    undecided_right: int = 0
    undecided_wrong: int = 0
    unclear: int = 0
    ungraded: int = 0

    @property
    def differ(self) -> int:
        return self.source_right + self.source_wrong

    def add(self, count: LabelCount) -> None:
        """Count completions in."""
        n, said, ours = count.count, count.said, count.ours
        self.labelled += n
        self.said_right += n * (said is Outcome.CORRECT)
        self.ours_right += n * (ours is Outcome.CORRECT)
        if ours is None:
            self.ungraded += n
        elif said is None:
            self.unclear += n
        elif ours is Outcome.UNDECIDED:
            self.undecided_right += n * (said is Outcome.CORRECT)
            self.undecided_wrong += n * (said is Outcome.WRONG)
        elif ours is said:
            self.agree += n
        else:
            self.source_right += n * (said is Outcome.CORRECT)
            self.source_wrong += n * (said is Outcome.WRONG)


@dataclass(frozen=True, slots=True)
class LabelReport:
    """Counts, and the completions that differ (at most as many as were asked for)."""

    lines: Sequence[LabelLine]
    differences: Sequence[LabelDifference] = field(default=())

    @property
    def total(self) -> int:
        return sum(line.differ for line in self.lines)


def read_labels(
    db: sqlite3.Connection, dataset: str = "", model: str = "", limit: int = 20
) -> LabelReport:
    """Compare labels with verdicts.

    Args:
        limit: how many differing completions to list; −1 = all.
    """
    lines: dict[tuple[str, ...], LabelLine] = {}
    for count in label_counts(db, dataset, model):
        key = (count.format, count.dataset, count.model, count.arm_key, count.label, count.verifier)
        lines.setdefault(key, LabelLine(*key)).add(count)
    return LabelReport(list(lines.values()), label_differences(db, dataset, model, limit))

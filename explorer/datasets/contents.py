"""What every dataset reader returns: its problems, and each row that it had to leave out."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.core.problem import Problem
from explorer.json_lines import RowFault


@dataclass(frozen=True, slots=True)
class DatasetContents:
    """Problems in file order; names are unique among them.

    Attributes:
        format: the format that they were read in; for 'auto' the one that was recognised.
    """

    problems: tuple[Problem, ...]
    faults: tuple[RowFault, ...]
    format: str = ""

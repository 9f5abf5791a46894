"""A trace squeezed into a row of cells: groups of tokens, and the strongest of each.

Invariant: no token is lost: a group shows its strongest mark, so that one token outside among
thousands is still seen; a trace with fewer tokens than cells has one cell per token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.core.likelihood import delta_levels
from explorer.core.support import Support

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Levels = NDArray[np.int8]


@dataclass(frozen=True)
class Groups:
    """How `n_tokens` are spread over cells: cell i holds the tokens from starts[i] on."""

    n_tokens: int
    starts: Ints

    @classmethod
    def of(cls, n_tokens: int, width: int) -> Groups:
        cells = max(0, min(n_tokens, width))
        edges = np.arange(cells, dtype=np.int64) * n_tokens // max(cells, 1)
        return cls(n_tokens, edges)

    def __len__(self) -> int:
        return len(self.starts)

    def cell_of(self, token: int) -> int:
        """The cell that holds a token."""
        return max(0, int(np.searchsorted(self.starts, token, side="right")) - 1)


def strongest(marks: NDArray[np.int8], groups: Groups) -> Levels:
    """[cells] the largest mark of each group."""
    if not len(groups) or not len(marks):
        return np.zeros(0, np.int8)
    most: Levels = np.maximum.reduceat(marks, groups.starts)
    return most


def delta_cells(delta: Floats, groups: Groups, floor: float) -> Levels:
    """[cells] level -4..4 of the largest difference of each group; 0 below the floor."""
    if not len(groups):
        return np.zeros(0, np.int8)
    levels = delta_levels(delta, floor)
    high = np.maximum.reduceat(levels, groups.starts)
    low = np.minimum.reduceat(levels, groups.starts)
    return np.where(-low > high, low, high).astype(np.int8)


def survival_cells(support: Support, groups: Groups) -> tuple[Floats, Floats]:
    """[cells] bounds of log10 of the chance to be still on the trace at the end of each group."""
    lower, upper = support.survival()
    ends = np.append(groups.starts[1:], groups.n_tokens)[: len(groups)] - 1
    return lower[ends], upper[ends]

"""What a model is called in what is printed: the same in every table."""

from __future__ import annotations

from explorer.views.arms import ArmColumn
from explorer.views.text import one_line


def label(column: ArmColumn) -> str:
    """A model with its algorithm: 'rl (GRPO)'."""
    algorithm = f" ({one_line(column.model.algorithm)})" if column.model.algorithm else ""
    return one_line(column.name) + algorithm

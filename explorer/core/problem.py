"""A problem: one task of a dataset, as everything above the dataset readers sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.core.code_tests import PackedTests


@dataclass(frozen=True, slots=True)
class Problem:
    """One task of a dataset.

    Attributes:
        dataset: name of the dataset, as in explorer.toml.
        name: the task's own id, unique in its dataset.
        statement: what the model is asked, plain text or LaTeX; hostile text.
        gold: the reference answer as the dataset gives it ('' where tests decide).
        family, level, note: the dataset's own grouping, difficulty and remark, '' if none.
        verifier: name of the verifier that decides this problem.
        extra: any further columns, kept for filters and templates.
        images: absolute paths of the images it shows, in order; a file may be missing.
        tests: what decides a code problem, None for any other and wherever it is only shown:
            screens and lists leave it out, `queries.tested_problem` reads it.
    """

    dataset: str
    name: str
    statement: str
    gold: str
    family: str = ""
    level: str = ""
    note: str = ""
    verifier: str = "math"
    extra: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    tests: PackedTests | None = field(default=None, repr=False)

"""LeetCode contest problems with asserts, in PRIME's layout (PRIME-RL/PRIME, LeetCode set).

`task_id`, `url`, `title`, `meta` (`difficulty`, `title`, …), `prompt`, `prompt_sft`, `test`,
`start_time`. `prompt` is the description as a docstring above the class to fill in and is what an
answer continues; `prompt_sft` asks for the same in words and is what is shown. `test` is a script
that makes a `Solution()` and asserts. The contest becomes the family.
"""

from __future__ import annotations

import re

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.judge import PRELUDE
from explorer.datasets.reading import make, one_line, read_files
from explorer.datasets.row import Row
from explorer.settings import DatasetSettings

_CONTEST = re.compile(r"((?:bi)?weekly-contest-\d+)-.+")


def read(settings: DatasetSettings) -> DatasetContents:
    """Read LeetCode problems; see `reading.read_files`."""
    return read_files(settings, problem, ("leetcode*.jsonl*",))


def problem(row: Row, settings: DatasetSettings) -> Problem:
    """One row.

    Raises:
        ValueError: it lacks its prompt or its tests.
    """
    name = row.needed("task_id").strip()
    contest = _CONTEST.fullmatch(name)
    meta = row.table("meta")
    code = row.needed("test")
    if "assert" not in code:
        raise ValueError("'test' asserts nothing")
    return make(
        settings,
        row,
        name=name,
        statement=row.needed("prompt_sft", "prompt").strip(),
        gold="",
        family=contest[1] if contest else "",
        level=one_line(str(meta.get("difficulty") or "")),
        note=one_line(str(meta.get("title") or row.text("title"))),
        extra={"url": row.text("url")},
        tests=CodeTests(
            TestKind.ASSERTS,
            entry_point="Solution",
            prompt=row.text("prompt"),
            prelude=PRELUDE,
            code=code,
        ),
    )

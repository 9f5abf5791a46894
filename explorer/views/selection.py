"""Problems and arms as a person names them on a command line.

A problem is `name` or `dataset/name`; both may be patterns (`trees-*`, `twins/*`), several are
separated by commas or spaces. Invariant: a name that fits nothing is an error, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from explorer.core.guessing import is_ordinary
from explorer.errors import UsageError
from explorer.store.rows import ArmRow, ProblemRow


def select_problems(rows: Sequence[ProblemRow], text: str) -> list[ProblemRow]:
    """The problems that `text` names, in file order; 'all' names all.

    Raises:
        UsageError: some part of it fits no problem.
    """
    wanted = [part for part in re.split(r"[,\s]+", text) if part]
    if not wanted:
        raise UsageError(
            "No problem was named", "", "Name one, a pattern such as 'trees-*', or all."
        )
    chosen: set[int] = set()
    for part in wanted:
        found = {row.id for row in rows if part == "all" or _fits(row, part)}
        if not found:
            raise _unknown(rows, part)
        chosen |= found
    return [row for row in rows if row.id in chosen]


def one_problem(rows: Sequence[ProblemRow], text: str) -> ProblemRow:
    """The one problem that `text` names, by its whole name.

    Raises:
        UsageError: there is none, or several datasets have one of that name.
    """
    found = [row for row in rows if text in (row.problem.name, full_name(row))]
    if not found:
        raise _unknown(rows, text)
    if len(found) > 1:
        names = ", ".join(full_name(row) for row in found)
        raise UsageError(f"Several problems are called '{text}'", names, "Give the dataset too.")
    return found[0]


def full_name(row: ProblemRow) -> str:
    """`dataset/name`."""
    return f"{row.problem.dataset}/{row.problem.name}"


def select_arms(arms: Sequence[ArmRow], text: str) -> list[ArmRow]:
    """The arms of a model, or those whose key begins with `text`.

    Arms that answered without reasoning are meant only where their key is given.

    Raises:
        UsageError: there is none.
    """
    found = [arm for arm in arms if arm.model.name == text and is_ordinary(arm.spec)]
    bare = text.removeprefix("a1:")
    if not found and len(bare) >= 4:
        found = [arm for arm in arms if arm.key.removeprefix("a1:").startswith(bare)]
    if not found:
        known = list(dict.fromkeys(arm.model.name for arm in arms))
        raise UsageError(
            f"Nothing stored is called '{text}'",
            f"Models with completions: {', '.join(known) or 'none yet'}.",
            _did_you_mean(text, known)
            or "Give a model's name or the first letters of an arm's key.",
        )
    return found


def _fits(row: ProblemRow, pattern: str) -> bool:
    return fnmatchcase(row.problem.name, pattern) or fnmatchcase(full_name(row), pattern)


def _unknown(rows: Sequence[ProblemRow], text: str) -> UsageError:
    if not rows:
        return UsageError(
            f"There is no problem '{text}'",
            "The cache holds no problems yet.",
            "Name a problem file in explorer.toml as [datasets.<name>].",
        )
    names = [row.problem.name for row in rows]
    names += [full_name(row) for row in rows]
    examples = ", ".join(full_name(row) for row in rows[:3])
    return UsageError(
        f"There is no problem '{text}'",
        f"There are {len(rows)}, such as {examples}.",
        _did_you_mean(text, names) or "`rlvr-explorer report --problems` lists them.",
    )


def _did_you_mean(text: str, known: Sequence[str]) -> str:
    close = get_close_matches(text, known, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""

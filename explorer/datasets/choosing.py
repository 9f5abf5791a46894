"""Which files of a folder, here or on a hub, are the dataset that is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePath

from explorer.settings.formats import KINDS


def choose(
    names: Sequence[str], split: str, patterns: Sequence[str] = (), kinds: Sequence[int] = (0, 1, 2)
) -> list[str]:
    """Those of a folder's files that are meant, [] if that cannot be told.

    Tried in turn: the format's own patterns, the names that begin with the split, the only file.
    Of the files that would do, those of the first of `kinds` (places in `KINDS`) are taken.
    """
    own = [n for n in names if any(fnmatch(PurePath(n).name, pattern) for pattern in patterns)]
    begins = re.compile(rf"{re.escape(split)}(?![A-Za-z])") if split else None
    of_split = [n for n in names if begins and begins.match(PurePath(n).name)]
    for chosen in (own, of_split, list(names) if len(names) == 1 else []):
        for kind in kinds:
            of_kind = [name for name in chosen if name.endswith(KINDS[kind])]
            if of_kind:
                return of_kind
    return []

"""Reading printed tables again: what stands behind the name of a row."""

from __future__ import annotations

import re
from collections.abc import Sequence


def begins(name: str) -> set[str]:
    words = name.split(" ")
    return {" ".join(words[: place + 1]) for place in range(len(words))}


def printed_row(lines: Sequence[str], name: str) -> list[str]:
    """The numbers behind a name, of all the parts of its table."""
    pieces = [re.split(r"\s{2,}", line) for line in lines if line and line[0] != " "]
    return [number for first, *rest in pieces if first in begins(name) for number in rest]

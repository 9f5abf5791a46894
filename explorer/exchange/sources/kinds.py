"""Who could decide a problem that only a rollout file knows: told from its gold and statement."""

from __future__ import annotations

import re
from typing import Final

_LETTER: Final = re.compile(r"\(?[A-J]\)?\.?")
_OPTION: Final = re.compile(r"(?:^|\n)\s*\(?B[).:]\s*\S")


def verifier_for(statement: str, gold: str) -> str:
    """'choice' for a letter among options, else 'math'; '' where nothing can be compared."""
    if not gold.strip():
        return ""
    if _LETTER.fullmatch(gold.strip()) and _OPTION.search(statement):
        return "choice"
    return "math"

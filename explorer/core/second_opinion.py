"""Which verifier gives the second opinion beside a problem's own.

The store counts disagreements and the verifiers make them, and neither sees the other; this is
what both must agree on. Invariant: a second opinion never decides, it only disagrees.
"""

from __future__ import annotations

from typing import Final

from explorer.core.completion import Outcome

SECOND_OF: Final = {"math": "numeric"}
"""Own verifier -> the one that runs beside it; others have none."""


def disagree(own: Outcome | None, second: Outcome | None) -> bool:
    """Whether two verdicts contradict each other; one that is undecided contradicts nothing."""
    return own is not second and {own, second} == {Outcome.CORRECT, Outcome.WRONG}

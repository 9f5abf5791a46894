"""One branch of a trace in words: what a model was handed, and how often it then solved it."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.store.branches import BranchRow
from explorer.store.rows import Tally
from explorer.views.numbers import percent, span
from explorer.views.text import one_line


def handed(position: int) -> str:
    """`handed nothing`, `handed 40 tokens`."""
    kept = "nothing" if not position else f"{position:,} token{'' if position == 1 else 's'}"
    return f"handed {kept}"


@dataclass(frozen=True, slots=True)
class BranchLine:
    """One branch with its counts.

    Attributes:
        after: text of the last tokens kept and of the token that was swapped in, safe.
        lower, upper: 95 % credible interval of the pass rate; NaN without graded samples.
    """

    branch: BranchRow
    tally: Tally
    after: str
    lower: float
    upper: float

    @property
    def rate(self) -> float:
        return self.tally.correct / self.tally.n if self.tally.n else float("nan")

    def counts(self) -> str:
        """`12/16 = 75% [51–90%]`, or how far it is."""
        if not self.tally.n:
            return self.waiting() or "nothing graded yet"
        said = f"{self.tally.correct}/{self.tally.n} = {percent(self.rate)}"
        said += f" [{span(self.lower, self.upper)}]"
        waiting = self.waiting()
        return f"{said}, {waiting}" if waiting else said

    def waiting(self) -> str:
        """`3/16 drawn`, what failed, or '' when all is there."""
        branch = self.branch
        if branch.state == "failed":
            return one_line(branch.error, limit=60) or "failed"
        if branch.state == "cancelled":
            return f"cancelled at {self.tally.completions}/{branch.asked}"
        if branch.state in ("queued", "running"):
            return f"{self.tally.completions}/{branch.asked} drawn"
        ungraded = self.tally.ungraded
        return f"{ungraded} not yet graded" if ungraded else ""

    def where(self) -> str:
        """`handed nothing`, `handed 40 tokens`, `handed 40 tokens and ' 12'`."""
        branch = self.branch
        kept = handed(branch.position)
        if branch.swapped_id is None:
            return kept
        swapped = one_line(branch.swapped_text, limit=16) or f"token {branch.swapped_id}"
        return f"{kept} and ‘{swapped}’" if branch.position else f"handed ‘{swapped}’"

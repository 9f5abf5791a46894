"""What the inspector says of branches at the token under the cursor."""

from __future__ import annotations

from explorer.views.branches import Branches
from explorer.views.numbers import percent
from explorer.views.text import one_line
from explorer.views.trace_facts import Fact

SHOWN = 2
"""Branches said in the inspector; the Branches screen has all."""


def branch_facts(branches: Branches | None, token: int) -> list[Fact]:
    """`base from here 12/16 = 75% [51–90%]` for the branches that keep what is before a token."""
    facts = []
    for place, line in enumerate(branches.at(token)[:SHOWN] if branches else ()):
        name = one_line(line.branch.model, limit=16)
        if line.branch.swapped_id is not None:
            name += f" with ‘{one_line(line.branch.swapped_text, limit=10)}’"
        short = percent(line.rate) if line.tally.n else "…"
        long = f"{name} from here {line.counts()}"
        facts.append(Fact(long, f"{name} {short}", "accent", 95 - place))
    return facts

r"""A language model as a judge of reasoning: what it is asked, and what its reply says.

The judge sees problem, reference answer and solution, names the first error by kind and ends in
\boxed{yes} or \boxed{no} (the scheme of arXiv 2506.14245; the words are ours). Invariant: a reply
without such an ending is undecided, never a guess.
"""

from __future__ import annotations

import re
from typing import Final

from explorer.core.arm import Sampling
from explorer.core.prompts import Template
from explorer.core.review import Finding

_ASKED: Final = r"""You check the reasoning of a solution whose final answer is known to be right.
The question is whether the written steps really lead to that answer.

Problem:
{question}

Reference answer: {gold}

Solution to check:
<<<
{completion}
>>>

Go through the solution step by step. It is not sound if it has an error of one of these kinds, \
even though its answer is right:
- Calculation: a computation or a rewriting of an expression comes out wrong.
- Logical: a conclusion does not follow from what stands before it, or a case is lost.
- Conceptual: a definition, theorem or quantity of the problem is misunderstood or misused.
- Omission: a step that the answer needs is missing, or the answer appears from nowhere.
- Other: anything else by which the steps do not support the answer.
Clumsy wording and errors that the solution itself corrects do not count.

Write one line 'Kind: ' with the kind of the first error, or 'Kind: none'. Then end with \
\boxed{Yes} if the reasoning is sound from beginning to end, else with \boxed{No}."""

JUDGE_CHAT: Final = Template("judge", _ASKED, chat=True)
"""What a model with a chat template is asked. `{Yes}` is text: fields are in small letters."""

JUDGE_PLAIN: Final = Template("judge-plain", _ASKED + "\n\nCheck:\n")
"""What a model without one is asked."""

JUDGE_SAMPLING: Final = Sampling(temperature=0.6, top_p=0.95, max_tokens=4096)
"""How votes are drawn unless explorer.toml names a preset."""

VOTES: Final = 3
"""Votes per completion, as in the source."""

_BOXED: Final = re.compile(
    r"\\boxed\s*\{\s*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{)?\s*(yes|no)\s*\}", re.IGNORECASE
)
_ANY_BOX: Final = re.compile(r"\\boxed\s*\{")
_KIND: Final = re.compile(
    r"kind\W{0,8}(calculation|logical|conceptual|omission|other|none)", re.IGNORECASE
)
_KINDS: Final = {
    "calculation": Finding.CALCULATION,
    "logical": Finding.LOGIC,
    "conceptual": Finding.CONCEPT,
    "omission": Finding.OMISSION,
}


def read_vote(reply: str) -> Finding:
    r"""What a judge's reply says: the last \boxed{…} counts, and must say yes or no."""
    boxes = list(_ANY_BOX.finditer(reply))
    said = _BOXED.match(reply, boxes[-1].start()) if boxes else None
    if said is None:
        return Finding.UNDECIDED
    if said[1].lower() == "yes":
        return Finding.SOUND
    kinds = _KIND.findall(reply[: said.start()])
    return _KINDS.get(kinds[-1].lower(), Finding.FLAWED) if kinds else Finding.FLAWED

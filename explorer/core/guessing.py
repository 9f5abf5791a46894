r"""Answering without reasoning: the prompt that leaves no room for it, and what a guess is worth.

The source drops problems that a base model answers right without reasoning with a low but not
vanishing chance (0 < p < 5 %; arXiv 2504.13837, App. C.2): with many samples such luck fills
pass@k. Invariant: completions of this prompt are an arm of their own, told by how it ends, and
never stand beside those that reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.prompts import Template

BEGUN: Final = "\\boxed{"
"""The part of the answer that the prompt has written already; graded with what follows."""

ENDING: Final = "The answer is " + BEGUN
"""How every such prompt ends."""

MOST_TOKENS: Final = 32
"""Room for an answer, and none for reasoning behind a wrong one."""

GUESSABLE_BELOW: Final = 0.05
"""A problem guessed with a chance above 0 and below this is guessable."""

_THINKING: Final = "<think>"


def guess_template(own: Template) -> Template:
    """The prompt that makes a model answer at once, in the form that it knows.

    Plain prompts go on with `ENDING`. A chat asks for the answer alone, as its own instruction
    may ask for steps, and its reply begins with `ENDING`. Begun thinking is closed at once.
    """
    name = f"{own.name}-guess"
    if not own.chat:
        text = own.text.rstrip("\n ") if own.text.endswith(" ") else own.text
        if text.rstrip().endswith(_THINKING):
            text = text.rstrip() + "\n\n</think>\n\n"
        gap = "" if not text or text[-1].isspace() else " "
        return replace(own, name=name, text=text + gap + ENDING)
    asked = "{question}\nGive only the final answer within \\boxed{}, without any reasoning."
    thought = f"{_THINKING}\n\n</think>\n\n" if _THINKING in own.prefill else ""
    return replace(own, name=name, text=asked, system="", prefill=thought + ENDING)


def is_guess(template: str) -> bool:
    """Whether an arm's template (`Template.canonical`) is one that leaves no room to reason."""
    if template.endswith(ENDING):
        return True
    if not template.startswith("{"):
        return False
    try:
        turns = json.loads(template)
    except ValueError:
        return False
    return isinstance(turns, dict) and str(turns.get("prefill", "")).endswith(ENDING)


def is_ordinary(spec: ArmSpec) -> bool:
    """Whether an arm stands beside others: it reasons, and from the beginning.

    Arms without reasoning and branches (`ArmSpec.prefix`) are shown where they are asked for.
    """
    return not spec.prefix and not is_guess(spec.template)


def guess_sampling(own: Sampling, max_tokens: int = MOST_TOKENS) -> Sampling:
    """An arm's settings with room for an answer only."""
    return replace(own, max_tokens=min(own.max_tokens, max_tokens))


def is_guessable(correct: int, n: int) -> bool:
    """Whether a problem is answered right without reasoning, and rarely: 0 < c/n < 5 %."""
    return n > 0 and 0 < correct / n < GUESSABLE_BELOW


def guess_pass(p: float, ks: Sequence[int]) -> list[float]:
    """pass@k that guessing alone reaches, 1 − (1 − p)^k; NaN where p is not known."""
    if math.isnan(p):
        return [math.nan] * len(ks)
    if p >= 1:
        return [1.0] * len(ks)
    return [-math.expm1(k * math.log1p(-p)) for k in ks]

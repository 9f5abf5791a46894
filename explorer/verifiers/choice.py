r"""The verifier 'choice': which option an answer names, by letter, by text or by both.

`Problem.extra` holds `choices`, the option texts in order; the gold is a letter, an option's text,
or several letters. Invariant: an answer whose letter and text name different options is undecided,
never right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from explorer.core.answers import BOXED, PHRASE, find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.cheap import LONGEST_ANSWER, cheaply
from explorer.verifiers.clean import clean, squeezed

NO_ANSWER: Final = Decision(Outcome.UNDECIDED, "no answer found")

_NAMED = re.compile(
    r"\b(?:options?|choices?|answers?|select|choose|pick)\b[^.\n]{0,30}?\s\(?([A-Z])\)?(?=[\s.,;:!]|$)"
)
_ENDING = re.compile(r"(?:^|\s)\(?([A-Z])\)?[.!]?\s*$")
_LEADING = re.compile(r"\s*\(?([A-Z])[).:]?\s*(?:\n|$)")
_SAID = re.compile(
    r"(?:(?:the )?(?:correct |final |right )?(?:option|choice|answer)s?\s?(?:is|are|:)?:?\s?)",
    re.IGNORECASE,
)
_LETTER_FIRST = re.compile(r"[\[(]?([A-Za-z])(?:[\])]\.?:?|[.:])?(?:\s+(.*))?", re.DOTALL)
_LETTERS = re.compile(r"\(?[A-Z]\)?(?:\s?(?:,|and|&|;)\s?\(?[A-Z]\)?)+")
_WRAPPED = re.compile(r"\\(?:text|textbf|mathbf|mathrm|textit|emph|bf|rm)\s?\{([^{}]*)\}")


class ChoiceVerifier:
    """Equality of chosen options."""

    name = "choice"
    version = "choice-1"

    def extract(self, text: str) -> Extracted:
        return extract_choice(text)

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        return self.decide(problem, answer)

    def decide(self, problem: Problem, answer: str) -> Decision:
        return decide_choice(problem, answer)


def extract_choice(text: str) -> Extracted:
    """As for mathematics; instead of a guessed number, a letter that is named or stands last."""
    found = find_answer(text)
    if found.method in (BOXED, PHRASE):
        return Extracted(*found)
    tail = text.strip()[-2000:]
    named = _NAMED.findall(tail)
    if named:
        return Extracted(named[-1], PHRASE)
    match = _ENDING.search(tail) or _LEADING.match(text[:200])
    return Extracted(match[1], PHRASE) if match else Extracted(*found)


def choices_of(problem: Problem) -> tuple[str, ...]:
    """The option texts of a problem, () if it has none."""
    listed = problem.extra.get("choices")
    return tuple(str(one) for one in listed) if isinstance(listed, list | tuple) else ()


def decide_choice(problem: Problem, answer: str) -> Decision:
    """Whether an answer names the option that is right."""
    if not answer.strip():
        return NO_ANSWER
    if len(answer) > LONGEST_ANSWER:
        return Decision(Outcome.UNDECIDED, f"answer longer than {LONGEST_ANSWER} characters")
    choices = choices_of(problem)
    wanted = gold_letters(problem, choices)
    if not wanted:
        return Decision(Outcome.UNDECIDED, "the problem's gold answer names no option")
    given = _named(answer, choices)
    if given is None:
        return Decision(Outcome.WRONG, "names no option")
    if not given:
        return Decision(Outcome.UNDECIDED, "its letter and its text name different options")
    return Decision(Outcome.CORRECT if given == wanted else Outcome.WRONG)


def gold_letters(problem: Problem, choices: Sequence[str]) -> frozenset[str]:
    """The letters that are right; empty if the gold is neither a letter nor an option."""
    letter, gold = str(problem.extra.get("letter") or "").strip(), problem.gold.strip()
    if re.fullmatch("[A-Z]", letter):
        return frozenset({letter})
    return _named(gold, choices) or frozenset()


def _named(answer: str, choices: Sequence[str]) -> frozenset[str] | None:
    """The letters that an answer names; None if none, empty if it contradicts itself."""
    text = _SAID.sub("", _WRAPPED.sub(r"\1", clean(answer)), count=1).strip(" .*$`'\"")
    if _LETTERS.fullmatch(text):
        return frozenset(re.findall(r"[A-Z]", re.sub(r"and", "", text)))
    by_text = _option(text, choices)
    if by_text is not None and len(text) > 1:
        return frozenset({by_text})
    match = _LETTER_FIRST.fullmatch(text)
    if match and _is_letter(match[1], choices) and not (match[1] == "a" and match[2]):
        letter = match[1].upper()
        other = _option(match[2], choices) if match[2] else None
        return frozenset() if other not in (None, letter) else frozenset({letter})
    if by_text is not None:
        return frozenset({by_text})
    run = re.fullmatch(r"[A-Z]{2,5}", text)
    together = run and all(_is_letter(one, choices) for one in text)
    return frozenset(text) if together and len(set(text)) == len(text) else None


def _is_letter(letter: str, choices: Sequence[str]) -> bool:
    return not choices or ord(letter.upper()) - ord("A") < len(choices)


def _option(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option that says this; None if none or several do."""
    same = [
        chr(ord("A") + place)
        for place, choice in enumerate(choices)
        if _says(_WRAPPED.sub(r"\1", clean(choice)), text)
    ]
    return same[0] if len(same) == 1 else None


def _says(choice: str, text: str) -> bool:
    if squeezed(choice).casefold() == squeezed(text).casefold():
        return True
    letters = re.fullmatch(r"\(?[A-Za-z]\)?\.?", choice) or re.fullmatch(r"\(?[A-Za-z]\)?\.?", text)
    return not letters and cheaply(choice, text) is True

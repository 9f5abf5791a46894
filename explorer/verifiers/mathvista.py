"""The verifier 'mathvista', as its evaluation/calculate_score.py defines right and wrong.

`Problem.extra` has `choices`, `answer_type` (text, integer, float, list) and `precision`. Multiple
choice: a letter, else the option whose text is nearest by Levenshtein distance, first on a tie.
Integer: the number cut to an integer. Float: rounded to `precision` places. List: equal.

Approximations: upstream has a language model shorten the response first, we extract by rule; a
nearest option is accepted only if at least half of it agrees, so that prose which names none is
undecided rather than some option; units and thousands separators are taken off.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import Final

from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.cheap import LONGEST_ANSWER
from explorer.verifiers.choice import (
    NO_ANSWER,
    choices_of,
    decide_choice,
    extract_choice,
    gold_letters,
)
from explorer.verifiers.clean import clean, without_names, without_units
from explorer.verifiers.numbers import read_number

LONGEST_COMPARED: Final = 300
"""Characters of an answer and an option that the Levenshtein step looks at."""

_BRACKETED = re.compile(r"\[[^\[\]]{0,1000}\]")


class MathVistaVerifier:
    """Answers to MathVista."""

    name = "mathvista"
    version = "mathvista-1"

    def extract(self, text: str) -> Extracted:
        found = extract_choice(text)
        lists = _BRACKETED.findall(text[-4000:])
        if lists and found.method not in ("boxed", "phrase"):
            return Extracted(lists[-1], "phrase")
        return found

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        return self.decide(problem, answer)

    def decide(self, problem: Problem, answer: str) -> Decision:
        if not answer.strip():
            return NO_ANSWER
        if len(answer) > LONGEST_ANSWER:
            return Decision(Outcome.UNDECIDED, f"answer longer than {LONGEST_ANSWER} characters")
        if not problem.gold.strip():
            return Decision(Outcome.UNDECIDED, "the problem has no gold answer")
        if choices_of(problem):
            return _choice(problem, answer)
        match problem.extra.get("answer_type"):
            case "integer":
                return _numbers(problem.gold, answer, 0, cut=True)
            case "float":
                return _numbers(problem.gold, answer, _precision(problem), cut=False)
            case "list":
                return _lists(problem.gold, answer)
        return _decision(_plain(problem.gold) == _plain(answer))


def _decision(right: bool) -> Decision:
    return Decision(Outcome.CORRECT if right else Outcome.WRONG)


def _plain(text: str) -> str:
    return re.sub(r"\\text\s?\{([^{}]*)\}", r"\1", clean(text)).casefold()


def _choice(problem: Problem, answer: str) -> Decision:
    decision = decide_choice(problem, answer)
    if decision.detail != "names no option":
        return decision
    choices = choices_of(problem)
    text = _plain(answer)[:LONGEST_COMPARED]
    distances = [levenshtein(text, _plain(choice)[:LONGEST_COMPARED]) for choice in choices]
    nearest = distances.index(min(distances))
    if 2 * distances[nearest] > max(len(text), len(choices[nearest])):
        return Decision(Outcome.UNDECIDED, "resembles no option")
    right = gold_letters(problem, choices) == {chr(ord("A") + nearest)}
    detail = f"nearest option {chr(ord('A') + nearest)}, {distances[nearest]} edits away"
    return Decision(Outcome.CORRECT if right else Outcome.WRONG, detail)


def _precision(problem: Problem) -> int:
    places = problem.extra.get("precision")
    return int(places) if isinstance(places, int | float) else 1


def _numbers(gold: str, answer: str, places: int, *, cut: bool) -> Decision:
    wanted, given = _value(gold), _value(answer)
    if wanted is None:
        return Decision(Outcome.UNDECIDED, "the gold answer is no number")
    if given is None:
        return Decision(Outcome.WRONG, "not a number")
    if cut:
        return _decision(int(wanted) == int(given))
    return _decision(round(float(wanted), places) == round(float(given), places))


def _value(text: str) -> Fraction | None:
    number = read_number(without_units(without_names(clean(text))))
    return number.value if number else None


def _lists(gold: str, answer: str) -> Decision:
    wanted, given = _list(gold), _list(answer)
    if wanted is None:
        return Decision(Outcome.UNDECIDED, "the gold answer is no list")
    return _decision(wanted == given)


def _list(text: str) -> list[float] | None:
    found = _BRACKETED.search(text)
    try:
        values = ast.literal_eval(found[0] if found else f"[{text}]")
        return [float(value) for value in values]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def levenshtein(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements that turn one text into the other."""
    row = list(range(len(second) + 1))
    for place, letter in enumerate(first, 1):
        previous, row[0] = row[0], place
        for column, other in enumerate(second, 1):
            cost = previous + (letter != other)
            previous = row[column]
            row[column] = min(cost, row[column] + 1, row[column - 1] + 1)
    return row[-1]

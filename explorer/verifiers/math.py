r"""The verifier 'math': exact numbers, words and letters by our rules, all else by math-verify.

Order: equal as written; a choice letter; two plain numbers; two texts; then math-verify on the
cleaned pair and, if it says no, on the pair without units and without the names on the left of
'='. Invariant: `decide` depends on gold, answer and `version` only, and runs in a worker process,
because checking mathematics can hang: math-verify's own alarms are off and the pool kills.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version as installed_version
from typing import Any

from explorer.core.answers import find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.cheap import LONGEST_ANSWER, cheaply, part_by_part
from explorer.verifiers.clean import clean, split_list, without_names, without_units
from explorer.verifiers.numbers import read_number
from explorer.verifiers.parts import both_signs
from explorer.verifiers.tolerance import allowed_error, within

RULES = 2
"""Raise when a rule here, in `clean`, in `numbers` or in `core.answers` changes a decision."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_BARE_ROOT = re.compile(r"(?<![a-zA-Z\\])sqrt\s?\(([^()]{1,200})\)")
_BARE_COMMAND = re.compile(
    r"(?<![a-zA-Z\\])(pi|sqrt|sin|cos|tan|log|ln|infty|theta|alpha|beta)(?![a-zA-Z])"
)
_IMAGINARY = re.compile(r"(?<![a-zA-Z\\])i(?![a-zA-Z])|\\(?:text|mathrm)\{i\}")
_NOT_FOR_PARSER = re.compile(r"[-+]?[\d.]+[eE]|[-+]?\d+\s?[ \\]|[-+]?\d*\.\d*(?:\\|\(|\.\.)")
_TRIG = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_DEGREES = re.compile(
    r"(?P<number>\d{1,9}(?:\.\d{1,9})?)\s?\^\s?(?:\\circ(?![a-zA-Z])|\{\s?\\circ\s?\})"
)


class MathVerifier:
    """Equality of mathematical answers."""

    name = "math"

    def __init__(self) -> None:
        self.version = f"math-{RULES}+mv{installed_version('math-verify')}"

    def extract(self, text: str) -> Extracted:
        return Extracted(*find_answer(text))

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        """What needs no computer algebra, for tens of thousands of answers a second."""
        integers = _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(problem.gold)
        if integers and not allowed_error(problem):
            return Decision(_outcome(int(answer) == int(problem.gold)))
        if not answer.strip():
            return Decision(Outcome.UNDECIDED, "no answer found")
        if len(answer) > LONGEST_ANSWER:
            return Decision(Outcome.UNDECIDED, f"answer longer than {LONGEST_ANSWER} characters")
        gold = _clean(problem.gold)
        if not gold:
            return Decision(Outcome.UNDECIDED, "the problem has no gold answer")
        known = cheaply(gold, _clean(answer))
        # Where the dataset allows an error, a number that differs is not wrong yet.
        return None if known is False and allowed_error(problem) else _decision(known)

    def decide(self, problem: Problem, answer: str) -> Decision:
        decision = self.quick(problem, answer)
        if decision is not None:
            return decision
        try:
            gold, given = _clean(problem.gold), _clean(answer)
            known = cheaply(gold, given)
            right = _equal(gold, given) if known is None else known
            error = allowed_error(problem)
            return Decision(_outcome(right or (error is not None and within(gold, given, error))))
        except (MemoryError, RecursionError) as error:
            return Decision(Outcome.UNDECIDED, f"too large to check ({type(error).__name__})")


_clean = lru_cache(maxsize=4096)(clean)


def _decision(right: bool | None) -> Decision | None:
    return None if right is None else Decision(_outcome(right))


def _outcome(right: bool) -> Outcome:
    return Outcome.CORRECT if right else Outcome.WRONG


def _equal(gold: str, answer: str) -> bool:
    """Whether cleaned answers are equal, after `_cheaply` could not say."""
    apart = part_by_part(gold, answer, _equal)
    if apart is not None:
        return apart
    if _by_math_verify(gold, answer):
        return True
    bare = without_units(without_names(gold)), without_units(without_names(answer))
    if bare != (gold, answer) and all(bare):
        cheap = cheaply(*bare)
        if _by_math_verify(*bare) if cheap is None else cheap:
            return True
    signs = both_signs(bare[0]), both_signs(bare[1])
    return signs != bare and _by_math_verify(*signs)


def _by_math_verify(gold: str, answer: str) -> bool:
    pairs = [(_parsed(gold), _parsed(answer))]
    if _IMAGINARY.search(gold) or _IMAGINARY.search(answer):
        pairs.append((_with_imaginary(pairs[0][0]), _with_imaginary(pairs[0][1])))
    return any(
        _verified(expected, given)
        for golds, answers in pairs
        for expected in golds
        for given in answers
    )


def _verified(expected: object, given: object) -> bool:
    verify = _math_verify()[1]
    try:
        return bool(
            verify(
                expected,
                given,
                timeout_seconds=None,
                raise_on_error=True,
                allow_set_relation_comp=True,
            )
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:  # sympy raises anything at all on pairs that do not compare
        return False


def _with_imaginary(parsed: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same with the letter i as the imaginary unit, which math-verify reads as a symbol."""
    from sympy import Basic, Expr, I, expand

    replaced = []
    for one in parsed:
        if isinstance(one, Basic):
            with suppress(ArithmeticError, AttributeError, TypeError, ValueError):
                letters = [letter for letter in one.free_symbols if str(letter) == "i"]
                unit = one.subs(dict.fromkeys(letters, I))
                replaced.append(expand(unit) if isinstance(unit, Expr) else unit)
    return tuple(replaced)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Any, ...]:
    """What math-verify reads in a cleaned answer; a bare answer needs its own dollar signs."""
    parse = _math_verify()[0]
    source = f"${_for_parser(text)}$"
    try:
        return tuple(parse(source, parsing_timeout=None, raise_on_error=True))
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return ()


def _for_parser(text: str) -> str:
    """Numbers that math-verify misreads (mixed, recurring) become fractions; `;` separates."""
    if _TRIG.search(text):
        text = _DEGREES.sub(r"(\\frac{\g<number>\\pi}{180})", text)
    parts = []
    for part in split_list(text):
        number = read_number(part)
        if number is not None and _NOT_FOR_PARSER.match(part):
            part = f"{number.value}" + ("\\%" if number.percent else "")
        parts.append(part.replace("%", "\\%") if "\\%" not in part else part)
    return _BARE_COMMAND.sub(r"\\\1", _BARE_ROOT.sub(r"\\sqrt{\1}", ", ".join(parts)))


@lru_cache(maxsize=1)
def _math_verify() -> tuple[Any, Any]:
    """math-verify's parse and verify, silenced; imported late because it takes half a second."""
    import logging

    for name in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from math_verify import parse, verify

    return parse, verify

r"""The verifier 'math': exact numbers, words and letters by our rules, all else by math-verify.

Order: equal as written; a choice letter; two plain numbers; two texts; then math-verify on the
cleaned pair and, if it says no, on the pair without units and without the names on the left of
'='. Invariant: `decide` depends on gold, answer and `version` only, and runs in a worker process,
because checking mathematics can hang: math-verify's own alarms are off and the pool kills.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version as installed_version
from typing import Any

from explorer.core.answers import find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.base import Decision, Extracted
from explorer.verifiers.clean import (
    as_words,
    clean,
    split_list,
    squeezed,
    without_names,
    without_units,
)
from explorer.verifiers.numbers import read_comma_decimal, read_number, same_number

RULES = 1
"""Raise when a rule here, in `clean`, in `numbers` or in `core.answers` changes a decision."""

LONGEST_ANSWER = 2000

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_CHOICE = re.compile(r"\(?\s*([A-Z])\s*\)?\s*[.:]?")
_CHOSEN = re.compile(r"\(?\s*([A-Za-z])\s*(?:\)\s*[.:]?\s*\S.*|[.:]\s+\S.*|\)?[.:]?)")
_BARE_ROOT = re.compile(r"(?<![a-zA-Z\\])sqrt\s?\(([^()]{1,200})\)")
_BARE_COMMAND = re.compile(
    r"(?<![a-zA-Z\\])(pi|sqrt|sin|cos|tan|log|ln|infty|theta|alpha|beta)(?![a-zA-Z])"
)
_CLOCK = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?\s*(?:[ap]\.?m\.?)?", re.IGNORECASE)


class MathVerifier:
    """Equality of mathematical answers."""

    name = "math"

    def __init__(self) -> None:
        self.version = f"math-{RULES}+mv{installed_version('math-verify')}"

    def extract(self, text: str) -> Extracted:
        return Extracted(*find_answer(text))

    def quick(self, problem: Problem, answer: str) -> Decision | None:
        """What needs no computer algebra, for tens of thousands of answers a second."""
        if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(problem.gold):
            return Decision(_outcome(int(answer) == int(problem.gold)))
        if not answer.strip():
            return Decision(Outcome.UNDECIDED, "no answer found")
        if len(answer) > LONGEST_ANSWER:
            return Decision(Outcome.UNDECIDED, f"answer longer than {LONGEST_ANSWER} characters")
        gold = _clean(problem.gold)
        if not gold:
            return Decision(Outcome.UNDECIDED, "the problem has no gold answer")
        return _decision(_cheaply(gold, _clean(answer)))

    def decide(self, problem: Problem, answer: str) -> Decision:
        known = self.quick(problem, answer)
        if known is not None:
            return known
        try:
            return Decision(_outcome(_equal(_clean(problem.gold), _clean(answer))))
        except (MemoryError, RecursionError) as error:
            return Decision(Outcome.UNDECIDED, f"too large to check ({type(error).__name__})")


_clean = lru_cache(maxsize=4096)(clean)


def _decision(right: bool | None) -> Decision | None:
    return None if right is None else Decision(_outcome(right))


def _outcome(right: bool) -> Outcome:
    return Outcome.CORRECT if right else Outcome.WRONG


def _equal(gold: str, answer: str) -> bool:
    """Whether cleaned answers are equal, after `_cheaply` could not say."""
    if _by_math_verify(gold, answer):
        return True
    bare = without_units(without_names(gold)), without_units(without_names(answer))
    if bare == (gold, answer) or not all(bare):
        return False
    cheap = _cheaply(*bare)
    return _by_math_verify(*bare) if cheap is None else cheap


def _cheaply(gold: str, answer: str) -> bool | None:
    """A decision without computer algebra, or None where that would be a guess."""
    if not answer:
        return False
    if squeezed(gold) == squeezed(answer):
        return True
    letter = _CHOICE.fullmatch(squeezed(gold))
    chosen = _CHOSEN.fullmatch(re.sub(r"\\(?:text|textbf|mathrm)\s?\{([^{}]*)\}", r"\1", answer))
    if letter and chosen:
        return letter[1] == chosen[1].upper()
    number = _same_numbers(gold, answer)
    if number is not None:
        return number
    clocks = _CLOCK.fullmatch(gold), _CLOCK.fullmatch(answer)
    if clocks[0] and clocks[1]:
        return _same_clock(clocks[0], clocks[1])
    return _same_words(gold, answer)


def _same_numbers(gold: str, answer: str) -> bool | None:
    gold, answer = without_units(gold), without_units(answer)
    first, second = read_number(gold), read_number(answer)
    if first and second:
        same = same_number(first, second)
        return None if not same and _ambiguous(gold, answer) else same
    by_comma = read_comma_decimal(gold), read_comma_decimal(answer)
    if (first and by_comma[1] and same_number(first, by_comma[1])) or (
        second and by_comma[0] and same_number(by_comma[0], second)
    ):
        return True
    return None


def _ambiguous(gold: str, answer: str) -> bool:
    """`1,234` may be a number or two of them, and `0,111` is a decimal."""
    return "," in gold or "," in answer


def _same_clock(gold: re.Match[str], answer: re.Match[str]) -> bool:
    """Equal times, or equal ratios where neither can be a time."""
    first = [int(part) for part in gold.groups() if part is not None]
    second = [int(part) for part in answer.groups() if part is not None]
    if first == second or (first[:2] == second[:2] and not sum(first[2:]) + sum(second[2:])):
        return True
    if len(first) != 2 or len(second) != 2 or any(len(m[2]) == 2 for m in (gold, answer)):
        return False
    return 0 not in (first[1], second[1]) and first[0] * second[1] == first[1] * second[0]


def _same_words(gold: str, answer: str) -> bool | None:
    first, second = as_words(gold), as_words(answer)
    if first and first == second:
        return True
    textual = bool(first) and (r"\text" in gold or " " in first or len(first) >= 4)
    return False if textual and (second or read_number(answer)) else None


def _by_math_verify(gold: str, answer: str) -> bool:
    verify = _math_verify()[1]
    for expected in _parsed(gold):
        for given in _parsed(answer):
            try:
                if verify(
                    expected,
                    given,
                    timeout_seconds=None,
                    raise_on_error=True,
                    allow_set_relation_comp=True,
                ):
                    return True
            except (MemoryError, RecursionError):
                raise
            except Exception:  # sympy raises anything at all on pairs that do not compare
                continue
    return False


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
    """Mixed numbers, which math-verify reads as products, become fractions; `;` separates."""
    parts = []
    for part in split_list(text):
        number = read_number(part)
        mixed = number is not None and number.places is None and re.match(r"[-+]?\d+[ \\]", part)
        if number is not None and mixed:
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

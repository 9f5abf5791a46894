r"""What decides most answers without computer algebra: strings, letters, numbers, clocks, words.

Both verifiers of mathematics begin here; they differ in what they do with the rest. Invariant:
None means that a decision would be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from explorer.verifiers.clean import KNOWN_UNITS, as_words, split_list, squeezed, without_units
from explorer.verifiers.numbers import read_comma_decimal, read_number, same_based, same_number
from explorer.verifiers.parts import coordinates, labelled, named
from explorer.verifiers.units import same_measure

LONGEST_ANSWER = 2000

_CHOICE = re.compile(r"\(?\s*([A-Z])\s*\)?\s*[.:]?")
_CHOSEN = re.compile(r"\(?\s*([A-Za-z])\s*(?:\)\s*[.:]?\s*\S.*|[.:]\s+\S.*|\)?[.:]?)")
_TIMES_LETTERS = re.compile(r"[-+]?[\d.,]{1,40}(?P<letters>[a-zA-Z]{1,3})")
_ONE_LETTER_UNITS = frozenset("msghLlCFKNJWVA")
_CLOCK = re.compile(
    r"(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?\s*"
    r"(?P<half>(?:\\text\s?\{\s?)?(?P<noon>[ap])\.?\s?m\b\.?(?:\s?\})?)?",
    re.IGNORECASE,
)


def cheaply(gold: str, answer: str) -> bool | None:
    """A decision without computer algebra, or None where that would be a guess."""
    if not answer:
        return False
    if squeezed(gold) == squeezed(answer):
        return True
    letter = _CHOICE.fullmatch(squeezed(gold))
    chosen = _CHOSEN.fullmatch(re.sub(r"\\(?:text|textbf|mathrm)\s?\{([^{}]*)\}", r"\1", answer))
    if letter and chosen:
        return letter[1] == chosen[1].upper()
    for compare in (same_based, same_measure, _same_numbers):
        same = compare(gold, answer)
        if same is not None:
            return same
    clocks = _CLOCK.fullmatch(gold), _CLOCK.fullmatch(answer)
    if clocks[0] and clocks[1]:
        return _same_clock(clocks[0], clocks[1])
    if _multiple_of_letters(gold, answer) or _multiple_of_letters(answer, gold):
        return False
    return _same_words(gold, answer)


def _multiple_of_letters(number: str, other: str) -> bool:
    """A number against the same number times variables, which math-verify takes for units."""
    match = _TIMES_LETTERS.fullmatch(other)
    if match is None or read_number(number) is None:
        return False
    word = match["letters"]
    return word.lower() not in KNOWN_UNITS and word not in _ONE_LETTER_UNITS and len(word) < 4


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
    first = [int(part) for part in gold.groups()[:3] if part is not None]
    second = [int(part) for part in answer.groups()[:3] if part is not None]
    halves = {gold["noon"], answer["noon"]} - {None}
    if (
        len(halves) == 1
        and None in (gold["noon"], answer["noon"])
        and max(first[0], second[0]) > 12
    ):
        half = next(iter(halves)).lower()
        first[0], second[0] = (
            hour % 12 + 12 * (half == "p") if clock["noon"] else hour
            for hour, clock in ((first[0], gold), (second[0], answer))
        )
    if gold["noon"] and answer["noon"] and gold["noon"].lower() != answer["noon"].lower():
        return False
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


def part_by_part(gold: str, answer: str, equal: Callable[[str, str], bool]) -> bool | None:
    """Compare parts that labels or names tell apart; None where they do not.

    Args:
        equal: what compares two parts that `cheaply` cannot.
    """

    def same(first: str, second: str) -> bool:
        cheap = cheaply(first, second)
        return equal(first, second) if cheap is None else cheap

    names = named(gold), named(answer)
    if all(names) and names[0].keys() == names[1].keys():
        return all(same(value, names[1][name]) for name, value in names[0].items())
    for ours, pair in ((names[0], coordinates(answer)), (names[1], coordinates(gold))):
        if ours and len(ours) == len(pair):
            return all(map(same, ours.values(), pair))
    labels = labelled(gold), labelled(answer)
    if not any(labels):
        return None
    first, second = (
        parts or tuple(split_list(text)) for parts, text in zip(labels, (gold, answer), strict=True)
    )
    return len(first) == len(second) and all(map(same, first, second))

"""The filter language of the problem list: `class:S base<5% rl>0.5 family:trees "remainder"`.

An expression is terms with spaces between; all must hold; `-` before a term turns it round.

* `word`, `"two words"`: in the statement, name or note, whatever the case
* `class:S`, `class:S,E`, `family:trees`, `level:3`, `id:trees-00`, `gold:36`, `note:…`: with `:`
  a text contains what is asked (class, level and gold must be equal); commas separate choices
* `base<0.05`, `rl>=50%`: pass@1 of a model, by its name or its role
* `rl@16>0.9`: pass@k, where a problem has that many samples
* `base.c=0`, `base.n>=64`, `rl.undecided>0`: counts of a model
* `n<64`, `undecided>0`, `ungraded>0`, `recorded>0`: n of the least sampled model, sums of the rest
* `disagree`, `rl.disagree>2`: verdicts that the second verifier contradicts; `overridden`: those
  that a person gave
* `label-differs`: the source of an imported completion contradicts us; `rl.label-differs>2`
* `gap>0.2`: pass@1 of RL minus that of base; `level>=3`: the level as a number
* `rl>base`: two models

Invariant: a value that is not there (n = 0, a level that is no number) satisfies no comparison.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.core.passk import pass_at_k
from explorer.errors import UsageError
from explorer.views.problem_list import EMPTY, ProblemLine

Test = Callable[[ProblemLine], bool]
Value = Callable[[ProblemLine], float | None]

_TERM: Final = re.compile(r'\s*(-?)((?:[^\s":<>=!]|(?<=\S)-)*)([:<>=!]+)?("[^"]*"|[^\s"]*)')
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_TEXT_FIELDS: Final = ("class", "family", "level", "id", "gold", "note", "dataset", "verifier")
_SUMMED: Final = ("completions", "undecided", "ungraded", "recorded", "disagree", "overridden")
_COUNT_FIELDS: Final = ("n", *_SUMMED)
_CELL_FIELDS: Final = ("n", "c", *_SUMMED)
_ATTRIBUTES: Final = {"c": "correct", "disagree": "disagreed"}
_EXACT: Final = ("class", "level", "gold")


class FilterError(UsageError):
    """An expression that cannot be understood; `position` is where, counted from 0."""

    def __init__(self, message: str, position: int, hint: str = "") -> None:
        super().__init__(message, f"at character {position + 1}", hint)
        self.position = position


@dataclass(frozen=True, slots=True)
class ModelName:
    """A name that a filter may use for a column: the model's own, and its role."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression; an empty one lets everything through."""

    source: str
    tests: tuple[Test, ...]

    def matches(self, line: ProblemLine) -> bool:
        return all(test(line) for test in self.tests)

    def select(self, lines: Sequence[ProblemLine]) -> Sequence[ProblemLine]:
        """The lines that pass, in their order."""
        return [line for line in lines if self.matches(line)] if self.tests else lines


def parse(source: str, models: Sequence[ModelName]) -> Filter:
    """Understand an expression.

    Args:
        source: what was typed.
        models: the columns of the list, in order.

    Raises:
        FilterError: with the position of the term that cannot be understood.
    """
    tests: list[Test] = []
    position = 0
    if source.count('"') % 2:
        raise FilterError("A quotation mark is not closed", source.rindex('"'))
    while source[position:].strip():
        match = _TERM.match(source, position)
        if match is None or match.end() == position:
            raise FilterError("This is not a filter term", position)
        start = match.end() - len(match[0].lstrip())
        tests.append(_term(match, start, models))
        position = match.end()
    return Filter(source, tuple(tests))


def _term(match: re.Match[str], start: int, models: Sequence[ModelName]) -> Test:
    minus, name, sign, value = match[1], match[2], match[3] or "", match[4]
    value = value.removeprefix('"').removesuffix('"')
    if not sign:
        word = name + value
        if not word:
            raise FilterError("There is nothing to look for after the minus", start)
        test = _FLAGS.get(word.lower()) or _contains_word(word)
    elif not name or not value:
        missing = "name" if not name else "value"
        raise FilterError(f"There is no {missing} beside '{sign}'", start, "For example base<0.05.")
    elif sign == ":":
        test = _text_test(name.lower(), value, start)
    else:
        test = _comparison(name, sign, value, start, models)
    return (lambda line: not test(line)) if minus else test


def _contains_word(word: str) -> Test:
    low = word.lower()

    def test(line: ProblemLine) -> bool:
        problem = line.problem
        return (
            low in problem.statement.lower()
            or low in problem.name.lower()
            or low in problem.note.lower()
        )

    return test


def _text_test(name: str, value: str, start: int) -> Test:
    wanted = tuple(part.strip().lower() for part in value.split(",") if part.strip())
    if name == "class":
        return _class_test(wanted, start)
    if name not in _TEXT_FIELDS:
        raise FilterError(
            f"There is no text called '{name}'",
            start,
            f"Texts are {', '.join(_TEXT_FIELDS)}; numbers are compared with < > =.",
        )
    attribute = "name" if name == "id" else name

    def test(line: ProblemLine) -> bool:
        text = str(getattr(line.problem, attribute)).lower()
        if name in _EXACT:
            return text.strip() in wanted
        return any(part in text for part in wanted)

    return test


def _class_test(wanted: Sequence[str], start: int) -> Test:
    letters = {part.removesuffix("?").upper() for part in wanted}
    if not letters <= {"P", "E", "S", "O"} or not letters:
        raise FilterError("A class is P, E, S or O", start, "For example class:S or class:S,E.")
    open_only = {part.upper() for part in wanted if part.endswith("?")}

    def test(line: ProblemLine) -> bool:
        if line.coverage is None:
            return False
        letter = line.coverage.coverage.value
        if letter not in letters:
            return False
        return line.coverage.uncertain or f"{letter}?" not in open_only

    return test


def _comparison(name: str, sign: str, value: str, start: int, models: Sequence[ModelName]) -> Test:
    sign = {"==": "=", "=<": "<=", "=>": ">=", "<>": "!="}.get(sign, sign)
    if sign not in _OPERATORS:
        raise FilterError(f"'{sign}' is not a comparison", start, "Use < <= > >= = or !=.")
    if name.lower() in ("class", "family", "id", "gold", "note") and sign in ("=", "!="):
        test = _text_test(name.lower(), value, start)
        return test if sign == "=" else (lambda line: not test(line))
    compare = _OPERATORS[sign]
    left = _value(name, start, models)
    right = _number(value)
    other = _value(value, start, models) if right is None else None

    def test_numbers(line: ProblemLine) -> bool:
        mine = left(line)
        theirs = right if other is None else other(line)
        return mine is not None and theirs is not None and compare(mine, theirs)

    return test_numbers


def _number(text: str) -> float | None:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def _value(name: str, start: int, models: Sequence[ModelName]) -> Value:
    """What a name stands for; the model's own name wins over anything that looks alike."""
    if (column := _column(name, models)) is not None:
        return _rate_value(column, 1)
    low = name.lower()
    if low == "gap":
        return lambda line: line.gap
    if low == "level":
        return lambda line: _number(line.problem.level)
    if low in _COUNT_FIELDS or low in _FLAGS:
        return _total(low.replace("-", "_"))
    owner, at, k = name.rpartition("@")
    if at and k.isdecimal() and int(k) > 0 and (position := _column(owner, models)) is not None:
        return _rate_value(position, int(k))
    owner, dot, field = name.rpartition(".")
    is_count = field in _CELL_FIELDS or field in _FLAGS
    if dot and is_count and (position := _column(owner, models)) is not None:
        return _cell_value(position, field.replace("-", "_"))
    known = ", ".join(dict.fromkeys([model.name for model in models] + ["gap", "level", "n"]))
    raise FilterError(
        f"There is no number called '{name}'", start, f"Known are {known}, NAME@k, NAME.n, NAME.c."
    )


def _column(name: str, models: Sequence[ModelName]) -> int | None:
    low = name.lower()
    for position, model in enumerate(models):
        if model.name.lower() == low:
            return position
    for position, model in enumerate(models):
        if model.role.lower() == low:
            return position
    return None


def _rate_value(column: int, k: int) -> Value:
    def rate(line: ProblemLine) -> float | None:
        cell = line.cells[column]
        if cell.n < k:
            return None
        return cell.correct / cell.n if k == 1 else pass_at_k(cell.correct, cell.n, k)

    return rate


def _cell_value(column: int, field: str) -> Value:
    attribute = _ATTRIBUTES.get(field, field)
    return lambda line: float(getattr(line.cells[column], attribute))


def _total(field: str) -> Value:
    if field == "n":
        return lambda line: float(min((cell.n for cell in line.cells), default=EMPTY.n))
    attribute = _ATTRIBUTES.get(field, field)
    return lambda line: float(sum(getattr(cell, attribute) for cell in line.cells))


def _any(field: str) -> Test:
    total = _total(field)
    return lambda line: bool(total(line))


_FLAGS: Final[dict[str, Test]] = {
    "label-differs": _any("label_differs"),
    "disagree": _any("disagreed"),
    "overridden": _any("overridden"),
}
"""Words that stand for 'some completion is so', rather than for a text to look for."""

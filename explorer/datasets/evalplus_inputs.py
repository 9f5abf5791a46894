"""EvalPlus's inputs as Python expressions, and its own ways to compare results.

EvalPlus publishes inputs as JSON, which has no tuples, sets or complex numbers; for MBPP+ its
loader turns them back, task by task (evalplus/data/mbpp.py, `mbpp_deserialize_inputs`). The same
is done here. Results are those of the reference solution; where several results are right,
evalplus/eval compares otherwise, and so do the snippets here. Invariant: an expression that is
made here is a literal, apart from `set(…)` of literals, `complex(…)`, `inf` and `nan`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Reshape = Callable[[list[Any]], Any]
"""From the arguments that JSON has to the arguments that the task means."""


def expression(value: Any) -> str:
    """A Python expression of a value; floats that have no literal are `inf` and `nan`."""
    return repr(value)


def mbpp_arguments(task: int, arguments: list[Any]) -> Any:
    """The arguments of an MBPP+ task as its author means them.

    Raises:
        ValueError: they do not have the shape that this task's inputs have.
    """
    reshape = _RESHAPES.get(task)
    if reshape is None:
        return arguments
    try:
        return reshape(arguments)
    except (TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"an input is not of the shape that task {task} has") from error


def _each(arguments: list[Any]) -> Any:
    return [tuple(one) for one in arguments]


def _inner(arguments: list[Any]) -> Any:
    return [[tuple(one) for one in outer] for outer in arguments]


def _inner_of_tuples(arguments: list[Any]) -> Any:
    return [tuple(outer) for outer in _inner(arguments)]


def _inner_of_first(arguments: list[Any]) -> Any:
    return [[tuple(one) for one in arguments[0]], arguments[1]]


def _first(arguments: list[Any]) -> Any:
    return [tuple(arguments[0]), *arguments[1:]]


def _second(arguments: list[Any]) -> Any:
    return [arguments[0], tuple(arguments[1])]


def _sets(arguments: list[Any]) -> Any:
    return [[set(one) if isinstance(one, list) and one else {} for one in arguments[0]]]


def _mixed(arguments: list[Any]) -> Any:
    return [tuple(tuple(one) if isinstance(one, list) else one for one in arguments[0])]


def _values(arguments: list[Any]) -> Any:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


def _deep(arguments: Any) -> Any:
    return tuple(_deep(one) for one in arguments) if isinstance(arguments, list) else arguments


def _angle(arguments: list[Any]) -> Any:
    return [float(arguments[0]), complex(arguments[1])]


def _complex(arguments: list[Any]) -> Any:
    return [complex(arguments[0])]


_TASKS: Final[Mapping[Reshape, tuple[int, ...]]] = {
    _each: (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630),
        *(726, 740, 744, 809),
    ),
    _inner: (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _inner_of_first: (75, 413, 444, 753),
    _second: (106, 750),
    _sets: (115,),
    _angle: (124,),
    _first: (250, 307, 405, 446, 617, 720, 763, 808),
    _inner_of_tuples: (259, 401, 445),
    _mixed: (278,),
    _values: (722,),
    _complex: (252,),
    _deep: (580, 615, 791),
}
_RESHAPES: Final = {task: reshape for reshape, tasks in _TASKS.items() for task in tasks}

_AS_SETS: Final = """\
def same(expected, answer, arguments):
    return set(answer) == set(expected)
"""
_NOT_NONE: Final = """\
def same(expected, answer, arguments):
    found = answer if isinstance(answer, bool) else answer is not None
    return found == (expected if isinstance(expected, bool) else expected is not None)
"""
_ANY: Final = """\
def same(expected, answer, arguments):
    return True
"""
_OR_ZERO: Final = """\
def same(expected, answer, arguments):
    return answer == expected or answer == 0
"""
_ROOT: Final = """\
def same(expected, answer, arguments):
    if answer == expected:
        return True
    return abs(sum(c * answer**power for power, c in enumerate(arguments[0]))) <= 1e-4
"""

COMPARISONS: Final = {
    "find_zero": _ROOT,
    "are_equivalent": _ANY,
    "sum_div": _OR_ZERO,
} | {
    entry_point: code
    for code, entry_points in {
        _AS_SETS: (
            *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
            *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
        ),
        _NOT_NONE: ("check_str", "text_match_three", "text_starta_endb"),
    }.items()
    for entry_point in entry_points
}
"""Entry point -> code that defines `same`, as `CodeTests.code` of a REFERENCE takes it."""

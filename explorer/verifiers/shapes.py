r"""What kind of answer a text is, for the second verifier: formula, list, tuple, union, matrix …

Invariant: shapes of different kinds are different answers, but for those few that people write
in two ways (an inequality and its interval, a pair in braces and in parentheses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from explorer.verifiers.clean import split_list
from explorer.verifiers.expression import Node, UnreadableError, read_formula
from explorer.verifiers.relations import as_interval


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula, or an end of an interval at infinity (`node` None, `text` with its sign)."""

    text: str
    node: Node | None


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes in order between brackets: 'set', 'list', '()' '[]' '(]' '[)', 'union'."""

    kind: str
    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Two sides, the left one minus the right one in `difference`; sign is '=', '<', '<=', '!='.

    A greater-than is turned round.
    """

    sign: str
    left: Node
    right: Node

    @property
    def difference(self) -> Node:
        return ("sub", self.left, self.right)


Shape = Formula | Group | Matrix | Relation

_MATRIX = re.compile(
    r"[(\[]?\s*\\begin\s?\{(?P<kind>[pbB]?matrix|array|smallmatrix)\}(?:\{[clr|]{0,20}\})?"
    r"(?P<body>.*?)\\end\s?\{(?P=kind)\}\s*[)\]]?",
    re.DOTALL,
)
_INFINITY = re.compile(r"([-+]?)\s?\\infty")
_UNION = re.compile(r"\\cup(?![a-zA-Z])")
_SIGN = re.compile(
    r"(<=|>=|!=|<|>|=|\\leq(?![a-z])|\\geq(?![a-z])|\\le(?![a-z])|\\ge(?![a-z])|\\lt(?![a-z])"
    r"|\\gt(?![a-z])|\\neq?(?![a-z])|\\approx(?![a-z])|\\equiv(?![a-z]))"
)
_PLAIN_SIGN: Final = {
    r"\leq": "<=", r"\le": "<=", r"\geq": ">=", r"\ge": ">=", r"\lt": "<", r"\gt": ">",
    r"\ne": "!=", r"\neq": "!=",
}  # fmt: skip
_MEMBER = re.compile(r"\s?\\?[A-Za-z]{1,6}(?:_\{?\w{1,3}\}?)?\s?\\in(?![a-zA-Z])")

MOST_ITEMS: Final = 40


def read_shape(text: str) -> Shape:
    """The shape of a cleaned text.

    Raises:
        UnreadableError: it has none that is known.
    """
    text = _MEMBER.sub("", text, count=1).strip()
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        return _matrix(matrix["body"])
    parts = split_list(text)
    if len(parts) > MOST_ITEMS:
        raise UnreadableError("too many parts")
    if len(parts) > 1:
        return Group("list", tuple(read_shape(part) for part in parts))
    if _UNION.search(text):
        return Group("union", tuple(read_shape(part) for part in _UNION.split(text)))
    inner = _braced(text)
    if inner is not None:
        return Group("set", tuple(read_shape(part) for part in split_list(inner)))
    bracketed = _bracketed(text)
    if bracketed:
        return bracketed
    if _SIGN.search(text):
        return _relation(text)
    infinite = _INFINITY.fullmatch(text)
    if infinite:
        return Formula("-" if infinite[1] == "-" else "+", None)
    return Formula(text, read_formula(text))


def _matrix(body: str) -> Matrix:
    rows = [row for row in re.split(r"\\\\(?:\s?\[\w{0,6}\])?", body) if row.strip(" &")]
    cells = tuple(tuple(read_shape(cell) for cell in row.split("&")) for row in rows)
    if not cells or len({len(row) for row in cells}) != 1:
        raise UnreadableError("ragged rows")
    return Matrix(cells)


def _braced(text: str) -> str | None:
    if text.startswith(r"\{") and text.endswith(r"\}"):
        return text[2:-2]
    return None


def _bracketed(text: str) -> Group | None:
    """A tuple or an interval: brackets around all of it with a comma directly inside."""
    if len(text) < 3 or text[0] not in "([" or text[-1] not in ")]":
        return None
    items = split_list(text[1:-1])
    if len(items) < 2 or not _closes_at_end(text):
        return None
    return Group(text[0] + text[-1], tuple(read_shape(item) for item in items))


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def _relation(text: str) -> Shape:
    interval = as_interval(text)
    if interval is not None:
        return read_shape(interval)
    pieces = _SIGN.split(text)
    signs = [_PLAIN_SIGN.get(sign, sign) for sign in pieces[1::2]]
    if len(signs) != 1:
        raise UnreadableError("a chain of relations")
    left, right = read_formula(pieces[0]), read_formula(pieces[2])
    sign = signs[0]
    if sign in (">", ">="):
        left, right, sign = right, left, sign.replace(">", "<")
    if sign not in ("=", "<", "<=", "!="):
        raise UnreadableError(sign)
    return Relation(sign, left, right)

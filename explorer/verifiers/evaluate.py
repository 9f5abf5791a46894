"""What formulas are worth: exactly where that is a fraction, else to 50 digits at fixed points.

Two formulas are taken for equal if they agree at three points with positive values for every
letter. Invariant: no value is formed whose size is not bounded beforehand, so nothing here can
run away; what is too large raises UnreadableError.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any, Final

from mpmath import mp, mpc, mpf  # type: ignore[import-untyped]

from explorer.verifiers.expression import Node, UnreadableError

DIGITS: Final = 50
POINTS: Final = 3
LARGEST_BITS: Final = 200_000
LARGEST_FACTORIAL: Final = 3000
LARGEST_EXPONENT: Final = 1e7
_CLOSE: Final = 1e-25


def letters(node: Node) -> frozenset[str]:
    """The variables of a formula."""
    if node[0] == "var":
        return frozenset({str(node[1])})
    return frozenset().union(*(letters(part) for part in node[1:] if isinstance(part, tuple)))


def exact(node: Node) -> Fraction | None:
    """The value of a formula of rational numbers, None if it has anything else in it.

    Raises:
        UnreadableError: it divides by zero.
    """
    if node[0] == "num":
        return node[1]  # type: ignore[return-value]
    if node[0] in ("var", "const", "fn", "root", "log", "deg"):
        return None
    values = [exact(part) for part in node[1:] if isinstance(part, tuple)]
    known = [value for value in values if value is not None]
    return _rational(str(node[0]), known) if len(known) == len(values) else None


def _rational(operator: str, values: list[Fraction]) -> Fraction | None:
    first, second = values[0], values[-1]
    match operator:
        case "neg":
            return -first
        case "add":
            return first + second
        case "sub":
            return first - second
        case "mul":
            return first * second
        case "div":
            if second == 0:
                raise UnreadableError("division by zero")
            return first / second
        case "pow":
            return _rational_power(first, second)
        case "fact" if first.denominator == 1 and 0 <= first <= LARGEST_FACTORIAL:
            return Fraction(int(mp.factorial(0)) if first == 0 else _factorial(int(first)))
        case "binom" if first.denominator == second.denominator == 1:
            return _binomial(int(first), int(second))
    return None


def _factorial(n: int) -> int:
    import math

    return math.factorial(n)


def _binomial(n: int, k: int) -> Fraction | None:
    import math

    return Fraction(math.comb(n, k)) if 0 <= k <= n <= LARGEST_FACTORIAL else None


def _rational_power(base: Fraction, power: Fraction) -> Fraction | None:
    if power.denominator != 1 or (base == 0 and power <= 0):
        return None
    size = max(abs(base.numerator), base.denominator).bit_length()
    if size * abs(power) > LARGEST_BITS:
        return None
    return base ** int(power)


def value(node: Node, point: int) -> Any:
    """The value of a formula at a point, complex.

    Raises:
        UnreadableError: it is too large, or undefined there.
    """
    with mp.workdps(DIGITS):
        try:
            found = mpc(_value(node, point))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
            raise UnreadableError(str(error)) from error
    if not (mp.isfinite(found.real) and mp.isfinite(found.imag)):
        raise UnreadableError("not finite")
    return found


def same_value(first: Node, second: Node) -> bool:
    """Whether two formulas are equal.

    Raises:
        UnreadableError: that cannot be found out.
    """
    exactly = exact(first), exact(second)
    if exactly[0] is not None and exactly[1] is not None:
        return exactly[0] == exactly[1]
    count = POINTS if letters(first) or letters(second) else 1
    points = [*range(count), *([-1] if _has_bars(first) or _has_bars(second) else [])]
    return any(
        all(close(value(one, point), value(other, point)) for point in points)
        for one, other in zip(_readings(first), _readings(second), strict=False)
    )


def _readings(node: Node) -> list[Node]:
    """`\\log` without a base is the natural or the decimal one; both sides mean the same."""
    return [node, _decimal_log(node)]


def _decimal_log(node: Node) -> Node:
    if node[:2] == ("fn", "log"):
        return ("log", ("num", Fraction(10)), _decimal_log(node[2]))  # type: ignore[arg-type]
    return tuple(_decimal_log(part) if isinstance(part, tuple) else part for part in node)


def _has_bars(node: Node) -> bool:
    return node[:2] == ("fn", "abs") or any(
        _has_bars(part) for part in node if isinstance(part, tuple)
    )


def proportional(first: Node, second: Node, positive: bool) -> bool:
    """Whether one is a constant multiple of the other, so that both vanish at once.

    Raises:
        UnreadableError: that cannot be found out.
    """
    with mp.workdps(DIGITS):
        ratios = []
        for point in range(POINTS):
            below = value(second, point)
            if close(below, mpc(0)):
                raise UnreadableError("zero")
            ratios.append(value(first, point) / below)
        constant = all(close(one, ratios[0]) for one in ratios) and not close(ratios[0], mpc(0))
        return constant and (not positive or ratios[0].real > 0)


def close(first: Any, second: Any) -> bool:
    """Equal to 25 digits."""
    with mp.workdps(DIGITS):
        scale = max(abs(first), abs(second))
        return bool(abs(first - second) <= _CLOSE * max(scale, mpf(10) ** -20))


def _place(name: str, point: int) -> Any:
    """A fixed value between 0.5 and 2.5 for a letter, the same in every process.

    Point -1 is a negative one, for absolute values.
    """
    digest = hashlib.blake2b(f"{name}/{point}".encode(), digest_size=16).digest()
    place = mpf(1) / 2 + 2 * mpf(int.from_bytes(digest)) / mpf(2) ** 128
    return place if point >= 0 else -place


def _value(node: Node, point: int) -> Any:
    kind = node[0]
    if kind == "num":
        number = node[1]
        assert isinstance(number, Fraction)
        return mpf(number.numerator) / mpf(number.denominator)
    if kind == "var":
        return _place(str(node[1]), point)
    if kind == "const":
        return {"pi": mp.pi, "e": mp.e, "i": mpc(0, 1)}[str(node[1])] * 1
    if kind == "fn":
        return _function(str(node[1]), _value(node[2], point))  # type: ignore[arg-type]
    values = [_value(part, point) for part in node[1:] if isinstance(part, tuple)]
    return _bounded(_operate(str(kind), values))


def _operate(kind: str, values: list[Any]) -> Any:
    first, second = values[0], values[-1]
    match kind:
        case "neg":
            return -first
        case "add":
            return first + second
        case "sub":
            return first - second
        case "mul":
            return first * second
        case "div":
            return first / second
        case "pow":
            return _power(first, second)
        case "deg":
            return first * mp.pi / 180
        case "root":
            return _root(second, first)
        case "log":
            return mp.log(second) / mp.log(first)
        case "fact":
            return mp.gamma(_small(first) + 1)
        case "binom":
            return mp.binomial(_small(first), _small(second))
    raise UnreadableError(kind)


def _function(name: str, argument: Any) -> Any:
    if name in ("sinh", "cosh", "tanh", "exp", "sin", "cos", "tan", "cot", "sec", "csc"):
        argument = _small(argument)
    calls = {
        "ln": mp.log, "log": mp.log, "abs": abs, "floor": mp.floor, "ceil": mp.ceil,
        "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
    }  # fmt: skip
    return (calls.get(name) or getattr(mp, name))(argument)


def _root(argument: Any, degree: Any) -> Any:
    """The real root of a real number where there is one."""
    odd = mp.im(degree) == 0 and mp.isint(degree) and int(mp.re(degree)) % 2
    if odd and mp.im(argument) == 0 and mp.re(argument) < 0:
        return -mp.power(-mp.re(argument), 1 / degree)
    return mp.power(argument, 1 / mpc(degree)) if degree != 2 else mp.sqrt(argument)


def _power(base: Any, power: Any) -> Any:
    if base == 0:
        return mpf(0) if mp.re(power) > 0 else mpf(1) / (mp.re(power) if power else 1)
    if abs(power) * (abs(mp.log(base)) + 1) > LARGEST_EXPONENT:
        raise UnreadableError("too large")
    return mp.power(base, power)


def _small(argument: Any) -> Any:
    if abs(argument) > 1e6:
        raise UnreadableError("too large")
    return argument


def _bounded(number: Any) -> Any:
    if number != 0 and abs(mp.log(abs(number))) > LARGEST_EXPONENT:
        raise UnreadableError("too large")
    return number

"""Values and messages between a judge and the untrusted program it questions.

The other end may send anything. Invariant: decoding yields only plain data of exactly the types
listed here (or a `Remote` handle), whose equality no program can have redefined, or raises
`WireError`; it runs no code of the sender and its work is linear in the message.
"""

from __future__ import annotations

import json
import os
import sys
from collections import OrderedDict, deque, namedtuple
from importlib import import_module

TYPE_CHECKING = False  # as typing's, whose import would be a fifth of a sandbox's start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

LONGEST_MESSAGE: Final = 16 << 20
"""Bytes of one message; a larger one ends the conversation."""

MOST_NODES: Final = 2_000_000
"""Values in one message: `[[x] * 1000] * 1000 …` is small in memory and endless when written."""

DEEPEST: Final = 120
"""Levels of nesting."""

_JSON_SAFE_INT: Final = 1 << 63
_LENGTH_BYTES: Final = 8


class WireError(Exception):
    """A value cannot be sent, or what came is no message."""


class ClosedError(WireError):
    """The other end is gone."""


Remote = namedtuple("Remote", ["number", "type_name"])
"""A handle on an object that stays where it is: its number and its type's name."""


def encode(value: object, hold: Callable[[object], Remote]) -> Any:
    """Plain data as JSON values; subclasses of plain types become the plain type.

    `hold` keeps an object that is no plain data and gives its handle, or raises WireError.

    Raises:
        WireError: it is too deep, too large, or `hold` refuses a part of it.
    """
    return _Encoder(hold).encode(value, 0)


class _Encoder:
    def __init__(self, hold: Callable[[object], Remote]) -> None:
        self._hold = hold
        self._nodes = 0

    def encode(self, value: object, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise WireError("the value is too large")
        if depth > DEEPEST:
            raise WireError("the value is nested too deeply")
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if isinstance(value, str):
            return value if kind is str else str.__str__(value)
        if isinstance(value, int):
            return _integer(int.__index__(value))
        if isinstance(value, float):
            return {"f": float.__repr__(value)}
        if kind is list:
            return [self.encode(item, depth + 1) for item in value]  # type: ignore[attr-defined]
        return self._container(value, depth) or self._scalar(value) or self._array(value, depth)

    def _container(self, value: object, depth: int) -> Any:
        for tag, kind in _SEQUENCES:
            if isinstance(value, kind):
                return {tag: [self.encode(item, depth + 1) for item in kind.__iter__(value)]}
        if isinstance(value, dict):
            tag = "od" if isinstance(value, OrderedDict) else "d"
            return {
                tag: [
                    [self.encode(key, depth + 1), self.encode(item, depth + 1)]
                    for key, item in dict.items(value)
                ]
            }
        return None

    def _scalar(self, value: object) -> Any:
        if isinstance(value, bytes | bytearray):
            tag = "b" if isinstance(value, bytes) else "ba"
            return {tag: bytes(value).hex()}
        if isinstance(value, complex):
            return {"c": [float.__repr__(value.real), float.__repr__(value.imag)]}
        for tag, (module, name) in _TEXTS.items():
            if module in sys.modules and type(value) is getattr(sys.modules[module], name):
                return {tag: str(value) if tag in ("dec", "fr") else _time_text(value)}
        if type(value) is range:
            return {"r": [_integer(value.start), _integer(value.stop), _integer(value.step)]}
        datetime = sys.modules.get("datetime")
        if datetime is not None and type(value) is datetime.timedelta:
            return {"td": [value.days, value.seconds, value.microseconds]}  # type: ignore[attr-defined]
        return None

    def _array(self, value: object, depth: int) -> Any:
        """NumPy's scalars as Python's and its arrays as arrays, if NumPy is loaded at all."""
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(getattr(numpy, "generic", None), type):
            if isinstance(value, numpy.generic) and value.dtype.kind in "biufcSU":
                return self.encode(value.item(), depth + 1)
            if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufcSU":
                return {"np": [value.dtype.str, self.encode(value.tolist(), depth + 1)]}
        handle = self._hold(value)
        return {"o": [handle.number, handle.type_name]}


def decode(value: Any, found: Callable[[Remote], object]) -> Any:
    """The value that `encode` wrote; `found` gives what stands for a handle.

    Raises:
        WireError: it is not what `encode` writes.
    """
    try:
        return _decode(value, found, 0)
    except WireError:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise WireError(f"not a value: {type(error).__name__}") from None


def _decode(value: Any, found: Callable[[Remote], object], depth: int) -> Any:
    if depth > 2 * DEEPEST:
        raise WireError("the value is nested too deeply")
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, list):
        return [_decode(item, found, depth + 1) for item in value]
    if not isinstance(value, dict) or len(value) != 1:
        raise WireError("not a value")
    ((tag, content),) = value.items()
    if tag in _BUILDERS:
        return _BUILDERS[tag]([_decode(item, found, depth + 1) for item in content])
    if tag in ("d", "od"):
        pairs = [
            (_decode(key, found, depth + 1), _decode(item, found, depth + 1))
            for key, item in content
        ]
        return dict(pairs) if tag == "d" else OrderedDict(pairs)
    if tag == "np":
        return _decode_array(str(content[0]), _decode(content[1], found, depth + 1))
    if tag == "o":
        number, name = content
        if type(number) is not int or not isinstance(name, str):
            raise WireError("not a handle")
        return found(Remote(number, name[:80]))
    return _decode_scalar(tag, content)


def _decode_scalar(tag: str, content: Any) -> Any:
    if tag == "f":
        return float(content)
    if tag == "i":
        return int(content, 16)
    if tag == "c":
        return complex(float(content[0]), float(content[1]))
    if tag in ("b", "ba"):
        data = bytes.fromhex(content)
        return data if tag == "b" else bytearray(data)
    if tag == "r":
        return range(*[_decode(item, _no_handle, 0) for item in content])
    if tag == "td":
        days, seconds, micros = content
        return import_module("datetime").timedelta(days, seconds, micros)
    if tag not in _TEXTS:
        raise WireError("not a value")
    kind = getattr(import_module(_TEXTS[tag][0]), _TEXTS[tag][1])
    return (kind if tag in ("dec", "fr") else kind.fromisoformat)(_short(content))


def _decode_array(dtype: str, values: Any) -> Any:
    """An array where NumPy is installed; a list where it is not."""
    if dtype[1:2] not in tuple("biufcSU") or len(dtype) > 8:
        raise WireError("not an array")
    try:
        import numpy
    except ImportError:
        return values
    return numpy.array(values, dtype=dtype)


def _no_handle(handle: Remote) -> object:
    raise WireError("no handle may stand here")


def _short(text: Any) -> str:
    """A number's text, unless it asks for astronomic work, as `1e999999999` does."""
    if not isinstance(text, str) or len(text) > 4000:
        raise WireError("not a number")
    exponent = text.upper().partition("E")[2].lstrip("+-")
    if exponent.isdigit() and len(exponent) > 4:
        raise WireError("not a number that can be compared")
    return text


def _integer(value: int) -> Any:
    return value if -_JSON_SAFE_INT < value < _JSON_SAFE_INT else {"i": hex(value)}


def _time_text(value: Any) -> str:
    return str(value.isoformat())


_SEQUENCES: Final[tuple[tuple[str, Any], ...]] = (
    ("t", tuple), ("s", set), ("fs", frozenset), ("dq", deque), ("l", list),
)  # fmt: skip
_BUILDERS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "t": tuple, "s": set, "fs": frozenset, "dq": deque, "l": list,
}  # fmt: skip
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "dec": ("decimal", "Decimal"), "fr": ("fractions", "Fraction"),
    "dt": ("datetime", "datetime"), "date": ("datetime", "date"), "time": ("datetime", "time"),
}  # fmt: skip
"""Types that are written as text, by module and name: a module is loaded when one is met."""


class Channel:
    """Messages over two pipes: a length in eight bytes, then JSON."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._in, self._out = read_fd, write_fd
        # Held, so that a program that replaces them in `os` does not reach us.
        self._read, self._write = os.read, os.write

    def send(self, message: Any) -> None:
        """Write one message.

        Raises:
            WireError: it is too long or the other end is gone.
        """
        data = to_bytes(message)
        view = memoryview(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        try:
            while view:
                view = view[self._write(self._out, view) :]
        except OSError as error:
            raise ClosedError("the other end is gone") from error

    def receive(self) -> Any:
        """Wait for one message.

        Raises:
            WireError: what came is none, or the other end is gone.
        """
        length = int.from_bytes(self._exactly(_LENGTH_BYTES), "big")
        if length > LONGEST_MESSAGE:
            raise WireError("the message is too long")
        return from_bytes(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            try:
                data = self._read(self._in, min(count, 1 << 20))
            except OSError as error:
                raise ClosedError("the other end is gone") from error
            if not data:
                raise ClosedError("the other end is gone")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)


def to_bytes(message: Any) -> bytes:
    """A message as JSON.

    Raises:
        WireError: it is too long.
    """
    data = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(data) > LONGEST_MESSAGE:
        raise WireError("the message is too long")
    return data


def from_bytes(data: bytes) -> Any:
    """The message.

    Raises:
        WireError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("not a message") from None

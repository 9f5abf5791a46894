"""What stands in a judge's tests for the program's functions and objects.

The tests run here, out of the program's reach; calling a stand-in asks the other sandbox.
Invariant: a stand-in is never equal to plain data, whatever the program claims about its object,
and what a call returns is plain data or another stand-in.
"""

from __future__ import annotations

import builtins
from collections import deque

from explorer.verifiers.inside.wire import Channel, Remote, WireError, decode, encode

TYPE_CHECKING = False  # as typing's, see `wire`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Final


class Unsupported(BaseException):
    """The tests do what a stand-in cannot; a BaseException, so that no test catches it."""


class Hangup(BaseException):
    """The host's side is gone, or ended the program."""


class AnswerError(Exception):
    """The program raised something that is no ordinary exception, `SystemExit` for one."""


class Line:
    """The connection to the program, and what was last asked and answered."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.calls = 0
        self.last: Any = None
        self.has_last = False

    def ask(self, do: str, of: str | int, **rest: Any) -> Any:
        """One request.

        Raises:
            Exception: what the program raised, as the nearest built-in exception.
        """
        self.calls += 1
        self.has_last = False
        try:
            self._channel.send({"ask": {"do": do, "of": of, **rest}})
            reply = self._channel.receive()
        except WireError as error:
            raise Hangup from error
        self.last, self.has_last = _returned(reply, self._value), True
        self.changed = reply.get("changed") or []
        return self.last

    def call(self, of: str | int, places: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Call a function or an object; arguments that it changed in place are changed here."""
        result = self.ask(
            "call",
            of,
            args=[self.sent(one) for one in places],
            named=[[name, self.sent(one)] for name, one in named.items()],
        )
        arguments = [*places, *named.values()]
        for place, value in self.changed:
            _replace(arguments[place], self._value(value))
        return result

    def call_each(self, of: str, calls: list[list[Any]]) -> Iterator[Any]:
        """Call a function with each list of arguments at once, for many small cases.

        Yields:
            What it returned, or the exception that it raised, in order.
        """
        asked = [
            {"do": "call", "of": of, "args": [self.sent(one) for one in places], "named": []}
            for places in calls
        ]
        self.calls += len(asked)
        try:
            self._channel.send({"asks": asked})
            replies = self._channel.receive()
        except WireError as error:
            raise Hangup from error
        for reply in replies:
            try:
                yield _returned(reply, self._value)
            except Exception as error:
                yield error

    def sent(self, value: Any) -> Any:
        """An argument for the wire; a stand-in as the handle that it is."""
        if isinstance(value, Far):
            return {"o": [object.__getattribute__(value, "_of"), ""]}
        try:
            return encode(value, _refuse)
        except WireError as error:
            raise Unsupported(str(error)) from None

    def _value(self, value: Any) -> Any:
        try:
            return decode(value, lambda handle: Far(self, handle.number, handle.type_name))
        except WireError as error:
            raise AnswerError(f"the answer returned {error}") from None


class Far:
    """An object of the program: a name in its module (text) or something it gave out (number)."""

    __slots__ = ("_line", "_of", "_type_name")

    def __init__(self, line: Line, of: str | int, type_name: str = "") -> None:
        for name, value in (("_line", line), ("_of", of), ("_type_name", type_name)):
            object.__setattr__(self, name, value)

    def __call__(self, *places: Any, **named: Any) -> Any:
        return _line(self).call(_of(self), places, named)

    def __getattr__(self, name: str) -> Any:
        of = _of(self)
        if name == "__name__" and isinstance(of, str):
            return of
        if name.startswith("__"):
            raise AttributeError(name)
        return _line(self).ask("attribute", of, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise Unsupported("the tests set an attribute of the answer's object")

    def __iter__(self) -> Iterator[Any]:
        iterator = _line(self).ask("iterate", _of(self))
        while isinstance(iterator, Far):
            items = _line(self).ask("next", _of(iterator))
            if not isinstance(items, list) or not items:
                return
            yield items[0]
        raise TypeError("the answer's object cannot be iterated")

    def __next__(self) -> Any:
        items = _line(self).ask("next", _of(self))
        if not isinstance(items, list) or not items:
            raise StopIteration
        return items[0]

    def __getitem__(self, key: Any) -> Any:
        return _line(self).ask("item", _of(self), key=_line(self).sent(key))

    def __contains__(self, key: Any) -> bool:
        return _line(self).ask("contains", _of(self), key=_line(self).sent(key)) is True

    def __len__(self) -> int:
        length = _line(self).ask("length", _of(self))
        if type(length) is not int or length < 0:
            raise TypeError("the answer's object has no length")
        return length

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        kind = object.__getattribute__(self, "_type_name") or _of(self)
        return f"<the answer's {kind}>"


def _line(far: Far) -> Line:
    line: Line = object.__getattribute__(far, "_line")
    return line


def _of(far: Far) -> str | int:
    of: str | int = object.__getattribute__(far, "_of")
    return of


def _refuse(value: object) -> Remote:
    raise WireError(f"the tests pass an object of type {type(value).__name__}")


def _returned(reply: Any, value: Callable[[Any], Any]) -> Any:
    if not isinstance(reply, dict):
        raise AnswerError("no reply")
    if "error" in reply:
        raise _exception(reply["error"])
    return value(reply.get("ok"))


def _replace(argument: Any, now: Any) -> None:
    """Give an argument the content that the call left in it, where its type has one."""
    for kind in (list, bytearray):
        if isinstance(argument, kind) and isinstance(now, kind):
            argument[:] = now
    if isinstance(argument, dict | set | deque) and isinstance(now, dict | set | deque):
        argument.clear()
        (argument.extend if isinstance(argument, deque) else argument.update)(now)
    if isinstance(argument, tuple) and isinstance(now, tuple):
        for old, new in zip(argument, now, strict=False):
            _replace(old, new)


def _exception(error: Any) -> Exception:
    """The nearest built-in exception to what the program raised."""
    try:
        names, said = [str(name) for name in error[0]], str(error[1])
    except (TypeError, IndexError):
        return AnswerError("no reply")
    for name in names:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind not in _NEEDS_MORE:
            exact = name == names[0]
            return kind(said if exact else f"{names[0]}: {said}")
    return AnswerError(f"{names[0] if names else 'error'}: {said}")


_NEEDS_MORE: Final = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError,
                      BaseExceptionGroup, ExceptionGroup, StopIteration)  # fmt: skip
"""Exceptions that take other arguments than a text, or that mean something to our own frames."""

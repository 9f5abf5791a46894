"""The untrusted half: loads a model's program in a sandbox and lets it be questioned.

Nothing that is said here is believed: a program may rewrite this module while it runs. Invariant:
no expected answer ever comes here (but in the mode `whole`, which the verdict then admits), so
that the only way to pass is to give the right values.
"""

from __future__ import annotations

import itertools
import os
import sys

from explorer.verifiers.inside.confine import confine, silence
from explorer.verifiers.inside.wire import Channel, Remote, WireError, decode, encode

TYPE_CHECKING = False  # as typing's, see `wire`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType
    from typing import Any, Final

MODULE: Final = "answer"
"""What the program's module is called; not `__main__`: a function test is not a run of it."""

_MESSAGE_LENGTH: Final = 300


def main() -> None:
    """Read a job, take on its limits, and serve until the other side hangs up."""
    channel = Channel(*silence())
    job = channel.receive()
    confine(job)
    channel.send({"hello": 1})
    if job["mode"] == "programs":
        from explorer.verifiers.inside.programs import serve_programs

        serve_programs(channel, job)
        return
    try:
        module = _load(job)
        if job["mode"] == "whole":
            _run_tests(module, job)
            channel.send({"passed": job["nonce"]})
            return
    except BaseException as error:  # the program's own, SystemExit included
        channel.send({"error": _describe(error)})
        return
    channel.send({"ready": 1})
    try:
        _Server(vars(module)).serve(channel)
    except WireError:
        os._exit(0)


def _load(job: Mapping[str, Any]) -> ModuleType:
    module = type(sys)(MODULE)
    sys.modules[MODULE] = module
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    for text in (job["prelude"], job["source"]):
        exec(compile(text, f"<{MODULE}>", "exec", dont_inherit=True), vars(module))
    return module


def _run_tests(module: ModuleType, job: Mapping[str, Any]) -> None:
    names = vars(module)
    exec(compile(job["tests"], "<tests>", "exec", dont_inherit=True), names)
    if job["entry_point"] and "check" in names:
        names["check"](eval(job["entry_point"], names))


def _describe(error: BaseException) -> list[Any]:
    """The names of the error's classes, nearest first, and what it says."""
    try:
        said = str(error)[:_MESSAGE_LENGTH]
    except BaseException:
        said = ""
    names = [str(kind.__name__)[:80] for kind in type(error).__mro__[:10]]
    return [names, said.encode("utf-8", "replace").decode()]


class _Server:
    """Answers requests about the program's names and about objects it gave out."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._objects: dict[int, Any] = {}
        self._numbers = itertools.count(1)
        self._solution: Any = None
        self._operations: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "call": self._call,
            "method": self._method,
            "attribute": lambda asked: getattr(self._found(asked["of"]), asked["name"]),
            "iterate": lambda asked: iter(self._found(asked["of"])),
            "next": lambda asked: list(itertools.islice(self._found(asked["of"]), 1)),
            "item": lambda asked: self._found(asked["of"])[self._plain(asked["key"])],
            "length": lambda asked: len(self._found(asked["of"])),
            "contains": lambda asked: self._plain(asked["key"]) in self._found(asked["of"]),
        }

    def serve(self, channel: Channel) -> None:
        while True:
            asked = channel.receive()
            try:
                reply = self._operations[asked["do"]](asked)
                if asked["do"] not in ("call", "method"):
                    reply = {"ok": self._sent(reply)}
            except BaseException as error:
                reply = {"error": _describe(error)}
            try:
                channel.send(reply)
            except WireError as error:
                channel.send({"error": _describe(error)})

    def _call(self, asked: Mapping[str, Any]) -> Any:
        function = self._found(asked["of"])
        places = [self._plain(argument) for argument in asked["args"]]
        named = {name: self._plain(argument) for name, argument in asked["named"]}
        result = function(*places, **named)
        reply: dict[str, Any] = {"ok": self._sent(result)}
        before = [*asked["args"], *(argument for _, argument in asked["named"])]
        changed = self._changed([*places, *named.values()], before)
        if changed:
            reply["changed"] = changed
        return reply

    def _method(self, asked: Mapping[str, Any]) -> Any:
        """Call a method of the one object of class Solution, or a function of the module."""
        name, kind = asked["of"], self._names.get("Solution")
        if kind is not None and hasattr(kind, name):
            self._solution = self._solution or kind()
            function = getattr(self._solution, name)
        else:
            function = self._found(name)
        result = function(*[self._plain(argument) for argument in asked["args"]])
        return {"ok": self._sent(result)}

    def _changed(self, after: Iterable[Any], before: Iterable[Any]) -> list[Any]:
        """Arguments that the call changed in place, as [place, new value]."""
        changes = []
        for place, (value, sent) in enumerate(zip(after, before, strict=True)):
            if isinstance(sent, list | dict):
                now = encode(value, self._hold)
                if now != sent:
                    changes.append([place, now])
        return changes

    def _found(self, of: Any) -> Any:
        if isinstance(of, str):
            if of not in self._names:
                raise NameError(f"name '{of}' is not defined")
            return self._names[of]
        return self._objects[of]

    def _plain(self, value: Any) -> Any:
        return decode(value, lambda handle: self._objects[handle.number])

    def _sent(self, value: Any) -> Any:
        return encode(value, self._hold)

    def _hold(self, value: object) -> Remote:
        number = next(self._numbers)
        self._objects[number] = value
        return Remote(number, str(type(value).__name__)[:80])

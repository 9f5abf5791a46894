"""The trusted half: runs a data set's tests in a sandbox of its own, on stand-ins for the answer.

Invariant: what decides (the test code, the reference solution, the expected values, `==`) is in
this process alone; the answer's process can return values and cannot reach it.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections import namedtuple
from contextlib import suppress
from importlib import import_module

from explorer.verifiers.inside.confine import confine, silence
from explorer.verifiers.inside.far import AnswerError, Far, Hangup, Line, Unsupported
from explorer.verifiers.inside.wire import Channel

TYPE_CHECKING = False  # as typing's, see `wire`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Final

_TESTS: Final = "<tests>"
_SHOWN: Final = 160
_RELATIVE: Final = 1e-7
"""Relative difference of floats that HumanEval+ and MBPP+ accept beside the absolute one."""

_BATCH_BYTES: Final = 48_000
_BATCH_S: Final = 5.0

_FLOATS: Final = 1e-6
"""Their absolute one for floats where a problem gives none."""


class BrokenError(Exception):
    """The data set's own part of a test fails, so that nothing can be said of the answer."""


class MismatchError(AssertionError):
    """An answer's value is not the reference's."""


def main() -> None:
    """Read a job, run its tests, say how they went."""
    channel = Channel(*silence())
    job = channel.receive()
    confine(job)
    signal.signal(signal.SIGPROF, _alarm)
    channel.send({"hello": 1})
    line = Line(channel)
    with suppress(Hangup):
        channel.send(_judged(job, line))


def _judged(job: Mapping[str, Any], line: Line) -> dict[str, Any]:
    runs: dict[str, Callable[[Mapping[str, Any], Line], int]] = {
        "check": _run_script, "asserts": _run_script, "reference": _run_reference,
    }  # fmt: skip
    try:
        skipped = runs[job["kind"]](job, line)
    except Unsupported as error:
        return {"unsupported": str(error)[:_SHOWN]}
    except Hangup:
        raise
    except BrokenError as error:
        return {"broken": _brief_text(str(error))}
    except BaseException as error:
        what = _told(error, job["code"], line)
        return {"failed": what} if line.calls else {"broken": what}
    if not line.calls:  # then they have tested nothing
        return {"broken": "the tests never call the answer"}
    return {"passed": line.calls, "skipped": skipped}


def _run_script(job: Mapping[str, Any], line: Line) -> int:
    names = _namespace(job, line)
    exec(compile(job["code"], _TESTS, "exec", dont_inherit=True), names)
    if job["has_check"]:
        names["check"](eval(job["entry_point"], names))
    return 0


def _run_reference(job: Mapping[str, Any], line: Line) -> int:
    """Every case through the reference and the answer, on copies of the arguments.

    A case on which the reference itself raises, or takes half of an answer's time, is no test:
    early builds of EvalPlus hold inputs that break the problem's own contract. Returns how many.
    """
    import copy

    names = _module({"inf": math.inf, "nan": math.nan})
    exec(compile(f"{job['prelude']}\n{job['reference']}", "<reference>", "exec"), names)
    exec(compile(job["code"], _TESTS, "exec"), names)
    same = names.get("same")
    fault, judged = "", 0
    for batch in _batches(job, names):
        usable = [case for case in batch if not case.fault]
        fault = fault or next((case.fault for case in batch if case.fault), "")
        calls = [copy.deepcopy(case.arguments) for case in usable]
        for case, answer in zip(usable, line.call_each(job["entry_point"], calls), strict=True):
            judged += 1
            if isinstance(answer, Exception):
                raise MismatchError(f"{case.named} raised {_brief_error(answer)}")
            equal = agree(case.expected, answer, job["tolerance"]) or (
                same and same(case.expected, answer, copy.deepcopy(case.arguments))
            )
            if not equal:
                raise MismatchError(
                    f"{case.named} gave {_brief(answer)}, not {_brief(case.expected)}"
                )
    if not judged:
        raise BrokenError(fault or "there are no cases")
    return len(job["cases"]) - judged


_Case = namedtuple("_Case", ["named", "arguments", "expected", "fault"])
"""One input, how it is called in a report, what the reference makes of it or why it cannot."""


def _batches(job: Mapping[str, Any], names: dict[str, Any]) -> Iterator[list[_Case]]:
    """Cases in groups that are asked at once; small enough for a pipe to hold a group."""
    batch: list[_Case] = []
    size, start = 0, time.process_time()
    for number, text in enumerate(job["cases"]):
        batch.append(_case(number, text, job, names))
        size += 200 + 8 * len(text)
        if size > _BATCH_BYTES or time.process_time() - start > _BATCH_S:
            yield batch
            batch, size, start = [], 0, time.process_time()
    yield batch


def _case(number: int, text: str, job: Mapping[str, Any], names: dict[str, Any]) -> _Case:
    from copy import deepcopy

    arguments = eval(text, names)
    name = f"case {number + 1}: {job['entry_point']}({_brief(arguments)[1:-1]})"
    signal.setitimer(signal.ITIMER_PROF, job["limit_s"] / 2)
    try:
        return _Case(name, arguments, names[job["entry_point"]](*deepcopy(arguments)), "")
    except (Exception, _Late) as error:
        return _Case(name, arguments, None, f"{name}: the reference raises {error!r}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class _Late(BaseException):
    """The reference takes too long."""


def _alarm(number: int, frame: object) -> None:
    raise _Late("too slow")


def agree(expected: Any, answer: Any, tolerance: float) -> bool:
    """Equality as EvalPlus defines it: exact, but for floats near enough (rtol 1e-7)."""
    if type(answer) is Far:
        return False
    try:
        if bool(expected == answer):
            return True
    except Exception:
        return False
    near = tolerance or (_FLOATS if _all_floats(expected) else 0.0)
    return near > 0 and _near(expected, answer, near)


def _all_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, float) for one in value)
    return isinstance(value, float)


def _near(expected: Any, answer: Any, tolerance: float) -> bool:
    if isinstance(expected, list | tuple):
        return (
            type(answer) is type(expected)
            and len(answer) == len(expected)
            and all(_near(*pair, tolerance) for pair in zip(expected, answer, strict=True))
        )
    numbers = (int, float)
    if not isinstance(expected, numbers) or not isinstance(answer, numbers):
        return bool(expected == answer)
    if math.isnan(expected):
        return math.isnan(answer)
    return abs(expected - answer) <= tolerance + _RELATIVE * abs(expected)


def _namespace(job: Mapping[str, Any], line: Line) -> dict[str, Any]:
    """What the tests see: prelude and helpers as the data set has them, and the answer's names."""
    names = _module({})
    exec(compile(job["prelude"], "<prelude>", "exec", dont_inherit=True), names)
    with suppress(Exception):  # a prompt may only make sense as text
        exec(compile(job["helpers"], "<prompt>", "exec", dont_inherit=True), names)
    for name, module in job["modules"].items():
        if name not in names:
            names[name] = import_module(module)
    for name in job["answers"]:
        if name == job["root"] or name not in names:
            names[name] = Far(line, name)
    return names


def _module(more: Mapping[str, Any]) -> dict[str, Any]:
    module = type(sys)("tests")
    sys.modules["tests"] = module
    vars(module).update(more)
    return vars(module)


def _told(error: BaseException, code: str, line: Line) -> str:
    """Which test failed and how, in one short line of text."""
    if isinstance(error, MismatchError):
        return str(error)
    where = ""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == _TESTS:
            where = _statement(code, frame.tb_lineno)
        frame = frame.tb_next
    said = f"{type(error).__name__}: {_brief_text(str(error))}".rstrip(": ")
    if isinstance(error, AnswerError):
        said = _brief_text(str(error))
    gave = f"; the answer gave {_brief(line.last)}" if line.has_last else ""
    if isinstance(error, AssertionError):
        said = "failed" + (f": {_brief_text(str(error))}" if str(error) else "")
    return f"{where or 'the tests'}: {said}{gave}"


def _statement(code: str, number: int) -> str:
    lines = code.splitlines()
    return _brief_text(lines[number - 1].strip()) if number <= len(lines) else ""


def _brief(value: Any) -> str:
    try:
        return _brief_text(repr(value))
    except Exception:  # an integer of more digits than Python prints
        return f"a {type(value).__name__}"


def _brief_error(error: Exception) -> str:
    said = _brief_text(str(error))
    return said if isinstance(error, AnswerError) else f"{type(error).__name__}: {said}"


def _brief_text(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"

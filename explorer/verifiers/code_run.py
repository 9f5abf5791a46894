"""Runs an answer against its tests in sandboxes and says how that went.

Two sandboxes take part where the tests are code: the answer's, and the judge's, which runs the
tests and asks the answer's for values through us. Where the tests are inputs and outputs, the
comparison is made here. Invariant: expected values and test code never enter the answer's
sandbox, but for tests that need its very objects; the detail then says so.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any, Final

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.completion import Outcome
from explorer.verifiers.base import SANDBOX_FAILED, Decision
from explorer.verifiers.code_compare import same_output, same_value
from explorer.verifiers.code_names import needs, prompt_parts, root
from explorer.verifiers.confined import BreakdownError, Confined, EndedError, LimitError
from explorer.verifiers.inside.wire import Remote, WireError, decode, encode
from explorer.verifiers.sandbox import Isolation, Limits

SAME_PROCESS: Final = "judged inside the answer's own process"
"""Said of the verdicts that a hostile program could forge."""

DEFAULT_LIMIT_S: Final = 5.0
_JUDGE_S: Final = 60.0
_SHOWN: Final = 120
_LONGEST_DETAIL: Final = 400


def run(source: str, tests: CodeTests, isolation: Isolation, limits: Limits) -> Decision:
    """Whether a program passes; never raises for what the program does."""
    ways: dict[TestKind, Callable[[_Run], Decision]] = {
        TestKind.STDIN: _Run.programs,
        TestKind.FUNCTIONAL: _Run.values,
        TestKind.CHECK: _Run.script,
        TestKind.ASSERTS: _Run.script,
        TestKind.REFERENCE: _Run.script,
    }
    with ExitStack() as stack:
        try:
            decision = ways[tests.kind](_Run(source, tests, isolation, limits, stack))
        except (LimitError, EndedError) as error:
            decision = _wrong(str(error))
        except (BreakdownError, WireError) as error:
            decision = Decision(Outcome.UNDECIDED, f"{SANDBOX_FAILED}: {error}")
    return Decision(decision.outcome, _printable(decision.detail))


class _Run:
    """One answer and its tests; sandboxes are closed with the stack."""

    def __init__(
        self,
        source: str,
        tests: CodeTests,
        isolation: Isolation,
        limits: Limits,
        stack: ExitStack,
    ) -> None:
        self._source = source
        self._tests = tests
        self._isolation = isolation
        self._limits = limits
        self._stack = stack
        self._limit_s = tests.time_limit_s or DEFAULT_LIMIT_S

    def programs(self) -> Decision:
        """STDIN: one run per case, what it prints compared here."""
        answer = self._answer("programs")
        if wrong := self._loaded(answer):
            return wrong
        for number, case in enumerate(self._tests.cases):
            given = base64.b64encode(case.input.encode("utf-8", "surrogateescape")).decode()
            reply = self._reply(number, answer, {"run": given})
            if isinstance(reply, Decision):
                return reply
            if failed := _judge_output(reply, case, self._tests.tolerance):
                return _wrong(f"{self._case(number)}: {failed}")
        return self._passed()

    def values(self) -> Decision:
        """FUNCTIONAL: one call per case, what it returns compared here."""
        answer = self._answer("serve")
        if wrong := self._loaded(answer):
            return wrong
        name = self._tests.entry_point.rpartition(".")[2]
        for number, case in enumerate(self._tests.cases):
            try:
                arguments = [json.loads(line) for line in case.input.split("\n") if line.strip()]
                expected = json.loads(case.expected)
            except ValueError as error:
                return _undecided(f"{self._case(number)} is not JSON: {error}")
            asked = {"do": "method", "of": name, "args": [encode(a, _refuse) for a in arguments]}
            reply = self._reply(number, answer, asked)
            if isinstance(reply, Decision):
                return reply
            if failed := _judge_value(reply, expected, self._tests.tolerance):
                return _wrong(f"{self._case(number)}: {failed}")
        return self._passed()

    def script(self) -> Decision:
        """CHECK, ASSERTS, REFERENCE: the judge's sandbox runs the tests and asks for values."""
        answer, judge = self._answer("serve"), self._judge()
        if wrong := self._loaded(answer):
            return wrong
        judge.greeted()
        left_s = self._limit_s
        while True:
            told = _from_judge(judge)
            if "asks" in told:
                _to_judge(judge, self._answers(answer, told["asks"]))
                continue
            if "ask" not in told:
                return self._ruled(told)
            start = time.monotonic()
            reply = answer.exchange(told["ask"], max(left_s, 0.05))
            left_s -= time.monotonic() - start
            _to_judge(judge, reply)

    def _answers(self, answer: Confined, asks: list[Any]) -> list[Any]:
        """Replies to calls that were handed over at once; the limit is that of each."""
        for asked in asks:
            answer.send(asked, self._limit_s)
        return [answer.receive(self._limit_s) for _ in asks]

    def _ruled(self, told: dict[str, Any]) -> Decision:
        if "passed" in told:
            skipped, cases = told.get("skipped", 0), len(self._tests.cases)
            note = f"without {skipped} of {cases} cases, on which the reference fails"
            return Decision(Outcome.CORRECT, note if skipped else "")
        if "unsupported" in told:
            return self._whole(str(told["unsupported"]))
        if "failed" in told:
            return _wrong(str(told["failed"]))
        return _undecided(f"the tests themselves fail: {told.get('broken')}")

    def _whole(self, why: str) -> Decision:
        """Tests and answer in one process, for tests that need the answer's very objects."""
        nonce = secrets.token_hex(16)
        tests = self._tests
        answer = self._start("runner", 2)
        answer.begin(
            {
                "mode": "whole", "source": self._source, "prelude": tests.prelude,
                "tests": tests.code, "entry_point": tests.entry_point, "nonce": nonce,
            },
            self._limit_s,
        )  # fmt: skip
        answer.greeted()
        told = answer.receive(self._limit_s)
        remark = f"{SAME_PROCESS}, since {why}"
        if told == {"passed": nonce}:
            return Decision(Outcome.CORRECT, remark)
        return _wrong(f"{_error(told)} ({remark})")

    def _answer(self, mode: str) -> Confined:
        answer = self._start("runner", 0)
        job = {"mode": mode, "source": self._source, "prelude": self._tests.prelude}
        answer.begin(job, self._limit_s)
        return answer

    def _judge(self) -> Confined:
        tests = self._tests
        need = needs(tests.code, tests.entry_point)
        judge = self._start("judge", 1, replace(self._limits, memory=self._limits.resident))
        judge.begin(
            {
                "mode": "judge", "kind": tests.kind.value, "entry_point": tests.entry_point,
                "helpers": prompt_parts(tests.prompt).helpers, "prelude": tests.prelude,
                "code": tests.code, "root": root(tests.entry_point), "modules": need.modules,
                "answers": need.answers, "has_check": need.has_check,
                "reference": tests.reference, "tolerance": tests.tolerance,
                "limit_s": self._limit_s,
                "cases": [case.input for case in tests.cases],
            },
            10 * _JUDGE_S,
        )  # fmt: skip
        return judge

    def _start(self, module: str, place: int, limits: Limits | None = None) -> Confined:
        confined = Confined(module, self._isolation, limits or self._limits, place)
        return self._stack.enter_context(closing(confined))

    def _loaded(self, answer: Confined) -> Decision | None:
        """Wait until the program is loaded; the verdict if it cannot be."""
        answer.greeted()
        told = answer.receive(self._limit_s)
        return None if told == {"ready": 1} else _wrong(f"does not load: {_error(told)}")

    def _reply(self, number: int, answer: Confined, asked: Any) -> Any:
        """The reply, or the verdict where the program broke a limit or ended in this case."""
        try:
            return answer.exchange(asked, self._limit_s)
        except (LimitError, EndedError) as error:
            return _wrong(f"{self._case(number)}: {error}")

    def _case(self, number: int) -> str:
        return f"case {number + 1} of {len(self._tests.cases)}"

    def _passed(self) -> Decision:
        if not self._tests.cases:
            return _undecided("the problem has no test cases")
        return Decision(Outcome.CORRECT)


def _from_judge(judge: Confined) -> dict[str, Any]:
    """The judge's next message; whatever is wrong with the judge is no fault of the answer."""
    try:
        told = judge.receive(_JUDGE_S)
    except (LimitError, EndedError) as error:
        raise BreakdownError(f"the judge of the tests: {error}") from error
    if not isinstance(told, dict):
        raise BreakdownError("the judge of the tests said nothing")
    return told


def _to_judge(judge: Confined, reply: Any) -> None:
    try:
        judge.send(reply, _JUDGE_S)
    except (LimitError, EndedError) as error:
        raise BreakdownError(f"the judge of the tests: {error}") from error


def _judge_output(reply: Any, case: TestCase, tolerance: float) -> str:
    """What is wrong with a run, '' if nothing."""
    try:
        data = base64.b64decode(reply["out"])
        too_long, status = bool(reply["too_long"]), int(reply["status"])
    except (KeyError, TypeError, ValueError):
        return _error(reply)
    if too_long:
        return "output limit"
    if status:
        return f"the program ended with {'signal' if status < 0 else 'exit code'} {abs(status)}"
    printed = data.decode("utf-8", "replace")
    if same_output(case.expected, printed, tolerance):
        return ""
    return f"printed {_short(printed)}, not {_short(case.expected)}"


def _judge_value(reply: Any, expected: Any, tolerance: float) -> str:
    if not isinstance(reply, dict) or "ok" not in reply:
        return _error(reply)
    try:
        value = decode(reply["ok"], _Foreign)
    except WireError as error:
        return f"returned {error}"
    if same_value(expected, value, tolerance):
        return ""
    return f"returned {_short(value)}, not {_short(expected)}"


class _Foreign:
    """Stands for an object that is no plain data: equal to nothing."""

    def __init__(self, handle: Remote) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return f"<an object of type {self._handle.type_name}>"


def _refuse(value: object) -> Remote:
    raise WireError(f"a test case holds an object of type {type(value).__name__}")


def _error(told: Any) -> str:
    """`NameError: name 'x' is not defined`, from a runner's report of an error."""
    try:
        names, said = told["error"]
        return f"{names[0]}: {said}".rstrip(": ")[:_LONGEST_DETAIL]
    except (KeyError, TypeError, ValueError, IndexError):
        return "the program broke the protocol"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _printable(text: str) -> str:
    text = "".join(one if one.isprintable() else "�" for one in text[:_LONGEST_DETAIL])
    return text.strip()


def _wrong(detail: str) -> Decision:
    return Decision(Outcome.WRONG, detail)


def _undecided(detail: str) -> Decision:
    return Decision(Outcome.UNDECIDED, detail)

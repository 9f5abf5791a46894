"""Verifiers in worker processes with a time limit: checking mathematics can hang or crash.

Invariant: every question gets a Decision, never an exception; what timed out or killed its worker
is undecided and says so. A worker also arms an alarm of its own with the system's default action,
so that even one stuck inside C code outlives neither its limit nor a sampler that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NamedTuple, Self

from pebble import ProcessExpired, ProcessPool

from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers import sandbox
from explorer.verifiers.base import NO_SANDBOX, SANDBOX_FAILED, Decision, Patient
from explorer.verifiers.registry import get

TIMED_OUT = "timed out after"
DIED = "the checking process died"
FAILED = "the verifier failed"
CLOSED = "the verifier pool was closed"

_TRANSIENT = (TIMED_OUT, DIED, FAILED, CLOSED, NO_SANDBOX, SANDBOX_FAILED)
_REMEMBERED = 100_000
_GRACE_S = 2.0
_HEALTH_CHECK_S = 1.0
_MOST_BREAKS = 3
_MEMORY_BYTES = 4 << 30
_MOST_WORKERS = 16
"""Each holds a computer algebra system, some 100 MB; more would cost more than they bring."""


class _Key(NamedTuple):
    dataset: str
    name: str
    gold: str
    answer: str
    verifier: str
    version: str
    extra: str
    tests: str


def usable_cores() -> int:
    """Cores that this process may use, at most `_MOST_WORKERS`."""
    with contextlib.suppress(AttributeError):  # not on macOS
        return min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
    return min(_MOST_WORKERS, os.cpu_count() or 1)


def is_lasting(decision: Decision) -> bool:
    """Whether a decision would come out the same again: not a timeout, crash or shutdown."""
    return not decision.detail.startswith(_TRANSIENT)


@dataclass(slots=True)
class _Question:
    """A question under way: which pool has it, and how often pools broke under it."""

    key: _Key
    problem: Problem
    promise: Future[Decision]
    pool: ProcessPool
    limit_s: float
    breaks: int = 0


class VerifierPool:
    """Decides answers in `workers` processes (0: all cores), each within `timeout_s` seconds.

    Processes start with the first question that needs one. Safe to use from several threads and
    from an asyncio loop. Equal questions are asked once, also while the first is under way.
    """

    def __init__(
        self, workers: int = 0, timeout_s: float = 5.0, *, code_unprotected: bool = False
    ) -> None:
        """Prepare; `code_unprotected` lets model code run where no sandbox can be had."""
        self._workers = workers if workers > 0 else usable_cores()
        self._timeout_s = timeout_s
        self._code_unprotected = code_unprotected
        if code_unprotected:
            sandbox.permit_unprotected()
        self._pool: ProcessPool | None = None
        self._closed = False
        self._lock = threading.Lock()
        """Protects the pool's creation, the memo and the questions under way."""
        self._memo: OrderedDict[_Key, Decision] = OrderedDict()
        self._under_way: dict[_Key, _Question] = {}
        self._retiring: list[threading.Thread] = []

    async def decide(self, problem: Problem, verifier_name: str, answer: str) -> Decision:
        """The decision about one answer, without blocking the loop.

        Raises:
            SettingsError: there is no such verifier.
        """
        asked = self._ask(problem, verifier_name, answer)
        if isinstance(asked, Decision):
            return asked
        waiting = asyncio.wrap_future(asked)
        while True:
            # `wait` leaves the future alone: a caller that is cancelled must not take the
            # answer from others who wait for it.
            done, _ = await asyncio.wait([waiting], timeout=_HEALTH_CHECK_S)
            if done:
                return waiting.result()
            self._heal()

    def decide_many(self, questions: Iterable[tuple[Problem, str, str]]) -> list[Decision]:
        """The decisions about (problem, verifier name, answer) in order; blocks.

        Raises:
            SettingsError: there is no such verifier.
        """
        asked = [self._ask(*question) for question in questions]
        return [one if isinstance(one, Decision) else self._await(one) for one in asked]

    def close(self) -> None:
        """End all workers at once; open questions become undecided. May be called twice."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
            retiring, self._retiring = self._retiring, []
        if pool is not None:
            _end(pool)
        for thread in retiring:
            thread.join()
        for question in list(self._under_way.values()):
            self._settle(question, Decision(Outcome.UNDECIDED, CLOSED))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(
        self, problem: Problem, verifier_name: str, answer: str
    ) -> Decision | Future[Decision]:
        verifier = get(verifier_name)
        quick = verifier.quick(problem, answer)
        if quick is not None:
            return quick
        key = _Key(
            problem.dataset,
            problem.name,
            problem.gold,
            answer,
            verifier_name,
            verifier.version,
            repr(sorted(problem.extra.items(), key=str)),
            problem.tests.digest if problem.tests else "",
        )
        with self._lock:
            if key in self._memo:
                self._memo.move_to_end(key)
                return self._memo[key]
            if key in self._under_way:
                return self._under_way[key].promise
            if self._closed:
                return Decision(Outcome.UNDECIDED, CLOSED)
            portable = replace(problem, extra=dict(problem.extra))
            limit_s = self._timeout_s
            if isinstance(verifier, Patient):
                limit_s = max(limit_s, verifier.longest_s(problem))
            question = _Question(key, portable, Future(), self._started(), limit_s)
            self._under_way[key] = question
        self._schedule(question)
        return question.promise

    def _await(self, promise: Future[Decision]) -> Decision:
        while True:
            try:
                return promise.result(timeout=_HEALTH_CHECK_S)
            except FutureTimeoutError:
                self._heal()

    def _started(self) -> ProcessPool:
        """The pool, made at first use; the caller holds the lock."""
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=_prepare_worker,
                initargs=(self._code_unprotected,),
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool

    def _schedule(self, question: _Question) -> None:
        pool, key = question.pool, question.key
        arguments = (key.verifier, question.problem, key.answer, question.limit_s + _GRACE_S)
        try:
            future = pool.schedule(_decide_in_worker, args=arguments, timeout=question.limit_s)
        except RuntimeError:  # the pool broke, or was closed after we took it
            self._replace(pool)
            return
        future.add_done_callback(lambda done: self._finish(question, pool, done))

    def _finish(self, question: _Question, pool: ProcessPool, done: Future[Decision]) -> None:
        try:
            decision = done.result()
        except BrokenProcessPool:
            self._replace(pool)
            return
        except (FutureTimeoutError, TimeoutError):
            decision = self._undecided(f"{TIMED_OUT} {question.limit_s:g} s")
        except CancelledError:
            decision = self._undecided(CLOSED)
        except ProcessExpired as error:
            stuck = error.exitcode == -signal.SIGALRM
            late = f"{TIMED_OUT} {question.limit_s:g} s"
            decision = self._undecided(late if stuck else f"{DIED} ({error.exitcode})")
        except Exception as error:  # whatever a verifier raises is about one answer, not about us
            decision = self._undecided(f"{FAILED}: {type(error).__name__}: {error}")
        self._settle(question, decision)

    def _heal(self) -> None:
        """Replace a pool that broke unnoticed: pebble gives up when an idle worker dies."""
        with self._lock:
            pool = self._pool
        if pool is not None and not pool.active:
            self._replace(pool)

    def _replace(self, broken: ProcessPool) -> None:
        """Start anew and ask again what the broken pool had, but not for ever."""
        with self._lock:
            if self._pool is broken:
                self._pool = None
                # On a thread of its own: this may be a thread of the pool that must end.
                thread = threading.Thread(target=_end, args=(broken,), name="retire-verifiers")
                thread.start()
                self._retiring.append(thread)
            lost = [one for one in self._under_way.values() if one.pool is broken]
            for question in lost:
                question.breaks += 1
                if not self._closed and question.breaks < _MOST_BREAKS:
                    question.pool = self._started()
        for question in lost:
            if self._closed:
                self._settle(question, self._undecided(CLOSED))
            elif question.pool is broken:
                self._settle(question, self._undecided(DIED))
            else:
                self._schedule(question)

    def _settle(self, question: _Question, decision: Decision) -> None:
        with self._lock:
            if self._under_way.pop(question.key, None) is None:
                return
            if is_lasting(decision) or decision.detail.startswith(TIMED_OUT):
                self._memo[question.key] = decision
                if len(self._memo) > _REMEMBERED:
                    self._memo.popitem(last=False)
        question.promise.set_result(decision)

    @staticmethod
    def _undecided(detail: str) -> Decision:
        return Decision(Outcome.UNDECIDED, detail)


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _prepare_worker(code_unprotected: bool) -> None:
    """Leave interrupts to the parent, bound the memory, and pay for the imports at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if code_unprotected:
        sandbox.permit_unprotected()
    import math_verify  # noqa: F401


def _decide_in_worker(
    verifier_name: str, problem: Problem, answer: str, deadline_s: float
) -> Decision:
    signal.setitimer(signal.ITIMER_REAL, deadline_s)
    try:
        return get(verifier_name).decide(problem, answer)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

"""The verifier pool: real processes that hang, die and are cleaned up."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.errors import SettingsError
from explorer.verifiers.base import Decision
from explorer.verifiers.grading import grade, grade_many
from explorer.verifiers.pool import VerifierPool, is_lasting

FIVE = Problem("test", "five", "", "5")
TOWER = r"9^{9^{9^{9}}}"
"""A power tower that no computer writes out: checking it hangs inside one C call."""


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    with VerifierPool(workers=1, timeout_s=60) as one:
        yield one


def children() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


async def test_decides_in_a_worker_and_shares_what_is_under_way(pool: VerifierPool) -> None:
    questions = [pool.decide(FIVE, "math", r"\frac{20}{4}") for _ in range(20)]
    decisions = await asyncio.gather(*questions, pool.decide(FIVE, "math", "5 + y"))
    assert {one.outcome for one in decisions[:20]} == {Outcome.CORRECT}
    assert decisions[20].outcome is Outcome.WRONG


async def test_a_cancelled_caller_does_not_take_the_answer_from_others(pool: VerifierPool) -> None:
    first = asyncio.create_task(pool.decide(FIVE, "math", r"\sqrt{25}"))
    second = asyncio.create_task(pool.decide(FIVE, "math", r"\sqrt{25}"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).outcome is Outcome.CORRECT


def test_unknown_verifier_is_a_settings_error(pool: VerifierPool) -> None:
    with pytest.raises(SettingsError):
        pool.decide_many([(FIVE, "maths", "5")])


def test_plain_answers_need_no_worker() -> None:
    before = children()
    with VerifierPool(workers=1, timeout_s=60) as pool:
        decisions = pool.decide_many((FIVE, "math", str(i)) for i in range(10_000))
        assert children() == before
    assert sum(one.outcome is Outcome.CORRECT for one in decisions) == 1


def test_a_hanging_check_is_killed_and_the_next_one_works() -> None:
    before = children()
    with VerifierPool(workers=1, timeout_s=2) as pool:
        hung, fine = pool.decide_many([(FIVE, "math", TOWER), (FIVE, "math", "2+3")])
        assert hung == Decision(Outcome.UNDECIDED, "timed out after 2 s")
        assert not is_lasting(hung)
        assert fine.outcome is Outcome.CORRECT
    assert children() <= before


async def test_a_worker_that_is_killed_is_undecided_and_replaced() -> None:
    before = children()
    with VerifierPool(workers=1, timeout_s=60) as pool:
        await pool.decide(FIVE, "math", "1+x")
        waiting = asyncio.create_task(pool.decide(FIVE, "math", TOWER))
        (worker,) = children() - before
        await until_busy(worker)
        os.kill(worker, signal.SIGKILL)
        decision = await waiting
        assert decision.outcome is Outcome.UNDECIDED
        assert decision.detail.startswith("the checking process died")
        assert (await pool.decide(FIVE, "math", "3+2")).outcome is Outcome.CORRECT
    assert children() <= before


async def test_an_idle_worker_that_is_killed_costs_nothing() -> None:
    before = children()
    with VerifierPool(workers=2, timeout_s=60) as pool:
        await pool.decide(FIVE, "math", "1+x")
        for worker in children() - before:
            os.kill(worker, signal.SIGKILL)
        assert (await pool.decide(FIVE, "math", "4+1")).outcome is Outcome.CORRECT
    assert children() <= before


async def test_closing_answers_what_is_open_and_leaves_no_process() -> None:
    before = children()
    pool = VerifierPool(workers=1, timeout_s=60)
    await pool.decide(FIVE, "math", "1+x")
    waiting = asyncio.create_task(pool.decide(FIVE, "math", TOWER))
    (worker,) = children() - before
    await until_busy(worker)
    await asyncio.to_thread(pool.close)
    assert (await waiting).outcome is Outcome.UNDECIDED
    assert children() <= before
    pool.close()
    assert (await pool.decide(FIVE, "math", "6-1")).detail == "the verifier pool was closed"
    assert (await pool.decide(FIVE, "math", "5")).outcome is Outcome.CORRECT


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for orphans in /proc")
def test_a_killed_parent_leaves_no_hung_worker() -> None:
    program = (
        "import multiprocessing, os, signal, threading\n"
        "from explorer.core.problem import Problem\n"
        "from explorer.verifiers.pool import VerifierPool\n"
        "pool = VerifierPool(workers=1, timeout_s=4)\n"
        "problem = Problem('d', 'p', '', '5')\n"
        "pool.decide_many([(problem, 'math', '1+x')])\n"
        "pids = [child.pid for child in multiprocessing.active_children()]\n"
        "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
        "print(*pids, flush=True)\n"
        f"pool.decide_many([(problem, 'math', r'{TOWER}')])\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    assert parent.returncode == -signal.SIGKILL
    (worker,) = map(int, parent.stdout.split())
    deadline = time.monotonic() + 60
    while is_running(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.1)


async def test_grading_extracts_recalls_and_keeps(pool: VerifierPool) -> None:
    kept: dict[str, Decision] = {}
    known = {"7": Decision(Outcome.CORRECT, "from the store")}
    boxed = await grade(r"so \boxed{2+3}", FIVE, pool, known.get, kept.__setitem__)
    assert (boxed.outcome, boxed.answer, boxed.method) == (Outcome.CORRECT, "2+3", "boxed")
    assert boxed.verifier == "math"
    assert boxed.version.startswith("math-")
    recalled = await grade("The answer is 7.", FIVE, pool, known.get, kept.__setitem__)
    assert (recalled.outcome, recalled.detail) == (Outcome.CORRECT, "from the store")
    nothing = await grade("I cannot tell", FIVE, pool, known.get, kept.__setitem__)
    assert (nothing.outcome, nothing.detail) == (Outcome.UNDECIDED, "no answer found")
    assert set(kept) == {"2+3", ""}


def test_grading_many_asks_each_distinct_answer_once(pool: VerifierPool) -> None:
    asked: list[str] = []

    def recall(answer: str) -> Decision | None:
        asked.append(answer)
        return None

    texts = [r"\boxed{5}", r"\boxed{6}", "it is 5", r"\boxed{5}"]
    verdicts = grade_many(texts, FIVE, pool, recall)
    assert [one.outcome.value for one in verdicts] == ["correct", "wrong", "correct", "correct"]
    assert [one.method for one in verdicts] == ["boxed", "boxed", "last-number", "boxed"]
    assert asked == ["5", "6"]


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


async def until_busy(pid: int) -> None:
    """Wait until a worker has started to compute: its CPU time grows while it hangs."""
    if not os.path.isdir("/proc/self"):
        await asyncio.sleep(1)
        return
    start = cpu_ticks(pid)
    deadline = time.monotonic() + 60
    while cpu_ticks(pid) < start + 20:
        assert time.monotonic() < deadline, "the worker never started"
        await asyncio.sleep(0.02)


def cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

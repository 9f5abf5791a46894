"""The verifier 'code' on honest answers: every kind of test, and what a judge can see of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.completion import Outcome
from explorer.diagnosis import examine
from explorer.errors import SettingsError
from explorer.settings.reader import load
from explorer.settings.records import UNPROTECTED
from explorer.verifiers import sandbox
from explorer.verifiers.base import NO_SANDBOX, Decision
from explorer.verifiers.code import CodeVerifier
from explorer.verifiers.code_compare import same_output, same_value
from explorer.verifiers.code_run import run
from explorer.verifiers.pool import VerifierPool, is_lasting
from explorer.verifiers.sandbox import Found, Isolation, Limits
from tests.unit.code_problems import (
    ADD,
    check,
    functional,
    judged,
    needs_sandbox,
    problem,
    stdin,
)


def asserts(code: str, entry_point: str = "", prelude: str = "") -> CodeTests:
    return CodeTests(
        TestKind.ASSERTS, entry_point=entry_point, code=code, prelude=prelude, time_limit_s=2.0
    )


RIGHT = [
    pytest.param(
        asserts("assert set(f([1, 2])) == {1, 2}\nassert f(()) == []"), "def f(x): return list(x)",
        id="a name that only the tests mention",
    ),
    pytest.param(
        asserts("import math\nassert math.isclose(f(0.1), 0.3)"), "def f(x): return x + 0.2",
        id="floats",
    ),
    pytest.param(
        asserts("assert math.isclose(f(), 1)\nassert np.allclose(f(), 1)"), "def f(): return 1.0",
        id="modules that nobody imported",
    ),
    pytest.param(
        asserts("a = [3, 1]\nassert f(a) is None\nassert a == [1, 3]"), "def f(x): x.sort()",
        id="an argument changed in place",
    ),
    pytest.param(
        asserts("d = {'a': [1]}\ns = {1}\nf(d, s)\nassert d == {'a': [1, 2]}\nassert s == {1, 2}"),
        "def f(d, s):\n    d['a'].append(2)\n    s.add(2)",
        id="a dict and a set changed in place",
    ),
    pytest.param(
        asserts("s = Solution()\nassert s.go(**{'x': 1}) == 2\nassert Solution().go(2) == 3"),
        "class Solution:\n    def go(self, x): return x + 1",
        id="a method",
    ),
    pytest.param(
        asserts("b = Box(3)\nassert b.content == 3\nb.put(4)\nassert b.content == 4\n"
                "assert total([Box(1), Box(2)]) == 3"),
        "class Box:\n    def __init__(self, x): self.content = x\n"
        "    def put(self, x): self.content = x\n"
        "def total(boxes): return sum(b.content for b in boxes)",
        id="objects of the answer's class",
    ),
    pytest.param(
        asserts("assert list(f()) == [0, 1, 2]\ng = f()\nassert next(g) == 0\nassert sum(g) == 3"),
        "def f(): yield from range(3)",
        id="a generator",
    ),
    pytest.param(
        asserts("try:\n    f(0)\nexcept ZeroDivisionError as e:\n    assert 'zero' in str(e)\n"
                "else:\n    assert False"),
        "def f(x): return 1 // x",
        id="an exception that is asked for",
    ),
    pytest.param(
        asserts("import collections, decimal, fractions, datetime\n"
                "assert f() == [(1, 2.5), {1, 'a'}, {'k': None}, b'x', 1 + 2j, frozenset([1]),"
                " 10 ** 30, True, 'ü\\ud800', float('inf'), range(3), collections.deque([1]),"
                " decimal.Decimal('1.10'), fractions.Fraction(1, 3), datetime.date(2024, 2, 29),"
                " datetime.timedelta(1), collections.OrderedDict(a=1)]\n"
                "assert type(f()[0]) is tuple and f()[7] is True"),
        "import collections, decimal, fractions, datetime\n"
        "def f(): return [(1, 2.5), {1, 'a'}, {'k': None}, b'x', 1 + 2j, frozenset([1]), 10 ** 30,"
        " True, 'ü\\ud800', float('inf'), range(3), collections.deque([1]),"
        " decimal.Decimal('1.10'), fractions.Fraction(1, 3), datetime.date(2024, 2, 29),"
        " datetime.timedelta(1), collections.OrderedDict(a=1)]",
        id="every plain type",
    ),
    pytest.param(
        asserts("import numpy as np\nassert f() == 6\nassert (g() == np.array([1, 2])).all()"),
        "import numpy as np\ndef f(): return np.int64(6)\ndef g(): return np.array([1, 2])",
        id="NumPy",
    ),
    pytest.param(
        asserts("assert bool(f('ab')) is True\nassert not f('b')"),
        "import re\ndef f(x): return re.match('a', x)",
        id="an object that is only asked whether it is there",
    ),
    pytest.param(
        asserts("assert f([TreeNode(1)]) == 1",
                prelude="class TreeNode:\n    def __init__(self, v): self.v = v"),
        "def f(nodes): return nodes[0].v",
        id="objects of the tests' class, judged inside",
    ),
    pytest.param(
        check("def check(candidate):\n    assert double(2) == 4 == candidate(2)", "twice",
              prompt="def double(x):\n    return 2 * x\n\ndef twice(x):\n    '''.'''\n"),
        "    return double(x)",
        id="a helper in the prompt",
    ),
    pytest.param(
        check("def check(candidate):\n    assert candidate(1) == 2\n\ncheck(Solution().go)",
              "Solution().go"),
        "class Solution:\n    def go(self, x): return x + 1",
        id="an entry point that is an expression",
    ),
    pytest.param(stdin(("1 2", "3"), ("2 2\n", "4\n\n")),
                 "print(sum(map(int, input().split())))", id="stdin"),
    pytest.param(stdin(("5", "5")), "import sys\nprint(sys.stdin.read())\nexit(1)",
                 id="stdin, ended by exit"),
    pytest.param(stdin(("5", "5")), "print(open('/dev/stdin').read())", id="stdin as a file"),
    pytest.param(stdin(("5", "5")),
                 "import threading\nthreading.Thread(target=lambda: print(input())).start()",
                 id="stdin, answered by a thread"),
    pytest.param(stdin(("5", "5")), "if __name__ == '__main__':\n    print(input())",
                 id="stdin, guarded"),
    pytest.param(functional("f", ("[1, 2]\n2", "[[1, 2], 2]")), "def f(a, b): return a, b",
                 id="a tuple where JSON has a list"),
    pytest.param(functional("go", ("1", "2"), ("2", "3")),
                 "class Solution:\n    def go(self, x): return x + 1", id="functional, a method"),
    pytest.param(
        CodeTests(TestKind.REFERENCE, entry_point="f", reference="def f(x): return 1 / x",
                  cases=tuple(TestCase(text) for text in ("[3]", "[inf]", "[0]")), tolerance=1e-6),
        "def f(x): return 1.00000001 / x if x else 'no test'",
        id="a reference, near enough, without the case on which it fails itself",
    ),
    pytest.param(
        CodeTests(TestKind.REFERENCE, entry_point="f", reference="def f(x): return {x}",
                  cases=(TestCase("[1]"),), code="def same(e, a, args): return list(e) == a"),
        "def f(x): return [x]",
        id="a reference with a comparison of its own",
    ),
]  # fmt: skip


@needs_sandbox
@pytest.mark.parametrize(("tests", "answer"), RIGHT)
def test_a_right_answer_is_correct(tests: CodeTests, answer: str) -> None:
    decision = CodeVerifier().decide(problem(tests), answer)
    assert decision.outcome is Outcome.CORRECT, decision


WRONG = [
    (ADD, "    return a - b", "assert candidate(1, 2) == 3: failed; the answer gave -1"),
    (ADD, "    return undefined", "NameError: name 'undefined' is not defined"),
    (ADD, "    return (", "does not load: SyntaxError"),
    (ADD, "def plus(a, b): return a + b", "the answer gave None"),
    (ADD, "    return input()", "EOFError"),
    (stdin(("1", "2"), ("2", "4")), "print(2)", r"case 2 of 2: printed '2\n', not '4'"),
    (stdin(("1", "1")), "print(1", "does not load: SyntaxError"),
    (functional("f", ("1", "2")), "def f(x): return x", "case 1 of 1: returned 1, not 2"),
    (functional("f", ("1", "2")), "def g(x): return 2", "NameError"),
    (asserts("assert f() == [1]"), "def f(): return (1,)", "the answer gave (1,)"),
    (CodeTests(TestKind.REFERENCE, entry_point="f", reference="def f(x): return x / 3",
               cases=(TestCase("[1]"),)),
     "def f(x): return 0.3", "case 1: f(1) gave 0.3, not 0.33"),
]  # fmt: skip


@needs_sandbox
@pytest.mark.parametrize(("tests", "answer", "detail"), WRONG)
def test_the_first_failing_test_is_told(tests: CodeTests, answer: str, detail: str) -> None:
    decision = judged(tests, answer)
    assert decision.outcome is Outcome.WRONG
    assert detail in decision.detail


@needs_sandbox
@pytest.mark.parametrize(
    "tests",
    [
        asserts("assert undefined_helper.x == 1\nassert 1 +"),
        asserts("x = 1\nassert x == 1"),
        CodeTests(TestKind.REFERENCE, entry_point="f", reference="def f(x): return 1 / 0",
                  cases=(TestCase("[1]"),)),
        functional("f", ("no JSON", "1")),
        stdin(),
    ],
)  # fmt: skip
def test_tests_that_are_broken_themselves_decide_nothing(tests: CodeTests) -> None:
    assert judged(tests, "def f(x): return 1").outcome is Outcome.UNDECIDED


def test_no_code_and_no_tests_are_undecided() -> None:
    verifier = CodeVerifier()
    assert verifier.quick(problem(ADD), " ") == Decision(Outcome.UNDECIDED, "no code found")
    missing = verifier.quick(problem(None), "x = 1")
    assert missing == Decision(Outcome.UNDECIDED, "the problem has no tests")


def test_without_a_sandbox_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    answer = f"open({str(mark)!r}, 'w')\n    return a + b"
    monkeypatch.setattr(sandbox, "_probe", lambda: Found(Isolation.NONE, "no bwrap"))
    decision = judged(ADD, f"    {answer}")
    assert decision == Decision(Outcome.UNDECIDED, f"{NO_SANDBOX}: no bwrap")
    assert not is_lasting(decision)
    assert not mark.exists()
    monkeypatch.setattr(sandbox, "_permitted", True)
    assert judged(ADD, f"    {answer}").outcome is Outcome.CORRECT
    assert mark.exists()


def test_unprotected_runs_leave_nothing_behind() -> None:
    """The same limits but for the sandbox's; other processes of the person live on."""
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        for tests, answer, outcome in (
            (stdin(("1", "1"), ("2", "2")), "print(input())", Outcome.CORRECT),
            (stdin(("", "1")), "while True: pass", Outcome.WRONG),
            (ADD, "def add(a, b): return a + b", Outcome.CORRECT),
        ):
            assert run(answer, tests, Isolation.UNPROTECTED, Limits()).outcome is outcome
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")


@needs_sandbox
def test_a_user_namespace_holds_too() -> None:
    """What is used where we are not root; here as root, who must be stopped by being counted.

    The bomb is no endless one: until it is counted it has the whole machine's processes.
    """
    limits = Limits(processes=8)
    assert run("def add(a, b): return a + b", ADD, Isolation.NAMESPACE, limits) == Decision(
        Outcome.CORRECT
    )
    bomb = "import os, time\ndef add(a, b):\n    for _ in range(8): os.fork()\n    time.sleep(9)\n"
    decision = run(bomb, ADD, Isolation.NAMESPACE, limits)
    assert decision.outcome is Outcome.WRONG
    assert "process limit" in decision.detail


@pytest.mark.parametrize(
    ("user", "uid_map", "ways"),
    [
        (1000, "0 0 4294967295", [Isolation.NAMESPACE]),
        (0, "         0          0 4294967295", [Isolation.FOREIGN_USER]),
        (0, "0 1000 1\n1 100000 65536", [Isolation.FOREIGN_USER, Isolation.NAMESPACE]),
    ],
    ids=["a person", "root of the machine", "root of a container of a person's"],
)
def test_root_of_the_machine_is_never_held_by_a_namespace_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    uid_map: str,
    ways: list[Isolation],
) -> None:
    """The kernel holds no limit on processes against it."""
    monkeypatch.setattr("os.geteuid", lambda: user)
    (tmp_path / "uid_map").write_text(uid_map)
    assert sandbox._choices(tmp_path / "uid_map") == ways


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("1\n2\n", "1\n2", True),
        ("1 2", "1  2 ", True),
        ("1.0", "1", True),
        ("1e3", "1000", True),
        ("0.1", "0.10000001", False),
        ("1\n2", "1 2", False),
        ("nan", "nan", True),
        ("inf", "-inf", False),
        ("YES", "Yes", False),
        ("", "\n", True),
        ("1e99999999", "1", False),
    ],
)
def test_outputs_are_compared_as_livecodebench_does(
    expected: str, printed: str, same: bool
) -> None:
    assert same_output(expected, printed) is same


def test_a_tolerance_is_for_numbers_only() -> None:
    assert same_output("0.333333", "0.333334", 1e-5)
    assert not same_output("0.3", "0.4", 1e-5)
    assert same_value([1.0, {"a": 2.0}], (1.000001, {"a": 2.0}), 1e-5)
    assert not same_value([1.0], [1.000001])
    assert not same_value("1", 1, 1e-5)


@needs_sandbox
async def test_the_pool_runs_code_and_ends_it_when_it_closes(tmp_path: Path) -> None:
    """Closing while an answer loops: undecided, at once, and no sandbox stays."""
    slow = CodeTests(TestKind.STDIN, cases=(TestCase("", "1"),), time_limit_s=300.0)
    pool = VerifierPool(workers=1)
    assert (await pool.decide(problem(ADD), "code", "    return a + b")).outcome is Outcome.CORRECT
    waiting = asyncio.create_task(pool.decide(problem(slow, "q"), "code", "while True: pass"))
    while not (inside := running("<answer>", "bwrap")):
        await asyncio.sleep(0.01)
    await asyncio.to_thread(pool.close)
    assert (await waiting).outcome is Outcome.UNDECIDED
    await gone(inside)


@needs_sandbox
async def test_a_killed_parent_leaves_no_sandbox() -> None:
    program = (
        "from explorer.core.code_tests import *\n"
        "from tests.unit.code_problems import judged\n"
        "tests = CodeTests(TestKind.STDIN, cases=(TestCase('', '1'),), time_limit_s=300.0)\n"
        "judged(tests, 'while True: pass')\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        while not (inside := running("<answer>", "bwrap", parent.pid)):
            assert parent.poll() is None
            await asyncio.sleep(0.01)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    await gone(inside)


def running(_: str, name: str, ancestor: int = 0) -> set[int]:
    """Processes called `name` below one process (this one), with all that is below them."""
    found: set[int] = set()
    waiting = [(ancestor or os.getpid(), False)]
    while waiting:
        pid, within = waiting.pop()
        try:
            within = within or name in Path(f"/proc/{pid}/comm").read_text()
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [(int(n), within) for n in (task / "children").read_text().split()]
        except OSError:
            continue
        if within:
            found.add(pid)
    return found if len(found) > 3 else set()  # bwrap twice, the runner and the program


async def gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 30
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"outlived their parent: {left}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_only_the_whole_sentence_permits_it(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text("")
    assert not load(path).code_unprotected
    path.write_text(f'[verifiers]\nrun_code_without_sandbox = "{UNPROTECTED}"\n')
    assert load(path).code_unprotected
    for said in ('"yes"', "true"):
        path.write_text(f"[verifiers]\nrun_code_without_sandbox = {said}\n")
        with pytest.raises(SettingsError, match="word for word"):
            load(path)


def test_doctor_says_whether_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "explorer.toml").write_text("")
    monkeypatch.setattr(sandbox, "_probe", lambda: Found(Isolation.NONE, "no bwrap"))
    (found,) = (one for one in examine(tmp_path, full=False) if one.topic == "code")
    assert "not run: no bwrap" in found.text
    assert "bubblewrap" in found.fix
    monkeypatch.setattr(sandbox, "_probe", lambda: Found(Isolation.NAMESPACE, "", "9.9"))
    (found,) = (one for one in examine(tmp_path, full=False) if one.topic == "code")
    assert "bubblewrap 9.9" in found.text

"""Programs that try to harm the machine or to pass without being right; none may succeed.

Where an attack can be a value (what could be read, reached or filled), the program returns what
it got and the test's expected value is that it got nothing, so that 'correct' means 'held'.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.completion import Outcome
from explorer.verifiers import sandbox
from explorer.verifiers.sandbox import Found, Isolation
from tests.unit.code_problems import ADD, check, functional, judged, needs_sandbox, stdin

pytestmark = needs_sandbox


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No process of a sandbox outlives its verdict."""
    yield
    deadline = time.monotonic() + 20  # the kernel takes a namespace down in its own time
    while left := sandboxed():
        assert time.monotonic() < deadline, f"left running: {left}"
        time.sleep(0.01)


def sandboxed() -> list[str]:
    """Command lines of processes in sandboxes that this process started."""
    users = {str(sandbox.foreign_user(place)) for place in range(3)}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
                line = (entry / "cmdline").read_text()
            except OSError:
                continue
            owner = status.partition("Uid:")[2].split()[0]
            parent = status.partition("PPid:")[2].split()[0]
            if owner in users or (parent == str(os.getpid()) and "bwrap" in line):
                found.append(f"{entry.name} {line[:60]}")
    return found


def body(*lines: str) -> str:
    return "def add(a, b):\n" + "".join(f"    {line}\n" for line in lines)


FAKES = {
    "exit": body("exit(0)"),
    "exit while loading": "import sys\nsys.exit(0)",
    "_exit": body("import os", "os._exit(0)"),
    "_exit while loading": "import os\nos._exit(0)",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\n" + body("exit(0)"),
    "always equal": body(
        "class Equal:",
        "    def __eq__(self, other): return True",
        "    def __ne__(self, other): return False",
        "    def __hash__(self): return 0",
        "return Equal()",
    ),
    "equal number": body(
        "class Equal(int):",
        "    def __eq__(self, other): return True",
        "return Equal(7)",
    ),
    "equal text": body(
        "class Equal(str):",
        "    def __eq__(self, other): return True",
        "return Equal('no')",
    ),
    "patched builtins": "import builtins\n"
    "builtins.AssertionError = type('Fine', (Exception,), {})\n"
    "for name in ('all', 'any', 'bool', 'isinstance', 'len'):\n"
    "    setattr(builtins, name, lambda *a, **k: True)\n" + body("return None"),
    "patched harness": "import sys\n"
    "for name, module in list(sys.modules.items()):\n"
    "    if 'explorer' in name:\n"
    "        for key in list(vars(module)):\n"
    "            if not key.startswith('__'):\n"
    "                setattr(module, key, lambda *a, **k: True)\n" + body("return None"),
    "printed verdict": body(
        "print('passed', flush=True)",
        "print('{\"passed\": 3}', flush=True)",
        "return None",
    ),
    "sent verdict": "import os\n" + body(
        "for verdict in (b'{\"passed\":3}', b'{\"ok\":true}', b'{\"hello\":1}'):",
        "    for fd in range(64):",
        "        try: os.write(fd, len(verdict).to_bytes(8, 'big') + verdict)",
        "        except OSError: pass",
        "return None",
    ),
    "closed pipes": "import os\nos.closerange(0, 64)\n" + body("return 3"),
    "trace": "import sys\n"
    "def trace(frame, event, value):\n"
    "    frame.f_locals.update(passed=True)\n"
    "    return trace\n"
    "sys.settrace(trace)\n" + body("return None"),
    "thread": "import os, threading, time\n"
    "def end():\n"
    "    time.sleep(0.1)\n"
    "    os._exit(0)\n"
    "threading.Thread(target=end).start()\n" + body("time.sleep(0.2)", "return 3"),
    "killed parent": "import os, signal\n" + body(
        "for pid in (os.getppid(), 1, 2):",
        "    try: os.kill(pid, signal.SIGKILL)",
        "    except OSError: pass",
        "return None",
    ),
    "killed all": "import os, signal\n" + body("os.kill(-1, signal.SIGKILL)", "os.abort()"),
    "unittest": "import unittest\n"
    "unittest.TestCase.assertEqual = lambda *a: None\n" + body("return unittest.SkipTest()"),
    "raise": body("raise SystemExit(0)"),
    "broken reply": "import json\njson.dumps = lambda *a, **k: '[[['\n" + body("return 3"),
    "recursion": body("return add(a, b)"),
    "crash": "import sys\nsys.setrecursionlimit(10 ** 9)\n" + body(
        "deep = []",
        "for _ in range(10 ** 6): deep = [deep]",
        "return repr(deep)",
    ),
    "nested bomb": body(
        "bomb = [0] * 1000", "for _ in range(9): bomb = [bomb] * 1000", "return bomb"
    ),
    "deep value": body("deep = []", "for _ in range(10 ** 5): deep = [deep]", "return deep"),
    "cyclic value": body("cycle = []", "cycle.append(cycle)", "return cycle"),
    "huge number": body("return 1 << 10 ** 7"),
    "huge decimal": body("import decimal", "return decimal.Decimal('1e999999999')"),
    "huge text": body("return 'x' * (64 << 20)"),
    "endless generator": body("while True: yield 3"),
    "memory": body("hoard = []", "while True: hoard.append(bytearray(1 << 24))"),
    "memory at once": body("return bytearray(1 << 40)"),
    "output": body("while True: print('x' * 10_000)"),
    "loop": body("while True: pass"),
    "sleep": body("import time", "time.sleep(1000)"),
    "fork bomb": "import os\n" + body(
        "while True:", "    try: os.fork()", "    except OSError: pass"
    ),
    "thread bomb": "import threading, time\n" + body(
        "while True: threading.Thread(target=time.sleep, args=(1000,)).start()"
    ),
    "stopped": "import os, signal\n" + body("os.kill(os.getpid(), signal.SIGSTOP)", "return 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAKES)
def test_no_attack_passes(name: str) -> None:
    decision = judged(ADD, FAKES[name])
    assert decision.outcome is Outcome.WRONG, decision
    assert decision.detail
    assert decision.detail.isprintable()


def test_a_right_answer_passes() -> None:
    assert judged(ADD, body("return a + b")).outcome is Outcome.CORRECT


def test_the_expected_value_is_nowhere_in_the_program_s_memory() -> None:
    secret = "the-expected-value-3141592653589793"
    answer = (
        "import gc, re, sys\n"
        "def find():\n"
        "    wanted = b'the-expected-' + b'value-[0-9]+'\n"
        "    for line in open('/proc/self/maps'):\n"
        "        if 'r' in line.split()[1] and '[v' not in line:\n"
        "            start, end = (int(part, 16) for part in line.split()[0].split('-'))\n"
        "            with open('/proc/self/mem', 'rb', 0) as memory:\n"
        "                try:\n"
        "                    memory.seek(start)\n"
        "                    found = re.search(wanted, memory.read(end - start))\n"
        "                except (OSError, ValueError, OverflowError):\n"
        "                    continue\n"
        "                if found:\n"
        "                    return found[0].decode()\n"
        "    return 'read it all'\n"
    )
    tests = check(f"def check(candidate):\n    assert candidate() == {secret!r}\n", "find")
    decision = judged(tests, answer)
    assert decision.outcome is Outcome.WRONG
    # A foreign user may not even open its memory; otherwise it has read it and found nothing.
    assert "read it all" in decision.detail or "PermissionError" in decision.detail


@pytest.fixture(params=[Isolation.FOREIGN_USER, Isolation.NAMESPACE])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Isolation:
    """Each way in which programs are shut in, on this machine."""
    wanted: Isolation = request.param
    if sandbox._try(wanted):
        pytest.skip(f"not possible here: {wanted}")
    monkeypatch.setattr(sandbox, "_probe", lambda: Found(wanted))
    return wanted


def held(expression: str, *lines: str) -> bool:
    """Whether a program's `attack()`, made of these lines, returns what it should."""
    answer = "import os\ndef attack():\n" + "".join(f"    {line}\n" for line in lines)
    decision = judged(functional("attack", ("", expression)), answer)
    assert decision.outcome in (Outcome.CORRECT, Outcome.WRONG), decision
    print(decision.detail)
    return decision.outcome is Outcome.CORRECT


@pytest.mark.usefixtures("isolation")
def test_no_file_of_the_person_can_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "cache.db"
    secret.write_text("secret")
    here = Path(__file__).resolve()
    paths = [secret, here, here.parents[2] / "pyproject.toml", Path.home() / ".bashrc",
             Path("/etc/passwd"), Path("/etc/shadow"), Path("/etc/hostname"), Path("/var/log"),
             Path("/root"), Path("/home"), tmp_path]  # fmt: skip
    assert secret.read_text() == "secret"
    assert held(
        "[]",
        f"paths = {[str(path) for path in paths]}",
        "got = []",
        "for path in paths:",
        "    for way in (lambda p: open(p).read(), os.listdir):",
        "        try: got.append((path, len(way(path)))) if way(path) else None",
        "        except OSError: pass",
        "try: os.symlink(paths[0], '/tmp/link'); got.append(open('/tmp/link').read())",
        "except OSError: pass",
        "return [one for one in got if one[0] not in ('/root', '/home')]",
    )


@pytest.mark.usefixtures("isolation")
def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "sk-secret")
    assert held(
        "[]",
        "found = [key for key in os.environ if key == 'API_KEY' or 'secret' in os.environ[key]]",
        "for pid in filter(str.isdigit, os.listdir('/proc')):",
        "    for name in ('environ', 'cmdline'):",
        "        try: data = open(f'/proc/{pid}/{name}', 'rb').read()",
        "        except OSError: continue",
        "        if b'sk-sec' + b'ret' in data: found.append((pid, name))",
        "return found",
    )


@pytest.mark.usefixtures("isolation")
def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 5).close()
        assert held(
            '"refused"',
            "import socket",
            f"try: socket.create_connection(('127.0.0.1', {port}), 0.5)",
            "except OSError: return 'refused'",
            "return 'connected'",
        )


@pytest.mark.usefixtures("isolation")
def test_only_a_small_folder_can_be_written() -> None:
    assert held(
        "[[], true]",
        "import sys",
        "written, kept = 0, []",
        "for place in ('/', '/dev', '/usr', '/harness', '/etc', sys.prefix, '/proc/sys/kernel'):",
        "    try: open(place + '/mine', 'w').close(); kept.append(place)",
        "    except OSError: pass",
        "for place in ('/tmp', '/dev/shm'):",
        "    for number in range(100):",
        "        try:",
        "            with open(f'{place}/{number}', 'wb') as file:",
        "                while True: written += file.write(bytes(1 << 20))",
        "        except OSError: pass",
        "return kept, 10 << 20 < written < 100 << 20",
    )


@pytest.mark.usefixtures("isolation")
def test_memory_that_no_limit_counts_cannot_be_had() -> None:
    assert held(
        "[]",
        "import ctypes",
        "got = []",
        "try: got.append(os.memfd_create('hoard'))",
        "except OSError: pass",
        "if ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600) >= 0: got.append('System V')",
        "return got",
    )


@pytest.mark.usefixtures("isolation")
def test_no_further_namespace_can_be_made() -> None:
    assert held(
        "[-1, -1]",
        "import ctypes",
        "libc = ctypes.CDLL(None)",
        "return [libc.unshare(0x10000000), libc.unshare(0x20000)]",
    )


def test_few_processes_can_be_made() -> None:
    assert held(
        "true",
        "import signal",
        "signal.signal(signal.SIGALRM, lambda *_: None)",
        "made = 0",
        "for _ in range(1000):",
        "    try:",
        "        if os.fork() == 0: signal.pause(); os._exit(0)",
        "        made += 1",
        "    except OSError: break",
        "return made < 200",
    )


@pytest.mark.usefixtures("isolation")
def test_daemons_and_threads_end_with_the_verdict() -> None:
    answer = (
        "import os, threading, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        while True: time.sleep(0.01)\n"
        "    os._exit(0)\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n" + body("return a + b")
    )
    assert judged(ADD, answer).outcome is Outcome.CORRECT


def test_only_what_one_run_printed_counts_for_it() -> None:
    """A program leaves a daemon that prints the next answer, and a file that says what to print."""
    tests = stdin(("1", "1"), ("2", "2"))
    answer = (
        "import os, time\n"
        "given = input()\n"
        "print(given if not os.path.exists('seen') else 'seen before')\n"
        "open('seen', 'w').close()\n"
        "os.symlink('/usr', 'folder')\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while True: time.sleep(0.01)\n"
    )
    assert judged(tests, answer).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("while True: print('x' * 1000)", "output limit"),
        ("while True: pass", "time limit"),
        ("import time; time.sleep(100)", "time limit"),
        ("print(1); raise ValueError", "exit code 1"),
        ("print(1, flush=True); import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("import os, signal; os.kill(-1, signal.SIGKILL); print(1)", "killed"),
        ("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", "limit"),
        ("x = []\nwhile True: x.append(bytearray(1 << 24))", ""),
        ("print(int('1' * 10 ** 7))", ""),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\x1b[2J')", "printed"),
    ],
)  # fmt: skip
def test_programs_that_misbehave_are_wrong(answer: str, reason: str) -> None:
    decision = judged(stdin(("", "1")), answer)
    assert decision.outcome is Outcome.WRONG
    assert reason in decision.detail
    assert decision.detail.isprintable()


def test_tests_in_the_answer_s_own_process_are_marked() -> None:
    """A test that passes a function cannot be judged from outside; the verdict admits it."""
    tests = CodeTests(
        TestKind.ASSERTS,
        entry_point="apply",
        code="assert apply(lambda x: x + 1, 2) == 3",
        time_limit_s=1.0,
    )
    decision = judged(tests, "def apply(f, x): return f(x)")
    assert decision.outcome is Outcome.CORRECT
    assert decision.detail.startswith("judged inside the answer's own process")
    wrong = judged(tests, "import os\nos._exit(0)\ndef apply(f, x): return f(x)")
    assert wrong.outcome is Outcome.WRONG
    assert json.dumps(wrong.detail)

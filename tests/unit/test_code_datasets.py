"""Layouts of code benchmarks whose files are not at hand: written here as they are published."""

from __future__ import annotations

import ast
import base64
import json
import pickle
import pickletools
import zlib
from pathlib import Path
from typing import Any

import pytest

from explorer.core.code_tests import CodeTests, PackedTests, TestCase, TestKind
from explorer.datasets import registry
from explorer.datasets.contents import DatasetContents
from explorer.datasets.pickled_text import decode, text_of
from explorer.settings import DatasetSettings

STDIN = [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]
PRIVATE = [{"input": f"{n} 1\n", "output": f"{n + 1}\n", "testtype": "stdin"} for n in range(3000)]
FUNCTIONAL = [{"input": '[1, 2]\n"x"', "output": "[3]", "testtype": "functional"}]


def pack(value: object, protocol: int = 4) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol))).decode()


def lcb(**changes: Any) -> dict[str, Any]:
    return {
        "question_title": "Sum",
        "question_content": "Add two numbers.",
        "platform": "atcoder",
        "question_id": "abc301_a",
        "contest_id": "abc301",
        "contest_date": "2023-05-13T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(STDIN),
        "private_test_cases": pack(json.dumps(PRIVATE)),
        "metadata": "{}",
    } | changes


def read(tmp_path: Path, kind: str, *rows: dict[str, Any]) -> DatasetContents:
    path = tmp_path / f"{kind}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return registry.read(DatasetSettings("tasks", path, kind))


def suite(contents: DatasetContents, place: int = 0) -> CodeTests:
    assert contents.faults == ()
    tests = contents.problems[place].tests
    assert tests is not None
    return tests.unpack()


class TestPacked:
    def test_what_is_packed_comes_out_and_has_one_digest(self) -> None:
        cases = tuple(TestCase(f"{number}\n", "é\0") for number in range(5000))
        tests = CodeTests(TestKind.STDIN, cases=cases, time_limit_s=6.0, prelude="import re")
        packed = tests.pack()
        assert packed.unpack() == tests
        assert packed == tests.pack()
        assert len(packed.blob) < 40_000
        assert packed.digest != CodeTests(TestKind.STDIN, cases=cases).pack().digest

    @pytest.mark.parametrize(
        "blob", [b"", b"x", zlib.compress(b"{}"), zlib.compress(b"[1"), zlib.compress(b'{"a": 1}')]
    )
    def test_a_damaged_blob_is_said(self, blob: bytes) -> None:
        with pytest.raises(ValueError, match=r".+"):
            PackedTests("", blob).unpack()


class TestPickledText:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("text", ["", "[]", "é\n" * 100_000])
    def test_a_text_comes_out_whatever_the_protocol(self, protocol: int, text: str) -> None:
        assert decode(pack(text, protocol)) == text

    def test_code_is_never_run(self, tmp_path: Path) -> None:
        mark = tmp_path / "ran"

        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (mark,))

        for value in (Evil(), [Evil()], {"a": Evil()}):
            with pytest.raises(ValueError, match="is not loaded"):
                decode(pack(value))
        assert not mark.exists()

    @pytest.mark.parametrize("value", [["text"], 7, None, b"bytes", ("a", "b"), {"a": "b"}])
    def test_anything_but_one_text_is_refused(self, value: object) -> None:
        with pytest.raises(ValueError, match="not loaded"):
            decode(pack(value))

    def test_a_text_and_then_a_call_is_refused(self) -> None:
        data = b"\x80\x04\x8c\x02[]cos\nsystem\n."
        assert [op.name for op, _, _ in pickletools.genops(data)][-2:] == ["GLOBAL", "STOP"]
        with pytest.raises(ValueError, match="GLOBAL"):
            text_of(data)

    @pytest.mark.parametrize("data", [b"", b"\x80\x04", b"\x8c\xff", b"junk", b"\x80\x04."])
    def test_what_is_no_pickle_is_said(self, data: bytes) -> None:
        with pytest.raises(ValueError, match=r".+"):
            text_of(data)

    @pytest.mark.parametrize("packed", ["*", "AAAA", "é"])
    def test_what_is_not_packed_is_said(self, packed: str) -> None:
        with pytest.raises(ValueError, match="not "):
            decode(packed)


class TestLiveCodeBench:
    def test_public_and_packed_private_tests_of_stdin(self, tmp_path: Path) -> None:
        contents = read(tmp_path, "livecodebench", lcb())
        tests, problem = suite(contents), contents.problems[0]
        assert (tests.kind, len(tests.cases), tests.time_limit_s) == (TestKind.STDIN, 3001, 6.0)
        assert tests.cases[0] == TestCase("1 2\n", "3\n")
        assert tests.cases[-1] == TestCase("2999 1\n", "3000\n")
        assert (problem.name, problem.family, problem.level) == ("abc301_a", "atcoder", "easy")
        assert problem.note == "Sum"
        assert problem.statement == (
            "Add two numbers.\n\nRead the input from stdin and write the answer to stdout."
        )
        assert problem.extra["contest_date"] == "2023-05-13"
        ast.parse(tests.prelude)

    def test_functional_tests_name_their_function(self, tmp_path: Path) -> None:
        starter = "class Solution:\n    def f(self, a: List[int], b: str) -> List[int]:\n        "
        row = lcb(
            starter_code=starter,
            public_test_cases=json.dumps(FUNCTIONAL),
            private_test_cases=json.dumps(FUNCTIONAL * 2),
            metadata=json.dumps({"func_name": "f"}),
        )
        contents = read(tmp_path, "livecodebench", row)
        tests = suite(contents)
        assert (tests.kind, tests.entry_point) == (TestKind.FUNCTIONAL, "f")
        assert tests.cases == (TestCase('[1, 2]\n"x"', "[3]"),) * 3
        assert "def f(self, a: List[int], b: str)" in contents.problems[0].statement

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"private_test_cases": pack([1])}, "'private_test_cases': a pickle of more than text"),
            ({"private_test_cases": "!"}, "'private_test_cases': not base64"),
            ({"private_test_cases": pack("{")}, "'private_test_cases': Expecting"),
            ({"public_test_cases": "[}"}, "'public_test_cases' is not JSON"),
            ({"public_test_cases": "[]", "private_test_cases": "[]"}, "no tests"),
            ({"public_test_cases": json.dumps(FUNCTIONAL)}, "instead of one known kind"),
            ({"public_test_cases": '[{"input": "", "testtype": "stdin"}]'}, "no 'output'"),
            ({"question_content": None}, "no 'question_content'"),
        ],
    )
    def test_a_bad_row_is_left_out_with_its_reason(
        self, tmp_path: Path, changes: dict[str, Any], reason: str
    ) -> None:
        contents = read(tmp_path, "livecodebench", lcb(**changes), lcb(question_id="good"))
        assert [problem.name for problem in contents.problems] == ["good"]
        (fault,) = contents.faults
        assert fault.line == 1
        assert reason in fault.reason

    def test_functional_tests_without_a_name_are_left_out(self, tmp_path: Path) -> None:
        tests = json.dumps(FUNCTIONAL)
        row = lcb(public_test_cases=tests, private_test_cases=tests)
        assert "func_name" in read(tmp_path, "livecodebench", row).faults[0].reason


MBPP_HUB = {
    "task_id": 2,
    "code": "def helper(x):\n    return x\n\ndef similar(a, b):\n    return set(a) & set(b)",
    "prompt": "Write a function to find the shared elements.",
    "source_file": "x",
    "test_imports": ["import math"],
    "test_list": ["assert set(similar((1, 2), (2, 3))) == {2}"],
    "test": "inputs = []\nfor one in inputs:\n    assert similar(*one)",
}


class TestEvalPlus:
    def test_the_hubs_mbpp_shows_its_assertions(self, tmp_path: Path) -> None:
        contents = read(tmp_path, "mbpp-plus", MBPP_HUB)
        tests, problem = suite(contents), contents.problems[0]
        assert (tests.kind, tests.entry_point) == (TestKind.ASSERTS, "similar")
        assert tests.prelude == "import math"
        assert problem.name == "Mbpp/2"
        assert problem.statement.endswith("assert set(similar((1, 2), (2, 3))) == {2}")

    @pytest.mark.parametrize(
        ("task", "given", "meant"),
        [
            (2, [[1, 2], [3]], [(1, 2), (3,)]),
            (63, [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
            (75, [[[1, 2]], 5], [[(1, 2)], 5]),
            (106, [[1], [2, 3]], [[1], (2, 3)]),
            (115, [[[1, 2], []]], [[{1, 2}, {}]]),
            (124, ["1.5", "2j"], [1.5, 2j]),
            (250, [[1, 2], 2], [(1, 2), 2]),
            (252, ["3+4j"], [3 + 4j]),
            (259, [[[1, 2]], [[3, 4]]], [((1, 2),), ((3, 4),)]),
            (278, [[1, [2, 3]]], [(1, (2, 3))]),
            (307, [[1, 2], 3, 4], [(1, 2), 3, 4]),
            (580, [[1, [2, [3]]]], [(1, (2, (3,)))]),
            (722, [{"a": [1, 2]}, 6], [{"a": (1, 2)}, 6]),
            (1, [[1, [2]], float("inf")], [[1, [2]], float("inf")]),
        ],
    )
    def test_the_releases_inputs_get_their_types_back(
        self, tmp_path: Path, task: int, given: list[Any], meant: list[Any]
    ) -> None:
        row = {
            "task_id": f"Mbpp/{task}",
            "prompt": "P",
            "entry_point": "f",
            "canonical_solution": "def f(*a): return a",
            "base_input": [given],
            "plus_input": [given, given],
            "atol": 1e-4,
        }
        tests = suite(read(tmp_path, "mbpp-plus", row))
        assert (tests.kind, len(tests.cases), tests.tolerance) == (TestKind.REFERENCE, 3, 1e-4)
        found = eval(tests.cases[0].input, {"inf": float("inf")})
        assert found == meant
        assert [type(one) for one in found] == [type(one) for one in meant]

    def test_tasks_with_several_right_results_compare_their_own_way(self, tmp_path: Path) -> None:
        row = {
            "task_id": "Mbpp/2",
            "prompt": "P",
            "entry_point": "similar_elements",
            "canonical_solution": "def similar_elements(a, b): return a",
            "base_input": [[[1], [2]]],
            "plus_input": [],
        }
        scope: dict[str, Any] = {}
        exec(suite(read(tmp_path, "mbpp-plus", row)).code, scope)
        assert scope["same"]((1, 2), [2, 1, 1], [])
        assert not scope["same"]((1, 2), [2], [])

    def test_inputs_of_the_wrong_shape_cost_their_row(self, tmp_path: Path) -> None:
        row = {
            "task_id": "Mbpp/2",
            "prompt": "P",
            "entry_point": "f",
            "canonical_solution": "def f(): pass",
            "base_input": [[1, 2]],
        }
        (fault,) = read(tmp_path, "mbpp-plus", row).faults
        assert "shape" in fault.reason

    def test_the_released_humaneval_plus(self, tmp_path: Path) -> None:
        row = {
            "task_id": "HumanEval/0",
            "prompt": "def f(x):\n",
            "entry_point": "f",
            "canonical_solution": "    return x\n",
            "contract": "\n    assert x\n",
            "base_input": [[1]],
            "plus_input": [[2.5], ["a"]],
            "atol": 0,
        }
        contents = read(tmp_path, "humaneval-plus", row)
        tests = suite(contents)
        assert [case.input for case in tests.cases] == ["[1]", "[2.5]", "['a']"]
        assert tests.reference == "def f(x):\n    return x\n"
        assert contents.problems[0].note == ""

    def test_the_hubs_humaneval_plus_is_checked_by_its_script(self, tmp_path: Path) -> None:
        row = {
            "task_id": "HumanEval/0",
            "prompt": "def f(x):\n",
            "entry_point": "f",
            "canonical_solution": "    return x\n",
            "test": "def check(candidate):\n    assert candidate(1) == 1\n",
        }
        assert suite(read(tmp_path, "humaneval-plus", row)).kind is TestKind.CHECK
